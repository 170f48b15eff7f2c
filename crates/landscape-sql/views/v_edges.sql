SELECT
    u.run_id,
    e.edge,
    a.name AS from_node,
    b.name AS to_node,
    e.label,
    $name(EdgeMode, e.mode) AS mode,
    e.run_no
FROM runs u
JOIN edges e ON e.run_no = u.run_no
JOIN nodes a ON a.run_no = e.run_no AND a.step = e.from_step
JOIN nodes b ON b.run_no = e.run_no AND b.step = e.to_step
