//! What one line of an export holds, for those records that have another form in memory than in the database.

use elspeth_canonical::{ContentHash, HashVersion};
use elspeth_contracts::{
    ArtifactRecord, EpochNo, ErrorReason, ExportStatus, Grade, Micros, OperationKind, OperationRecord,
    OperationStatus, Outcome, PurgeStatus, ReleaseNo, RowIndex, RunId, RunStatus, Step, TokenKey,
    TokenOutcomeRecord, TokenRecord,
};

use super::field::Bytes;
use crate::verify::{Effect, EpochRecord, PurgeRecord};
use crate::{Resumption, ResumptionRecord, RunRecord, SourceRecord};

/// A run, with everything that is stored of it.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the fields are the columns of `runs`, which docs/landscape.md describes")]
pub struct RunLine {
    pub run_id: RunId,
    pub status: RunStatus,
    pub started_at: Micros,
    pub completed_at: Option<Micros>,
    pub settings: String,
    pub settings_path: String,
    pub config_hash: ContentHash,
    pub hash_version: HashVersion,
    pub topology_hash: ContentHash,
    pub grade: Grade,
    pub engine_version: String,
    pub source_identity: String,
    pub field_resolution: String,
    pub schema_contract: String,
    pub export_status: ExportStatus,
    pub owner: String,
    pub heartbeat_at: Micros,
    pub error: Option<ErrorReason>,
    pub content_root: Option<ContentHash>,
    pub record_root: Option<ContentHash>,
    pub summary: Option<String>,
}

impl RunLine {
    /// Of a run and the counters that are kept with it.
    #[must_use]
    pub fn of(run: &RunRecord, summary: Option<String>) -> Self {
        Self {
            run_id: run.run_id,
            status: run.status,
            started_at: run.started_at,
            completed_at: run.completed_at,
            settings: run.settings.clone(),
            settings_path: run.settings_path.clone(),
            config_hash: run.config_hash,
            hash_version: run.hash_version,
            topology_hash: run.topology_hash,
            grade: run.grade,
            engine_version: run.engine_version.clone(),
            source_identity: run.source.identity.clone(),
            field_resolution: run.source.field_resolution.clone(),
            schema_contract: run.source.contract.clone(),
            export_status: run.export_status,
            owner: run.owner.clone(),
            heartbeat_at: run.heartbeat_at,
            error: run.error.clone(),
            content_root: run.content_root,
            record_root: run.record_root,
            summary,
        }
    }

    /// The run, as number `run_no` of a database with so many of its epochs.
    #[must_use]
    pub fn run(&self, run_no: i64, epochs: u64) -> RunRecord {
        RunRecord {
            run_no,
            run_id: self.run_id,
            status: self.status,
            started_at: self.started_at,
            completed_at: self.completed_at,
            settings: self.settings.clone(),
            settings_path: self.settings_path.clone(),
            config_hash: self.config_hash,
            hash_version: self.hash_version,
            topology_hash: self.topology_hash,
            grade: self.grade,
            engine_version: self.engine_version.clone(),
            export_status: self.export_status,
            source: SourceRecord {
                identity: self.source_identity.clone(),
                field_resolution: self.field_resolution.clone(),
                contract: self.schema_contract.clone(),
            },
            owner: self.owner.clone(),
            heartbeat_at: self.heartbeat_at,
            error: self.error.clone(),
            content_root: self.content_root,
            record_root: self.record_root,
            epochs,
        }
    }
}

/// A token.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the fields are the columns of `tokens`, which docs/landscape.md describes")]
pub struct TokenLine {
    pub token: TokenKey,
    pub branch: Option<String>,
    pub group_no: Option<TokenKey>,
}

impl From<TokenRecord> for TokenLine {
    fn from(TokenRecord { token, branch, group }: TokenRecord) -> Self {
        Self { token, branch: branch.map(|name| name.to_string()), group_no: group }
    }
}

impl From<TokenLine> for TokenRecord {
    fn from(TokenLine { token, branch, group_no }: TokenLine) -> Self {
        Self { token, branch: branch.map(Into::into), group: group_no }
    }
}

/// What became of a token.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the fields are the columns of `token_outcomes`")]
pub struct OutcomeLine {
    pub token: TokenKey,
    pub outcome: Outcome,
    pub sink: Option<Step>,
    pub error_step: Option<Step>,
    pub error_attempt: Option<u8>,
    pub group_no: Option<TokenKey>,
    pub batch_no: Option<u64>,
}

impl From<TokenOutcomeRecord> for OutcomeLine {
    fn from(record: TokenOutcomeRecord) -> Self {
        Self {
            token: record.token,
            outcome: record.outcome,
            sink: record.sink,
            error_step: record.error_at.map(|(step, _)| step),
            error_attempt: record.error_at.map(|(_, attempt)| attempt),
            group_no: record.group,
            batch_no: record.release(),
        }
    }
}

