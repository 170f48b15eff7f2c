//! `edges`: the registered graph's edges.

use elspeth_contracts::{EdgeMode, EdgeRecord};
use elspeth_landscape::LandscapeError;

use crate::insert::{Table, Values};
use crate::stored::{Origin, Stored};

pub(crate) struct Edges;

impl Table for Edges {
    type Record = EdgeRecord;
    const NAME: &'static str = "edges";
    const COLUMNS: &'static [&'static str] = &["edge", "from_step", "to_step", "label", "mode"];

    fn bind(record: &EdgeRecord, _shape: u8, values: &mut Values) {
        values
            .int(i64::from(record.edge.0))
            .step(record.from)
            .step(record.to)
            .text(&record.label)
            .int(i64::from(record.mode.code()));
    }
}

impl Edges {
    pub(crate) const ORIGIN: Origin = Origin { table: "edges", key: &["run_no", "edge"] };

    pub(crate) const SELECT: &'static str =
        "SELECT run_no, edge, from_step, to_step, label, mode FROM edges WHERE run_no = ? ORDER BY edge";

    pub(crate) fn read(stored: &Stored<'_>) -> Result<EdgeRecord, LandscapeError> {
        Ok(EdgeRecord {
            edge: stored.edge("edge")?,
            from: stored.step("from_step")?,
            to: stored.step("to_step")?,
            label: stored.text("label")?,
            mode: stored.code("mode", EdgeMode::from_code)?,
        })
    }
}
