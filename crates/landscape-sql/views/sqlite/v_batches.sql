SELECT
    u.run_id,
    b.batch_no,
    b.attempt,
    n.name AS node,
    $name(BatchStatus, b.status) AS status,
    $name(TriggerType, b.trigger_type) AS trigger_type,
    b.reason,
    (SELECT count(*) FROM batch_members m WHERE m.run_no = b.run_no AND m.batch_no = b.batch_no) AS members,
    (SELECT count(*) FROM batch_outputs o WHERE o.run_no = b.run_no AND o.batch_no = b.batch_no) AS outputs,
    b.run_no
FROM runs u
JOIN batches b ON b.run_no = u.run_no
LEFT JOIN nodes n ON n.run_no = b.run_no AND n.step = b.step
