//! `node_states` and `sink_states`: attempts of tokens at nodes; the second holds those at sinks.

use elspeth_contracts::{NodeStateRecord, NodeStateStatus};
use elspeth_landscape::LandscapeError;

use crate::insert::{Table, Values, shape};
use crate::stored::{Origin, Stored};

pub(crate) struct NodeStates;
pub(crate) struct SinkStates;

const RETRIED: u8 = 1;
const NOT_COMPLETED: u8 = 2;
const HAS_OUTPUT: u8 = 4;
const HAS_INPUT: u8 = 8;
const WAITED: u8 = 16;

const COLUMNS: &[&str] = &["token", "step", "started_us", "duration_us"];
const UNUSUAL: &[&str] = &["attempt", "status", "output_hash", "input_hash", "waited_us"];

impl Table for NodeStates {
    type Record = NodeStateRecord;
    const NAME: &'static str = "node_states";
    const COLUMNS: &'static [&'static str] = COLUMNS;
    const UNUSUAL: &'static [&'static str] = UNUSUAL;

    fn needs(record: &NodeStateRecord) -> u8 {
        needs(record)
    }

    fn bind(record: &NodeStateRecord, shape: u8, values: &mut Values) {
        bind(record, shape, values);
    }
}

impl Table for SinkStates {
    type Record = NodeStateRecord;
    const NAME: &'static str = "sink_states";
    const COLUMNS: &'static [&'static str] = COLUMNS;
    const UNUSUAL: &'static [&'static str] = UNUSUAL;

    fn needs(record: &NodeStateRecord) -> u8 {
        needs(record)
    }

    fn bind(record: &NodeStateRecord, shape: u8, values: &mut Values) {
        bind(record, shape, values);
    }
}

fn needs(record: &NodeStateRecord) -> u8 {
    shape([
        record.attempt != 0,
        record.status != NodeStateStatus::Completed,
        record.output_hash.is_some(),
        record.input_hash.is_some(),
        record.waited_us != 0,
    ])
}

fn bind(record: &NodeStateRecord, shape: u8, values: &mut Values) {
    values.token(record.token).step(record.step).int(record.started_us).int(record.duration_us);
    if shape & RETRIED != 0 {
        values.int(i64::from(record.attempt));
    }
    if shape & NOT_COMPLETED != 0 {
        values.int(i64::from(record.status.code()));
    }
    if shape & HAS_OUTPUT != 0 {
        values.maybe_hash(record.output_hash.as_ref());
    }
    if shape & HAS_INPUT != 0 {
        values.maybe_hash(record.input_hash.as_ref());
    }
    if shape & WAITED != 0 {
        values.int(record.waited_us);
    }
}

impl NodeStates {
    pub(crate) const ORIGIN: Origin =
        Origin { table: "node_states", key: &["run_no", "token", "step", "attempt"] };

    /// A token's states, those at sinks included. The source's is implied by the row: `?3` is the row whose first
    /// token this is, or null.
    pub(crate) const SELECT: &'static str = "SELECT run_no, ?2 AS token, 0 AS step, 0 AS attempt,
        CASE valid WHEN 1 THEN 2 ELSE 3 END AS status, read_us AS started_us, 0 AS duration_us, 0 AS waited_us,
        CASE valid WHEN 1 THEN source_data_hash END AS output_hash, NULL AS input_hash
        FROM rows WHERE run_no = ?1 AND row_index = ?3
        UNION ALL
        SELECT run_no, token, step, attempt, status, started_us, duration_us, waited_us, output_hash, input_hash
        FROM node_states WHERE run_no = ?1 AND token = ?2
        UNION ALL
        SELECT run_no, token, step, attempt, status, started_us, duration_us, waited_us, output_hash, input_hash
        FROM sink_states WHERE run_no = ?1 AND token = ?2
        ORDER BY step, attempt";

    /// States of the tokens in the list `?2`, but for those at source and sinks.
    pub(crate) const SELECT_OF_EACH: &'static str =
        "SELECT run_no, token, step, attempt, status, started_us, duration_us,
        waited_us, output_hash, input_hash FROM node_states
        WHERE run_no = ?1 AND token IN (SELECT value FROM json_each(?2)) ORDER BY token, step, attempt";

    /// Tokens that a sink has taken, in row order.
    pub(crate) const SELECT_AT_SINK: &'static str = "SELECT run_no, token FROM sink_states
        WHERE run_no = ? AND step = ? AND status = 2 ORDER BY token LIMIT ?";

    pub(crate) fn read(stored: &Stored<'_>) -> Result<NodeStateRecord, LandscapeError> {
        Ok(NodeStateRecord {
            token: stored.token("token")?,
            step: stored.step("step")?,
            attempt: stored.number("attempt")?,
            status: stored.code("status", NodeStateStatus::from_code)?,
            input_hash: stored.maybe_hash("input_hash")?,
            output_hash: stored.maybe_hash("output_hash")?,
            started_us: stored.int("started_us")?,
            duration_us: stored.int("duration_us")?,
            waited_us: stored.int("waited_us")?,
        })
    }
}
