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
UNION ALL
SELECT u.run_id, q.batch_no, 0, NULL, $name(BatchStatus, 0), NULL, NULL,
    (SELECT count(*) FROM batch_members m WHERE m.run_no = q.run_no AND m.batch_no = q.batch_no), 0, q.run_no
FROM open_batches q
JOIN runs u ON u.run_no = q.run_no
WHERE NOT EXISTS (SELECT 1 FROM batches b WHERE b.run_no = q.run_no AND b.batch_no = q.batch_no)
