SELECT
    u.run_id,
    x.number,
    n.name AS node,
    $name(NodeType, n.node_type) AS node_type,
    x.epoch,
    x.row_index,
    x.after,
    x.run_no
FROM runs u
JOIN releases x ON x.run_no = u.run_no
LEFT JOIN nodes n ON n.run_no = x.run_no AND n.step = x.step
