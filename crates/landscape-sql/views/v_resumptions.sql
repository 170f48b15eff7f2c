SELECT
    u.run_id,
    r.ordinal,
    $time(r.resumed_at) AS resumed_at,
    r.owner,
    r.owner_before,
    r.epoch,
    r.row_index,
    r.engine_version,
    r.settings,
    r.accepted_source,
    r.run_no
FROM runs u JOIN resumptions r ON r.run_no = u.run_no
