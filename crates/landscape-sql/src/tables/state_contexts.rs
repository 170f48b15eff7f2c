//! `state_contexts`: more about a few node states.

use elspeth_contracts::StateContextRecord;

use crate::insert::{Table, Values};

pub(crate) struct StateContexts;

impl Table for StateContexts {
    type Record = StateContextRecord;
    const NAME: &'static str = "state_contexts";
    const COLUMNS: &'static [&'static str] = &["token", "step", "attempt", "context"];

    fn bind(record: &StateContextRecord, _shape: u8, values: &mut Values) {
        values.token(record.token).step(record.step).int(i64::from(record.attempt)).text(&record.context);
    }
}