impl TryFrom<OutcomeLine> for TokenOutcomeRecord {
    type Error = String;

    fn try_from(line: OutcomeLine) -> Result<Self, String> {
        let error_at = match (line.error_step, line.error_attempt) {
            (Some(step), Some(attempt)) => Some((step, attempt)),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                return Err("`error_step` and `error_attempt` belong together".to_owned());
            }
        };
        Ok(Self {
            token: line.token,
            outcome: line.outcome,
            sink: line.sink,
            group: line.group_no,
            batch_no: match line.batch_no {
                Some(number) => Some(ReleaseNo::new(number).ok_or("`batch_no` is no number of a release")?),
                None => None,
            },
            error_at,
        })
    }
}

/// A source load or sink write.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the fields are the columns of `operations`")]
pub struct OperationLine {
    pub epoch: EpochNo,
    pub step: Step,
    pub ordinal: u64,
    pub kind: OperationKind,
    pub status: OperationStatus,
    pub attempts: u32,
    pub started_us: i64,
    pub duration_us: i64,
    pub published: bool,
    pub error: Option<ErrorReason>,
}

impl From<Effect<OperationRecord>> for OperationLine {
    fn from(Effect { ordinal, published, record }: Effect<OperationRecord>) -> Self {
        Self {
            epoch: record.epoch,
            step: record.step,
            ordinal,
            kind: record.kind,
            status: record.status,
            attempts: record.attempts,
            started_us: record.started_us,
            duration_us: record.duration_us,
            published,
            error: record.error,
        }
    }
}

impl From<OperationLine> for Effect<OperationRecord> {
    fn from(line: OperationLine) -> Self {
        let record = OperationRecord {
            step: line.step,
            epoch: line.epoch,
            kind: line.kind,
            status: line.status,
            attempts: line.attempts,
            started_us: line.started_us,
            duration_us: line.duration_us,
            error: line.error,
        };
        Self { ordinal: line.ordinal, published: line.published, record }
    }
}

/// A thing that a sink produced.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the fields are the columns of `artifacts`")]
pub struct ArtifactLine {
    pub epoch: EpochNo,
    pub step: Step,
    pub ordinal: u64,
    pub artifact_type: String,
    pub path: String,
    pub content_hash: ContentHash,
    pub size_bytes: u64,
    pub row_count: u64,
    pub idempotency_key: String,
    pub published: bool,
}

impl From<Effect<ArtifactRecord>> for ArtifactLine {
    fn from(Effect { ordinal, published, record }: Effect<ArtifactRecord>) -> Self {
        Self {
            epoch: record.epoch,
            step: record.step,
            ordinal,
            artifact_type: record.artifact_type,
            path: record.path,
            content_hash: record.content_hash,
            size_bytes: record.size_bytes,
            row_count: record.rows,
            idempotency_key: record.idempotency_key,
            published,
        }
    }
}

impl From<ArtifactLine> for Effect<ArtifactRecord> {
    fn from(line: ArtifactLine) -> Self {
        let record = ArtifactRecord {
            step: line.step,
            epoch: line.epoch,
            artifact_type: line.artifact_type,
            path: line.path,
            content_hash: line.content_hash,
            size_bytes: line.size_bytes,
            rows: line.row_count,
            idempotency_key: line.idempotency_key,
        };
        Self { ordinal: line.ordinal, published: line.published, record }
    }
}

/// An epoch, with its links of the chains.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the columns of `epochs`")]
pub struct EpochLine {
    pub epoch: EpochNo,
    pub first_row: Option<RowIndex>,
    pub last_row: Option<RowIndex>,
    pub row_count: u64,
    pub record_count: u64,
    pub started_at: Micros,
    pub decided_at: Micros,
    pub acted_at: Option<Micros>,
    pub chain_hash: ContentHash,
    pub acted_chain: Option<ContentHash>,
    pub content_root: ContentHash,
    pub continuation: ContentHash,
    pub positions: Bytes,
}

impl From<&EpochRecord> for EpochLine {
    fn from(record: &EpochRecord) -> Self {
        Self {
            epoch: record.epoch,
            first_row: record.rows.map(|(first, _)| first),
            last_row: record.rows.map(|(_, last)| last),
            row_count: record.row_count,
            record_count: record.record_count,
            started_at: record.started_at,
            decided_at: record.decided_at,
            acted_at: record.acted_at,
            chain_hash: record.chain_hash,
            acted_chain: record.acted_chain,
            content_root: record.content_root,
            continuation: record.continuation,
            positions: Bytes(record.positions.clone()),
        }
    }
}

impl TryFrom<EpochLine> for EpochRecord {
    type Error = String;

