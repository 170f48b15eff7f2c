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
