//! `batches`: attempts to flush batches.

use elspeth_contracts::{BatchRecord, BatchStatus, TriggerType};
use elspeth_landscape::LandscapeError;

use crate::insert::{Table, Values, shape};
use crate::stored::{Origin, Stored};

pub(crate) struct Batches;

const RETRIED: u8 = 1;
const HAS_REASON: u8 = 2;

impl Table for Batches {
    type Record = BatchRecord;
    const NAME: &'static str = "batches";
    const COLUMNS: &'static [&'static str] = &["batch_no", "step", "status", "trigger_type"];
    const UNUSUAL: &'static [&'static str] = &["attempt", "reason"];

    fn needs(record: &BatchRecord) -> u8 {
        shape([record.attempt != 0, record.reason.is_some()])
    }

    fn bind(record: &BatchRecord, shape: u8, values: &mut Values) {
        values
            .unsigned(record.batch_no)
            .step(record.step)
            .int(i64::from(record.status.code()))
            .maybe_int(record.trigger.map(|trigger| i64::from(trigger.code())));
        if shape & RETRIED != 0 {
            values.int(i64::from(record.attempt));
        }
        if shape & HAS_REASON != 0 {
            values.maybe_text(record.reason.as_deref());
        }
    }
}

impl Batches {
    pub(crate) const ORIGIN: Origin = Origin { table: "batches", key: &["run_no", "batch_no", "attempt"] };

    /// Every attempt of one batch.
    pub(crate) const SELECT: &'static str =
        "SELECT run_no, batch_no, attempt, step, status, trigger_type, reason
        FROM batches WHERE run_no = ? AND batch_no = ? ORDER BY attempt";

    pub(crate) fn read(stored: &Stored<'_>) -> Result<BatchRecord, LandscapeError> {
        Ok(BatchRecord {
            batch_no: stored.unsigned("batch_no")?,
            step: stored.step("step")?,
            attempt: stored.number("attempt")?,
            status: stored.code("status", BatchStatus::from_code)?,
            trigger: stored.maybe_code("trigger_type", TriggerType::from_code)?,
            reason: stored.maybe_text("reason")?,
        })
    }
}
