SELECT
    s.run_id,
    s.row_index,
    $token_id(s, s.token) AS token_id,
    $state_id(s, s.token, s.step, s.attempt) AS state_id,
    s.step,
    n.name AS node,
    $name(NodeType, n.node_type) AS node_type,
    s.attempt,
    $name(NodeStateStatus, s.status) AS status,
    $hex(s.came_with) AS input_hash,
    $hex(CASE s.status WHEN 2 THEN coalesce(s.output_hash, s.came_with) END) AS output_hash,
    $time(s.run_started_at + s.started_us) AS started_at,
    s.duration_us,
    s.waited_us,
    $field(coalesce(x.reason, v.reason), 'kind') AS error_kind,
    $field(coalesce(x.reason, v.reason), 'message') AS error_message,
    c.context,
    s.run_no,
    s.token
FROM traced_states s
LEFT JOIN nodes n ON n.run_no = s.run_no AND n.step = s.step
LEFT JOIN state_contexts c
    ON c.run_no = s.run_no AND c.token = s.token AND c.step = s.step AND c.attempt = s.attempt
LEFT JOIN transform_errors x
    ON x.run_no = s.run_no AND x.token = s.token AND x.step = s.step AND x.attempt = s.attempt
LEFT JOIN validation_errors v ON v.run_no = s.run_no AND v.row_index = s.row_index AND s.step = 0
