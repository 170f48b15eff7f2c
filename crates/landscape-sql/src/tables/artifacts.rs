//! `artifacts`: what sinks produced.

use elspeth_contracts::ArtifactRecord;
use elspeth_landscape::LandscapeError;

use crate::insert::Group;
use crate::stored::{Origin, Stored};

pub(crate) struct Artifacts;

impl Artifacts {
    pub(crate) const ORIGIN: Origin =
        Origin { table: "artifacts", key: &["run_no", "epoch", "step", "ordinal"] };

    /// Several artifacts of one sink in one epoch are numbered as they come. What comes after commit B of its epoch
    /// is the publication.
    const INSERT: &'static str = "INSERT INTO artifacts(run_no, epoch, step, artifact_type, path, content_hash,
        size_bytes, row_count, idempotency_key, ordinal, published)
        SELECT *, (SELECT count(*) FROM artifacts a WHERE (a.run_no, a.epoch, a.step) = (v.run_no, v.epoch, v.step)),
        CASE WHEN EXISTS (SELECT 1 FROM epochs e WHERE (e.run_no, e.epoch) = (v.run_no, v.epoch)
            AND e.acted_at IS NOT NULL) THEN 1 ELSE 0 END
        FROM (SELECT ? AS run_no, ? AS epoch, ? AS step, ?, ?, ?, ?, ?, ?) AS v";

    /// The newest artifact of each sink and path.
    pub(crate) const SELECT_NEWEST: &'static str = "SELECT run_no, epoch, step, ordinal, artifact_type, path,
        content_hash, size_bytes, row_count, idempotency_key FROM (
            SELECT *, row_number() OVER (PARTITION BY step, path ORDER BY epoch DESC, ordinal DESC) AS age
            FROM artifacts WHERE run_no = ?) AS aged
        WHERE age = 1 ORDER BY step, path";

    pub(crate) fn insert(group: &mut Group, run_no: i64, records: &[ArtifactRecord]) {
        for record in records {
            group
                .then(Self::INSERT)
                .int(run_no)
                .unsigned(record.epoch.0)
                .step(record.step)
                .text(&record.artifact_type)
                .text(&record.path)
                .hash(&record.content_hash)
                .unsigned(record.size_bytes)
                .unsigned(record.rows)
                .text(&record.idempotency_key);
        }
    }

    pub(crate) fn read(stored: &Stored<'_>) -> Result<ArtifactRecord, LandscapeError> {
        Ok(ArtifactRecord {
            step: stored.step("step")?,
            epoch: stored.epoch("epoch")?,
            artifact_type: stored.text("artifact_type")?,
            path: stored.text("path")?,
            content_hash: stored.hash("content_hash")?,
            size_bytes: stored.unsigned("size_bytes")?,
            rows: stored.unsigned("row_count")?,
            idempotency_key: stored.text("idempotency_key")?,
        })
    }
}
