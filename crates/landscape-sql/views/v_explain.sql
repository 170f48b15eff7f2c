SELECT
    s.run_id,
    s.row_index,
    $token_id(s, s.token) AS token_id,
    t.branch,
    s.step,
    n.name AS node,
    $name(NodeType, n.node_type) AS node_type,
    n.plugin,
    s.attempt,
    $name(NodeStateStatus, s.status) AS status,
    $hex(s.came_with) AS input_hash,
    $hex(CASE s.status WHEN 2 THEN coalesce(s.output_hash, s.came_with) END) AS output_hash,
    (SELECT $joined(e.label || ' -> ' || b.name, ', ')
     FROM routing_events g
     JOIN edges e ON e.run_no = g.run_no AND e.edge = g.edge
     JOIN nodes b ON b.run_no = g.run_no AND b.step = e.to_step
     WHERE g.run_no = s.run_no AND g.token = s.token AND g.step = s.step AND g.attempt = s.attempt) AS routing,
    $field(coalesce(x.reason, v.reason), 'kind') AS error_kind,
    $field(coalesce(x.reason, v.reason), 'message') AS error_message,
    $time(s.run_started_at + s.started_us) AS started_at,
    s.duration_us,
    s.waited_us,
    $name(Outcome, o.outcome) AS outcome,
    k.name AS outcome_sink,
    s.run_no,
    s.token
FROM traced_states s
JOIN tokens t ON t.run_no = s.run_no AND t.token = s.token
LEFT JOIN nodes n ON n.run_no = s.run_no AND n.step = s.step
LEFT JOIN transform_errors x
    ON x.run_no = s.run_no AND x.token = s.token AND x.step = s.step AND x.attempt = s.attempt
LEFT JOIN validation_errors v ON v.run_no = s.run_no AND v.row_index = s.row_index AND s.step = 0
LEFT JOIN token_outcomes o ON o.run_no = s.run_no AND o.token = s.token AND o.terminal = 1
LEFT JOIN nodes k ON k.run_no = s.run_no AND k.step = o.sink
ORDER BY s.run_no, s.token, s.step, s.attempt
