//! `artifacts`: what sinks produced.

use elspeth_contracts::ArtifactRecord;
use elspeth_landscape::LandscapeError;

use crate::insert::{Statement, Values};
use crate::stored::{Origin, Stored};

pub(crate) struct Artifacts;

impl Artifacts {
    pub(crate) const ORIGIN: Origin =
        Origin { table: "artifacts", key: &["run_no", "epoch", "step", "ordinal"] };

    /// Several artifacts of one sink in one epoch are numbered as they come. What comes after commit B of its epoch
    /// is the publication.
    const INSERT: &'static str =
        "INSERT INTO artifacts(run_no, epoch, step, ordinal, published, artifact_type, path,
        content_hash, size_bytes, row_count, idempotency_key)
        VALUES(?1, ?2, ?3,
        (SELECT count(*) FROM artifacts WHERE run_no = ?1 AND epoch = ?2 AND step = ?3),
        EXISTS (SELECT 1 FROM epochs WHERE run_no = ?1 AND epoch = ?2 AND acted_at IS NOT NULL),
        ?4, ?5, ?6, ?7, ?8, ?9)";

    /// The newest artifact of each sink and path.
    pub(crate) const SELECT_NEWEST: &'static str = "SELECT run_no, epoch, step, ordinal, artifact_type, path,
        content_hash, size_bytes, row_count, idempotency_key FROM (
            SELECT *, row_number() OVER (PARTITION BY step, path ORDER BY epoch DESC, ordinal DESC) AS age
            FROM artifacts WHERE run_no = ?) AS aged
        WHERE age = 1 ORDER BY step, path";

    pub(crate) fn insert(run_no: i64, records: &[ArtifactRecord]) -> Vec<Statement> {
        records.iter().map(|record| Self::insert_one(run_no, record)).collect()
    }

    fn insert_one(run_no: i64, record: &ArtifactRecord) -> Statement {
        let mut values = Values::default();
        values
            .int(run_no)
            .unsigned(record.epoch.0)
            .step(record.step)
            .text(&record.artifact_type)
            .text(&record.path)
            .hash(&record.content_hash)
            .unsigned(record.size_bytes)
            .unsigned(record.rows)
            .text(&record.idempotency_key);
        Statement::fixed(Self::INSERT, values)
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
