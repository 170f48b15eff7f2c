//! `operations`: source loads and sink writes.

use elspeth_contracts::OperationRecord;

use crate::insert::{Statement, Values};
use crate::stored::reason_json;

pub(crate) struct Operations;

impl Operations {
    /// Several operations of one node in one epoch are numbered as they come. What comes after commit B of its epoch
    /// is the publication.
    const INSERT: &'static str =
        "INSERT INTO operations(run_no, epoch, step, ordinal, published, kind, status,
        attempts, started_us, duration_us, error)
        VALUES(?1, ?2, ?3,
        (SELECT count(*) FROM operations WHERE run_no = ?1 AND epoch = ?2 AND step = ?3),
        EXISTS (SELECT 1 FROM epochs WHERE run_no = ?1 AND epoch = ?2 AND acted_at IS NOT NULL),
        ?4, ?5, ?6, ?7, ?8, ?9)";

    pub(crate) fn insert(run_no: i64, records: &[OperationRecord]) -> Vec<Statement> {
        records.iter().map(|record| Self::insert_one(run_no, record)).collect()
    }

    fn insert_one(run_no: i64, record: &OperationRecord) -> Statement {
        let mut values = Values::default();
        values
            .int(run_no)
            .unsigned(record.epoch.0)
            .step(record.step)
            .int(i64::from(record.kind.code()))
            .int(i64::from(record.status.code()))
            .int(i64::from(record.attempts))
            .int(record.started_us)
            .int(record.duration_us)
            .maybe_text(record.error.as_ref().map(reason_json).as_deref());
        Statement::fixed(Self::INSERT, values)
    }
}
