//! `state_contexts`: more about a few node states.

use elspeth_contracts::StateContextRecord;
use elspeth_landscape::LandscapeError;

use crate::insert::{Table, Values};
use crate::stored::{Origin, Stored};

pub(crate) struct StateContexts;

impl Table for StateContexts {
    type Record = StateContextRecord;
    const NAME: &'static str = "state_contexts";
    const COLUMNS: &'static [&'static str] = &["token", "step", "attempt", "context"];

    fn bind(record: &StateContextRecord, _shape: u8, values: &mut Values) {
        values.token(record.token).step(record.step).int(i64::from(record.attempt)).text(&record.context);
    }
}

impl StateContexts {
    pub(crate) const ORIGIN: Origin =
        Origin { table: "state_contexts", key: &["run_no", "token", "step", "attempt"] };

    pub(crate) const SELECT: &'static str = "SELECT run_no, token, step, attempt, context
        FROM state_contexts WHERE run_no = ? AND token = ? ORDER BY step, attempt";

    pub(crate) fn read(stored: &Stored<'_>) -> Result<StateContextRecord, LandscapeError> {
        Ok(StateContextRecord {
            token: stored.token("token")?,
            step: stored.step("step")?,
            attempt: stored.number("attempt")?,
            context: stored.text("context")?,
        })
    }
}
