//! `nodes`: the registered graph's nodes.

use elspeth_contracts::{Determinism, NodeId, NodeRecord, NodeType};
use elspeth_landscape::LandscapeError;

use crate::insert::{Table, Values};
use crate::stored::{Origin, Stored};

pub(crate) struct Nodes;

impl Table for Nodes {
    type Record = NodeRecord;
    const NAME: &'static str = "nodes";
    const COLUMNS: &'static [&'static str] = &[
        "step",
        "node_id",
        "name",
        "node_type",
        "plugin",
        "plugin_version",
        "determinism",
        "config",
        "config_hash",
        "input_schema",
        "output_schema",
    ];

    fn bind(record: &NodeRecord, _shape: u8, values: &mut Values) {
        values
            .step(record.step)
            .text(&record.node_id.0)
            .text(&record.name)
            .int(i64::from(record.node_type.code()))
            .text(&record.plugin)
            .text(&record.plugin_version)
            .int(i64::from(record.determinism.code()))
            .text(&record.config)
            .hash(&record.config_hash)
            .text(&record.input_schema)
            .text(&record.output_schema);
    }
}

impl Nodes {
    pub(crate) const ORIGIN: Origin = Origin { table: "nodes", key: &["run_no", "step"] };

    pub(crate) const SELECT: &'static str = "SELECT run_no, step, node_id, name, node_type, plugin, plugin_version,
        determinism, config, config_hash, input_schema, output_schema FROM nodes WHERE run_no = ? ORDER BY step";

    pub(crate) fn read(stored: &Stored<'_>) -> Result<NodeRecord, LandscapeError> {
        Ok(NodeRecord {
            step: stored.step("step")?,
            node_id: NodeId(stored.text("node_id")?),
            name: stored.text("name")?,
            node_type: stored.code("node_type", NodeType::from_code)?,
            plugin: stored.text("plugin")?,
            plugin_version: stored.text("plugin_version")?,
            determinism: stored.code("determinism", Determinism::from_code)?,
            config: stored.text("config")?,
            config_hash: stored.hash("config_hash")?,
            input_schema: stored.text("input_schema")?,
            output_schema: stored.text("output_schema")?,
        })
    }
}
