//! `batch_members` and `batch_outputs`: tokens that batches took, and tokens that came of them.

use elspeth_contracts::{BatchMemberRecord, BatchOutputRecord};
use elspeth_landscape::LandscapeError;

use crate::insert::{Table, Values};
use crate::stored::{Origin, Stored};

pub(crate) struct BatchMembers;
pub(crate) struct BatchOutputs;

const COLUMNS: &[&str] = &["batch_no", "ordinal", "token"];
const KEY: &[&str] = &["run_no", "batch_no", "ordinal"];

impl Table for BatchMembers {
    type Record = BatchMemberRecord;
    const NAME: &'static str = "batch_members";
    const COLUMNS: &'static [&'static str] = COLUMNS;

    fn bind(record: &BatchMemberRecord, _shape: u8, values: &mut Values) {
        values.unsigned(record.batch_no).int(i64::from(record.ordinal)).token(record.token);
    }
}

impl Table for BatchOutputs {
    type Record = BatchOutputRecord;
    const NAME: &'static str = "batch_outputs";
    const COLUMNS: &'static [&'static str] = COLUMNS;

    fn bind(record: &BatchOutputRecord, _shape: u8, values: &mut Values) {
        values.unsigned(record.batch_no).int(i64::from(record.ordinal)).token(record.token);
    }
}

impl BatchMembers {
    pub(crate) const ORIGIN: Origin = Origin { table: "batch_members", key: KEY };

    /// Members of one batch from a position on.
    pub(crate) const SELECT: &'static str = "SELECT run_no, batch_no, ordinal, token FROM batch_members
        WHERE run_no = ? AND batch_no = ? AND ordinal >= ? ORDER BY ordinal LIMIT ?";
    pub(crate) const COUNT: &'static str =
        "SELECT count(*) AS tokens FROM batch_members WHERE run_no = ? AND batch_no = ?";
    /// What tokens of a range of numbers are members of. There is no index by token: it would cost every run for what
    /// only `explain` asks, which can wait for one pass through the run's members.
    pub(crate) const SELECT_BY_TOKEN: &'static str =
        "SELECT run_no, batch_no, ordinal, token FROM batch_members
        WHERE run_no = ? AND token BETWEEN ? AND ? ORDER BY token, batch_no, ordinal";

    /// The same of the tokens in the list `?2`.
    pub(crate) const SELECT_OF_EACH: &'static str =
        "SELECT run_no, batch_no, ordinal, token FROM batch_members
        WHERE run_no = ?1 AND token IN (SELECT value FROM json_each(?2)) ORDER BY token, batch_no, ordinal";

    pub(crate) fn read(stored: &Stored<'_>) -> Result<BatchMemberRecord, LandscapeError> {
        Ok(BatchMemberRecord {
            batch_no: stored.unsigned("batch_no")?,
            ordinal: stored.number("ordinal")?,
            token: stored.token("token")?,
        })
    }
}

impl BatchOutputs {
    pub(crate) const ORIGIN: Origin = Origin { table: "batch_outputs", key: KEY };

    /// Outputs of one batch from a position on.
    pub(crate) const SELECT: &'static str = "SELECT run_no, batch_no, ordinal, token FROM batch_outputs
        WHERE run_no = ? AND batch_no = ? AND ordinal >= ? ORDER BY ordinal LIMIT ?";
    pub(crate) const COUNT: &'static str =
        "SELECT count(*) AS tokens FROM batch_outputs WHERE run_no = ? AND batch_no = ?";
    /// A batch's output by its token.
    pub(crate) const SELECT_BY_TOKEN: &'static str =
        "SELECT run_no, batch_no, ordinal, token FROM batch_outputs
        WHERE run_no = ? AND batch_no = ? AND token = ?";

    pub(crate) fn read(stored: &Stored<'_>) -> Result<BatchOutputRecord, LandscapeError> {
        Ok(BatchOutputRecord {
            batch_no: stored.unsigned("batch_no")?,
            ordinal: stored.number("ordinal")?,
            token: stored.token("token")?,
        })
    }
}
