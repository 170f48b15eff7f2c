//! `routing_events`: decisions about where tokens go.

use elspeth_contracts::RoutingEventRecord;
use elspeth_landscape::LandscapeError;

use crate::insert::{Table, Values, shape};
use crate::stored::{Origin, Stored};

pub(crate) struct RoutingEvents;

const RETRIED: u8 = 1;
const ONE_OF_MANY: u8 = 2;
const HAS_REASON: u8 = 4;

impl Table for RoutingEvents {
    type Record = RoutingEventRecord;
    const NAME: &'static str = "routing_events";
    const COLUMNS: &'static [&'static str] = &["token", "step", "edge"];
    const UNUSUAL: &'static [&'static str] = &["attempt", "ordinal", "reason"];

    fn needs(record: &RoutingEventRecord) -> u8 {
        shape([record.attempt != 0, record.ordinal != 0, record.reason.is_some()])
    }

    fn bind(record: &RoutingEventRecord, shape: u8, values: &mut Values) {
        values.token(record.token).step(record.step).int(i64::from(record.edge.0));
        if shape & RETRIED != 0 {
            values.int(i64::from(record.attempt));
        }
        if shape & ONE_OF_MANY != 0 {
            values.int(i64::from(record.ordinal));
        }
        if shape & HAS_REASON != 0 {
            values.maybe_text(record.reason.as_deref());
        }
    }
}

impl RoutingEvents {
    pub(crate) const ORIGIN: Origin =
        Origin { table: "routing_events", key: &["run_no", "token", "step", "attempt", "ordinal"] };

    pub(crate) const SELECT: &'static str = "SELECT run_no, token, step, attempt, ordinal, edge, reason
        FROM routing_events WHERE run_no = ? AND token = ? ORDER BY step, attempt, ordinal";

    pub(crate) fn read(stored: &Stored<'_>) -> Result<RoutingEventRecord, LandscapeError> {
        Ok(RoutingEventRecord {
            token: stored.token("token")?,
            step: stored.step("step")?,
            attempt: stored.number("attempt")?,
            ordinal: stored.number("ordinal")?,
            edge: stored.edge("edge")?,
            reason: stored.maybe_text("reason")?,
        })
    }
}
