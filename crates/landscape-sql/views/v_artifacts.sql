SELECT
    u.run_id,
    n.name AS sink,
    a.epoch,
    a.ordinal,
    a.published,
    a.artifact_type,
    a.path,
    $hex(a.content_hash) AS content_hash,
    a.size_bytes,
    a.row_count,
    a.idempotency_key,
    a.run_no
FROM runs u
JOIN artifacts a ON a.run_no = u.run_no
LEFT JOIN nodes n ON n.run_no = a.run_no AND n.step = a.step