    fn try_from(line: EpochLine) -> Result<Self, String> {
        let rows = match (line.first_row, line.last_row) {
            (Some(first), Some(last)) => Some((first, last)),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                return Err("`first_row` and `last_row` belong together".to_owned());
            }
        };
        Ok(Self {
            epoch: line.epoch,
            rows,
            row_count: line.row_count,
            record_count: line.record_count,
            started_at: line.started_at,
            decided_at: line.decided_at,
            acted_at: line.acted_at,
            chain_hash: line.chain_hash,
            acted_chain: line.acted_chain,
            content_root: line.content_root,
            continuation: line.continuation,
            positions: line.positions.0,
        })
    }
}

/// From where a run would go on after an epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the columns of `checkpoints`")]
pub struct CheckpointLine {
    pub epoch: EpochNo,
    pub source_position: String,
    pub buffers: String,
    pub hash_state: String,
    pub pending: Bytes,
    pub intents_hash: ContentHash,
}

/// From where a sink would go on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the columns of `sink_positions`")]
pub struct SinkPositionLine {
    pub sink: Step,
    pub epoch: EpochNo,
    pub position: String,
}

/// What a sink is about to write.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the columns of `sink_intents`")]
pub struct SinkIntentLine {
    pub epoch: EpochNo,
    pub sink: Step,
    pub tokens: Vec<TokenKey>,
}

/// One time that the run was taken up.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the columns of `resumptions`")]
pub struct ResumptionLine {
    pub ordinal: u64,
    pub resumed_at: Micros,
    pub owner: String,
    pub owner_before: String,
    pub epoch: EpochNo,
    pub row_index: u64,
    pub engine_version: String,
    pub settings: Option<String>,
    pub accepted_source: Option<String>,
}

impl ResumptionLine {
    /// Of the resumption with that number.
    #[must_use]
    pub fn of(ordinal: u64, record: ResumptionRecord) -> Self {
        let ResumptionRecord { at, owner, owner_before, resumption } = record;
        Self {
            ordinal,
            resumed_at: at,
            owner,
            owner_before,
            epoch: resumption.epoch,
            row_index: resumption.row,
            engine_version: resumption.engine_version,
            settings: resumption.settings,
            accepted_source: resumption.accepted_source,
        }
    }
}

impl From<ResumptionLine> for ResumptionRecord {
    fn from(line: ResumptionLine) -> Self {
        Self {
            at: line.resumed_at,
            owner: line.owner,
            owner_before: line.owner_before,
            resumption: Resumption {
                epoch: line.epoch,
                row: line.row_index,
                engine_version: line.engine_version,
                settings: line.settings,
                accepted_source: line.accepted_source,
            },
        }
    }
}

/// A purge of the run's bodies.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the columns of `purges`")]
pub struct PurgeLine {
    pub purge_no: i64,
    pub status: PurgeStatus,
    pub requested_at: Micros,
    pub finished_at: Option<Micros>,
    pub older_than_days: Option<u32>,
    pub by_name: bool,
    pub payload_store: String,
    pub blocks: u64,
    pub block_bytes: u64,
    pub files: u64,
    pub file_bytes: u64,
    pub kept_files: u64,
}

impl From<PurgeRecord> for PurgeLine {
    fn from(record: PurgeRecord) -> Self {
        Self {
            purge_no: record.purge_no,
            status: record.status,
            requested_at: record.requested_at,
            finished_at: record.finished_at,
            older_than_days: record.older_than_days,
            by_name: record.by_name,
            payload_store: record.payload_store,
            blocks: record.blocks,
            block_bytes: record.block_bytes,
            files: record.files,
            file_bytes: record.file_bytes,
            kept_files: record.kept_files,
        }
    }
}

impl PurgeLine {
    /// The purge, with so many files that it has yet to remove.
    #[must_use]
    pub fn record(&self, files_left: u64) -> PurgeRecord {
        PurgeRecord {
            purge_no: self.purge_no,
            status: self.status,
            requested_at: self.requested_at,
            finished_at: self.finished_at,
            older_than_days: self.older_than_days,
            by_name: self.by_name,
            payload_store: self.payload_store.clone(),
            blocks: self.blocks,
            block_bytes: self.block_bytes,
            files: self.files,
            file_bytes: self.file_bytes,
            kept_files: self.kept_files,
            files_left,
        }
    }
}

/// A large body that an open purge has yet to remove.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the columns of `purge_files`")]
pub struct PurgeFileLine {
    pub purge_no: i64,
    pub hash: ContentHash,
}

/// An entry of the database's registry that tells of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the columns of `registry`")]
pub struct RegistryLine {
    pub number: u64,
    pub entry: String,
}

/// The packed bodies of an epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the columns of `bodies`")]
pub struct BodiesLine {
    pub epoch: EpochNo,
    pub block: Bytes,
}

/// A file of the payload store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadLine {
    /// Its name there: the BLAKE3 digest of its content.
    pub hash: ContentHash,
    /// What is in it.
    pub content: Bytes,
}
