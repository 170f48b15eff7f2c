SELECT u.run_id, u.id_high, u.id_low, u.started_at AS run_started_at, r.row_index, r.run_no,
    r.row_index << 20 AS token, 0 AS step, 0 AS attempt,
    CASE r.valid WHEN 1 THEN 2 ELSE 3 END AS status,
    r.read_us AS started_us, 0 AS duration_us, 0 AS waited_us,
    CASE r.valid WHEN 1 THEN r.source_data_hash END AS output_hash, NULL AS input_hash
FROM runs u JOIN rows r ON r.run_no = u.run_no
UNION ALL
SELECT run_id, id_high, id_low, run_started_at, row_index, run_no, token, step, attempt, status, started_us,
    duration_us, waited_us, output_hash, input_hash
FROM $by_row(node_states) n
UNION ALL
SELECT run_id, id_high, id_low, run_started_at, row_index, run_no, token, step, attempt, status, started_us,
    duration_us, waited_us, output_hash, input_hash
FROM $by_row(sink_states) n
