//! `releases`: what let tokens go on that had waited across rows.

use elspeth_contracts::ReleaseRecord;
use elspeth_landscape::LandscapeError;

use crate::insert::{Table, Values, shape};
use crate::stored::{Origin, Stored};

pub(crate) struct Releases;

const AFTER: u8 = 1;

impl Table for Releases {
    type Record = ReleaseRecord;
    const NAME: &'static str = "releases";
    const COLUMNS: &'static [&'static str] = &["number", "step", "epoch", "row_index"];
    const UNUSUAL: &'static [&'static str] = &["after"];

    fn needs(record: &ReleaseRecord) -> u8 {
        shape([record.after])
    }

    fn bind(record: &ReleaseRecord, shape: u8, values: &mut Values) {
        values.unsigned(record.number).step(record.step).unsigned(record.epoch.0).unsigned(record.row.get());
        if shape & AFTER != 0 {
            values.int(i64::from(record.after));
        }
    }
}

impl Releases {
    pub(crate) const ORIGIN: Origin = Origin { table: "releases", key: &["run_no", "number"] };

    pub(crate) const SELECT: &'static str =
        "SELECT run_no, number, step, epoch, row_index, after FROM releases
        WHERE run_no = ? AND number = ?";

    /// Those with numbers in the list `?2`.
    pub(crate) const SELECT_OF_EACH: &'static str =
        "SELECT run_no, number, step, epoch, row_index, after FROM releases
        WHERE run_no = ?1 AND number IN (SELECT value FROM json_each(?2)) ORDER BY number";
    /// How many each node has made.
    pub(crate) const SELECT_COUNTS: &'static str = "SELECT run_no, step, count(*) AS releases FROM releases WHERE run_no = ? GROUP BY run_no, step ORDER BY step";

    pub(crate) fn read(stored: &Stored<'_>) -> Result<ReleaseRecord, LandscapeError> {
        Ok(ReleaseRecord {
            number: stored.unsigned("number")?,
            step: stored.step("step")?,
            epoch: stored.epoch("epoch")?,
            row: stored.row_index("row_index")?,
            after: stored.flag("after")?,
        })
    }
}
