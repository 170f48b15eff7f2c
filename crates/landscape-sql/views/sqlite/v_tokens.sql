SELECT
    s.run_id,
    s.row_index,
    $token_id(s, s.token) AS token_id,
    s.branch,
    s.group_no,
    (SELECT group_concat($token_id(s, p.parent), ' ') FROM token_parents p
     WHERE p.run_no = s.run_no AND p.token = s.token) AS parents,
    s.run_no,
    s.token
FROM $by_row(tokens) s
