SELECT
    u.run_id,
    x.purge_no,
    $name(PurgeStatus, x.status) AS status,
    $time(x.requested_at) AS requested_at,
    $time(x.finished_at) AS finished_at,
    x.older_than_days,
    x.by_name,
    x.payload_store,
    x.blocks,
    x.block_bytes,
    x.files,
    x.file_bytes,
    x.kept_files,
    (SELECT count(*) FROM purge_files f WHERE f.purge_no = x.purge_no) AS files_left,
    x.run_no
FROM purges x
JOIN runs u ON u.run_no = x.run_no
