//! `validation_errors`: why source records were refused.

use elspeth_contracts::ValidationErrorRecord;
use elspeth_landscape::LandscapeError;

use crate::insert::{Table, Values};
use crate::stored::{Origin, Stored, reason_json};

pub(crate) struct ValidationErrors;

impl Table for ValidationErrors {
    type Record = ValidationErrorRecord;
    const NAME: &'static str = "validation_errors";
    const COLUMNS: &'static [&'static str] = &["row_index", "destination", "reason"];

    fn bind(record: &ValidationErrorRecord, _shape: u8, values: &mut Values) {
        values
            .unsigned(record.row_index.get())
            .maybe_step(record.destination)
            .text(&reason_json(&record.reason));
    }
}

impl ValidationErrors {
    pub(crate) const ORIGIN: Origin = Origin { table: "validation_errors", key: &["run_no", "row_index"] };

    pub(crate) const SELECT: &'static str =
        "SELECT run_no, row_index, destination, reason FROM validation_errors
        WHERE run_no = ? AND row_index = ?";

    pub(crate) fn read(stored: &Stored<'_>) -> Result<ValidationErrorRecord, LandscapeError> {
        Ok(ValidationErrorRecord {
            row_index: stored.row_index("row_index")?,
            reason: stored.reason("reason")?,
            destination: stored.maybe_step("destination")?,
        })
    }
}
