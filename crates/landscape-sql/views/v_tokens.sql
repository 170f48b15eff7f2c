SELECT
    s.run_id,
    s.row_index,
    $token_id(s, s.token) AS token_id,
    s.branch,
    s.group_no,
    (SELECT $joined($token_id(s, p.parent), ' ') FROM token_parents p
     WHERE p.run_no = s.run_no AND p.token = s.token) AS parents,
    CASE WHEN s.token >= $first_released() AND NOT EXISTS (SELECT 1 FROM token_parents p
        WHERE p.run_no = s.run_no AND p.token = s.token) THEN (s.token >> 20) & 34359738367 END AS made_by_batch,
    s.run_no,
    s.token
FROM $by_row(tokens) s
