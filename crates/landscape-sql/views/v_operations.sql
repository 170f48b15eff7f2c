SELECT
    u.run_id,
    n.name AS node,
    o.epoch,
    o.ordinal,
    o.published,
    $name(OperationKind, o.kind) AS kind,
    $name(OperationStatus, o.status) AS status,
    o.attempts,
    $time(u.started_at + o.started_us) AS started_at,
    o.duration_us,
    $field(o.error, 'kind') AS error_kind,
    $field(o.error, 'message') AS error_message,
    o.run_no
FROM runs u
JOIN operations o ON o.run_no = u.run_no
LEFT JOIN nodes n ON n.run_no = o.run_no AND n.step = o.step
