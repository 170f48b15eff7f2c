SELECT
    s.run_id,
    s.row_index,
    $token_id(s, s.token) AS token_id,
    $state_id(s, s.token, s.step, s.attempt) AS state_id,
    a.name AS node,
    s.attempt,
    $field(s.reason, 'kind') AS kind,
    $field(s.reason, 'message') AS message,
    $field(s.reason, 'field') AS field,
    $flag(s.reason, 'retryable') AS retryable,
    b.name AS destination,
    s.run_no,
    s.token
FROM $by_row(transform_errors) s
LEFT JOIN nodes a ON a.run_no = s.run_no AND a.step = s.step
LEFT JOIN nodes b ON b.run_no = s.run_no AND b.step = s.destination
