SELECT
    s.run_id,
    s.row_index,
    $token_id(s, s.token) AS token_id,
    $state_id(s, s.token, s.step, s.attempt) AS state_id,
    $call_id(s, s.call_no) AS call_id,
    n.name AS node,
    s.attempt,
    s.call_index,
    $name(CallType, s.call_type) AS call_type,
    $name(CallStatus, s.status) AS status,
    $hex(s.request_hash) AS request_hash,
    $hex(s.response_hash) AS response_hash,
    s.latency_us,
    $field(s.error, 'kind') AS error_kind,
    $field(s.error, 'message') AS error_message,
    s.run_no,
    s.token
FROM $by_row(calls) s
LEFT JOIN nodes n ON n.run_no = s.run_no AND n.step = s.step
