SELECT
    u.run_id,
    e.epoch,
    e.first_row,
    e.last_row,
    e.row_count,
    e.record_count,
    $time(e.started_at) AS started_at,
    $time(e.decided_at) AS decided_at,
    $time(e.acted_at) AS acted_at,
    $hex(e.chain_hash) AS chain_hash,
    $hex(e.acted_chain) AS acted_chain,
    $hex(e.content_root) AS content_root,
    $hex(e.continuation) AS continuation,
    $hex(e.positions) AS positions,
    e.run_no
FROM runs u JOIN epochs e ON e.run_no = u.run_no
