SELECT
    s.run_id,
    s.row_index,
    $token_id(s, s.token) AS token_id,
    $state_id(s, s.token, s.step, s.attempt) AS state_id,
    s.ordinal,
    a.name AS from_node,
    e.label,
    $name(EdgeMode, e.mode) AS mode,
    b.name AS to_node,
    s.reason,
    s.run_no,
    s.token
FROM $by_row(routing_events) s
LEFT JOIN edges e ON e.run_no = s.run_no AND e.edge = s.edge
LEFT JOIN nodes a ON a.run_no = s.run_no AND a.step = s.step
LEFT JOIN nodes b ON b.run_no = s.run_no AND b.step = e.to_step
