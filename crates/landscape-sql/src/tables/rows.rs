//! `rows`: the records that the source produced.

use elspeth_contracts::{EpochNo, RowRecord};
use elspeth_landscape::LandscapeError;

use crate::insert::{Table, Values, shape};
use crate::stored::{Origin, Stored};

pub(crate) struct Rows;

const NOT_VALID: u8 = 1;

impl Table for Rows {
    type Record = RowRecord;
    const NAME: &'static str = "rows";
    const COLUMNS: &'static [&'static str] = &["row_index", "source_data_hash", "read_us"];
    const UNUSUAL: &'static [&'static str] = &["valid"];

    fn needs(record: &RowRecord) -> u8 {
        shape([!record.valid])
    }

    fn bind(record: &RowRecord, shape: u8, values: &mut Values) {
        values.unsigned(record.row_index.get()).hash(&record.source_data_hash).int(record.read_us);
        if shape & NOT_VALID != 0 {
            values.int(i64::from(record.valid));
        }
    }
}

impl Rows {
    pub(crate) const ORIGIN: Origin = Origin { table: "rows", key: &["run_no", "row_index"] };

    /// One row with the epoch that has it.
    pub(crate) const SELECT: &'static str =
        "SELECT r.run_no, r.row_index, r.source_data_hash, r.read_us, r.valid,
        (SELECT e.epoch FROM epochs e WHERE e.run_no = r.run_no AND e.first_row <= r.row_index
         ORDER BY e.first_row DESC LIMIT 1) AS epoch
        FROM rows r WHERE r.run_no = ? AND r.row_index = ?";

    /// The rows of the list `?2`, in the same form.
    pub(crate) const SELECT_OF_EACH: &'static str =
        "SELECT r.run_no, r.row_index, r.source_data_hash, r.read_us, r.valid,
        (SELECT e.epoch FROM epochs e WHERE e.run_no = r.run_no AND e.first_row <= r.row_index
         ORDER BY e.first_row DESC LIMIT 1) AS epoch
        FROM rows r WHERE r.run_no = ?1 AND r.row_index IN (SELECT value FROM json_each(?2)) ORDER BY r.row_index";

    pub(crate) fn read(stored: &Stored<'_>) -> Result<(RowRecord, EpochNo), LandscapeError> {
        let record = RowRecord {
            row_index: stored.row_index("row_index")?,
            source_data_hash: stored.hash("source_data_hash")?,
            read_us: stored.int("read_us")?,
            valid: stored.flag("valid")?,
        };
        Ok((record, stored.epoch("epoch")?))
    }
}
