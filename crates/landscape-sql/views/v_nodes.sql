SELECT
    u.run_id,
    n.step,
    n.node_id,
    n.name,
    $name(NodeType, n.node_type) AS node_type,
    n.plugin,
    n.plugin_version,
    $name(Determinism, n.determinism) AS determinism,
    n.config,
    $hex(n.config_hash) AS config_hash,
    n.input_schema,
    n.output_schema,
    n.run_no
FROM runs u JOIN nodes n ON n.run_no = u.run_no
