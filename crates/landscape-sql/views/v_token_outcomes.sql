SELECT
    s.run_id,
    s.row_index,
    $token_id(s, s.token) AS token_id,
    $name(Outcome, s.outcome) AS outcome,
    s.terminal,
    n.name AS sink,
    s.group_no,
    s.batch_no,
    x.name AS error_node,
    s.error_attempt,
    s.run_no,
    s.token
FROM $by_row(token_outcomes) s
LEFT JOIN nodes n ON n.run_no = s.run_no AND n.step = s.sink
LEFT JOIN nodes x ON x.run_no = s.run_no AND x.step = s.error_step
UNION ALL
SELECT y.run_id, CASE WHEN m.token < $first_released() THEN m.token >> 20 END, $token_id(y, m.token),
    $name(Outcome, 9), 0, NULL, NULL, m.batch_no, NULL, NULL, m.run_no, m.token
FROM open_batches q
CROSS JOIN runs y ON y.run_no = q.run_no
CROSS JOIN batch_members m ON m.run_no = q.run_no AND m.batch_no = q.batch_no
WHERE NOT EXISTS (SELECT 1 FROM token_outcomes z WHERE z.run_no = m.run_no AND z.token = m.token)
