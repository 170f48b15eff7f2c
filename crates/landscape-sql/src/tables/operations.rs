//! `operations`: source loads and sink writes.

use elspeth_contracts::OperationRecord;

use crate::insert::Group;
use crate::stored::{Origin, reason_json};

pub(crate) struct Operations;

impl Operations {
    /// Several operations of one node in one epoch are numbered as they come. What comes after commit B of its epoch
    /// is the publication.
    const INSERT: &'static str = "INSERT INTO operations(run_no, epoch, step, kind, status, attempts, started_us,
        duration_us, error, ordinal, published)
        SELECT *, (SELECT count(*) FROM operations o WHERE (o.run_no, o.epoch, o.step) = (v.run_no, v.epoch, v.step)),
        CASE WHEN EXISTS (SELECT 1 FROM epochs e WHERE (e.run_no, e.epoch) = (v.run_no, v.epoch)
            AND e.acted_at IS NOT NULL) THEN 1 ELSE 0 END
        FROM (SELECT ? AS run_no, ? AS epoch, ? AS step, ?, ?, ?, ?, ?, ?) AS v";

    pub(crate) const ORIGIN: Origin =
        Origin { table: "operations", key: &["run_no", "epoch", "step", "ordinal"] };

    /// Sinks whose publication was recorded as completed. A run without epochs has none that could be marked.
    pub(crate) const SELECT_PUBLISHED: &'static str = "SELECT DISTINCT o.run_no, o.step FROM operations o
        WHERE o.run_no = ? AND o.kind = 1 AND o.status = 1
            AND (o.published = 1 OR NOT EXISTS (SELECT 1 FROM epochs e WHERE (e.run_no, e.epoch) = (o.run_no, o.epoch)))
        ORDER BY o.step";

    pub(crate) fn insert(group: &mut Group, run_no: i64, records: &[OperationRecord]) {
        for record in records {
            group
                .then(Self::INSERT)
                .int(run_no)
                .unsigned(record.epoch.0)
                .step(record.step)
                .int(i64::from(record.kind.code()))
                .int(i64::from(record.status.code()))
                .int(i64::from(record.attempts))
                .int(record.started_us)
                .int(record.duration_us)
                .maybe_text(record.error.as_ref().map(reason_json).as_deref());
        }
    }
}
