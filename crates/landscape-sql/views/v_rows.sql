SELECT
    u.run_id,
    r.row_index,
    $row_id(u, r.row_index) AS row_id,
    (SELECT e.epoch FROM epochs e WHERE e.run_no = r.run_no AND e.first_row <= r.row_index
     ORDER BY e.first_row DESC LIMIT 1) AS epoch,
    r.valid,
    $hex(r.source_data_hash) AS source_data_hash,
    $time(u.started_at + r.read_us) AS read_at,
    r.run_no
FROM runs u JOIN rows r ON r.run_no = u.run_no
