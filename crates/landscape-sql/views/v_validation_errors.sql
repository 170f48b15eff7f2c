SELECT
    u.run_id,
    v.row_index,
    $row_id(u, v.row_index) AS row_id,
    $token_id(u, v.row_index << 20) AS token_id,
    $field(v.reason, 'kind') AS kind,
    $field(v.reason, 'message') AS message,
    $field(v.reason, 'field') AS field,
    $field(v.reason, 'line') AS line,
    n.name AS destination,
    v.run_no
FROM runs u
JOIN validation_errors v ON v.run_no = u.run_no
LEFT JOIN nodes n ON n.run_no = v.run_no AND n.step = v.destination
