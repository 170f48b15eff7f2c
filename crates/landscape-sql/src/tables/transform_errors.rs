//! `transform_errors`: why nodes failed for tokens.

use elspeth_contracts::TransformErrorRecord;
use elspeth_landscape::LandscapeError;

use crate::insert::{Table, Values};
use crate::stored::{Origin, Stored, reason_json};

pub(crate) struct TransformErrors;

impl Table for TransformErrors {
    type Record = TransformErrorRecord;
    const NAME: &'static str = "transform_errors";
    const COLUMNS: &'static [&'static str] = &["token", "step", "attempt", "destination", "reason"];

    fn bind(record: &TransformErrorRecord, _shape: u8, values: &mut Values) {
        values
            .token(record.token)
            .step(record.step)
            .int(i64::from(record.attempt))
            .maybe_step(record.destination)
            .text(&reason_json(&record.reason));
    }
}

impl TransformErrors {
    pub(crate) const ORIGIN: Origin =
        Origin { table: "transform_errors", key: &["run_no", "token", "step", "attempt"] };

    pub(crate) const SELECT: &'static str = "SELECT run_no, token, step, attempt, destination, reason
        FROM transform_errors WHERE run_no = ? AND token = ? ORDER BY step, attempt";

    pub(crate) fn read(stored: &Stored<'_>) -> Result<TransformErrorRecord, LandscapeError> {
        Ok(TransformErrorRecord {
            token: stored.token("token")?,
            step: stored.step("step")?,
            attempt: stored.number("attempt")?,
            reason: stored.reason("reason")?,
            destination: stored.maybe_step("destination")?,
        })
    }
}
