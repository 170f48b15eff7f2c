//! What one record holds. Field names are the column names of the tables of the same name.

use std::sync::Arc;

use elspeth_canonical::ContentHash;

use crate::{
    BatchStatus, CallStatus, CallType, Determinism, EdgeMode, EdgeNo, EpochNo, ErrorReason, NodeId,
    NodeStateStatus, NodeType, OperationKind, OperationStatus, Outcome, ReleaseNo, RowIndex, Step, TokenKey,
    TriggerType,
};

/// A node of the registered graph.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeRecord {
    /// Position in topological order.
    pub step: Step,
    /// Deterministic id.
    pub node_id: NodeId,
    /// Name in the settings.
    pub name: String,
    /// What it is.
    pub node_type: NodeType,
    /// The plugin's name, or the built-in step's (`gate`, `coalesce`).
    pub plugin: String,
    /// The plugin's version.
    pub plugin_version: String,
    /// What its output depends on.
    pub determinism: Determinism,
    /// Canonical JSON of the node's resolved config, secrets as fingerprints.
    pub config: String,
    /// Hash of `config`.
    pub config_hash: ContentHash,
    /// JSON of the contract of what comes in; `null` text when there is none.
    pub input_schema: String,
    /// JSON of the contract of what goes out.
    pub output_schema: String,
}

/// An edge of the registered graph.
#[derive(Debug, Clone, PartialEq)]
pub struct EdgeRecord {
    /// Position in the edge list.
    pub edge: EdgeNo,
    /// Where from.
    pub from: Step,
    /// Where to.
    pub to: Step,
    /// `continue`, a route label, a branch name, `on_success`, `__quarantine__`, `__error_<name>__` or `__failsink__`.
    pub label: String,
    /// How tokens move along it.
    pub mode: EdgeMode,
}

/// One record that the source produced.
#[derive(Debug, Clone, PartialEq)]
pub struct RowRecord {
    /// Position in the source.
    pub row_index: RowIndex,
    /// Hash of the row after coercion, or of the raw record when it is invalid.
    pub source_data_hash: ContentHash,
    /// Microseconds from the start of the run to when it was read.
    pub read_us: i64,
    /// Whether it met the schema; when not, a [`ValidationErrorRecord`] says why.
    pub valid: bool,
}

/// One instance of a row travelling one path.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenRecord {
    /// Its number.
    pub token: TokenKey,
    /// The fork branch it travels.
    pub branch: Option<Arc<str>>,
    /// Ties the children of one fork, expansion or join together: of a child the number of its parent, of a merged token
    /// its own.
    pub group: Option<TokenKey>,
}

impl TokenRecord {
    /// A token that is on no branch and in no group.
    #[must_use]
    pub const fn plain(token: TokenKey) -> Self {
        Self { token, branch: None, group: None }
    }
}

/// A parent of a forked, expanded, merged or aggregated token.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenParentRecord {
    /// The child.
    pub token: TokenKey,
    /// The parent.
    pub parent: TokenKey,
    /// Position among the child's parents, from 0.
    pub ordinal: u32,
}

/// One attempt of one token at one node.
///
/// Hashes are stored only where they say something new: `input_hash` where the input is not the previous node's
/// output, `output_hash` where the node changed the row.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeStateRecord {
    /// Whose.
    pub token: TokenKey,
    /// Where.
    pub step: Step,
    /// Which attempt, from 0.
    pub attempt: u8,
    /// How far it got.
    pub status: NodeStateStatus,
    /// Hash of the input, when it is not the previous node's output.
    pub input_hash: Option<ContentHash>,
    /// Hash of the output, when the node changed the row.
    pub output_hash: Option<ContentHash>,
    /// Microseconds from the start of the run.
    pub started_us: i64,
    /// Microseconds.
    pub duration_us: i64,
    /// Microseconds that a rate limit kept it waiting before the node's work began, those before attempts of the same
    /// visit that failed included; 0 for most.
    pub waited_us: i64,
}

/// More about a node state, for the few that have more: success reason, merge details, waiting times. JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct StateContextRecord {
    /// Whose.
    pub token: TokenKey,
    /// Where.
    pub step: Step,
    /// Which attempt.
    pub attempt: u8,
    /// Canonical JSON.
    pub context: String,
}

/// One decision about where a token goes.
#[derive(Debug, Clone, PartialEq)]
pub struct RoutingEventRecord {
    /// Whose.
    pub token: TokenKey,
    /// Decided where.
    pub step: Step,
    /// In which attempt.
    pub attempt: u8,
    /// Position among the edges taken at once (forks), from 0.
    pub ordinal: u16,
    /// The edge taken; label, mode and target are the edge's.
    pub edge: EdgeNo,
    /// Why, when it is more than the node's condition and the edge's label say. JSON.
    pub reason: Option<String>,
}

/// One request to the outside.
#[derive(Debug, Clone, PartialEq)]
pub struct CallRecord {
    /// Number within the run, in canonical order.
    pub call_no: u64,
    /// Made for whom.
    pub token: TokenKey,
    /// At which node.
    pub step: Step,
    /// In which attempt.
    pub attempt: u8,
    /// Position among the calls of that state, from 0.
    pub call_index: u16,
    /// What it talked to.
    pub call_type: CallType,
    /// How it ended.
    pub status: CallStatus,
    /// Hash of the request.
    pub request_hash: ContentHash,
    /// Hash of the response, when there was one.
    pub response_hash: Option<ContentHash>,
    /// What went wrong.
    pub error: Option<ErrorReason>,
    /// Microseconds.
    pub latency_us: i64,
}

/// One source load or sink write.
#[derive(Debug, Clone, PartialEq)]
pub struct OperationRecord {
    /// The source's or sink's step.
    pub step: Step,
    /// For which epoch.
    pub epoch: EpochNo,
    /// Which kind.
    pub kind: OperationKind,
    /// How it ended.
    pub status: OperationStatus,
    /// Tries after which it ended, at least 1.
    pub attempts: u32,
    /// Microseconds from the start of the run.
    pub started_us: i64,
    /// Microseconds.
    pub duration_us: i64,
    /// What went wrong.
    pub error: Option<ErrorReason>,
}

/// A release: tokens that had waited at a node across rows went on from there, by the flush of a batch or by a merge of
/// branches that came with different rows. What happens to them from there on is part of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ReleaseRecord {
    /// Number within the run; that of the batch, and of the tokens that were made ([`TokenKey::of_batch`]).
    pub number: u64,
    /// The node that released.
    pub step: Step,
    /// The epoch in which it is recorded; its bodies are there.
    pub epoch: EpochNo,
    /// The row whose processing brought it about.
    pub row: RowIndex,
    /// Whether it came after that row instead, as the last one read: by a timer, or at the end of the source.
    pub after: bool,
}

/// One attempt to flush a batch of an aggregation.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchRecord {
    /// Number within the run.
    pub batch_no: u64,
    /// The aggregation.
    pub step: Step,
    /// Which attempt, from 0.
    pub attempt: u8,
    /// How far it got.
    pub status: BatchStatus,
    /// What made it flush.
    pub trigger: Option<TriggerType>,
    /// Why in words.
    pub reason: Option<String>,
}

/// A member of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchMemberRecord {
    /// The batch.
    pub batch_no: u64,
    /// Position in the batch, from 0.
    pub ordinal: u32,
    /// The member.
    pub token: TokenKey,
}

/// An output of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchOutputRecord {
    /// The batch.
    pub batch_no: u64,
    /// Position among the outputs, from 0.
    pub ordinal: u32,
    /// The output.
    pub token: TokenKey,
}

/// A thing that a sink produced.
#[derive(Debug, Clone, PartialEq)]
pub struct ArtifactRecord {
    /// The sink.
    pub step: Step,
    /// The epoch whose write produced it; the last epoch for what is published at the end.
    pub epoch: EpochNo,
    /// `file` or `table`.
    pub artifact_type: String,
    /// Path or URI.
    pub path: String,
    /// Hash of all content up to and including this write.
    pub content_hash: ContentHash,
    /// Bytes up to and including this write.
    pub size_bytes: u64,
    /// Rows up to and including this write.
    pub rows: u64,
    /// Same work, same key: `<run id>:<sink>:<epoch>`.
    pub idempotency_key: String,
}

/// What became of a token.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenOutcomeRecord {
    /// Whose.
    pub token: TokenKey,
    /// What.
    pub outcome: Outcome,
    /// The sink it reached.
    pub sink: Option<Step>,
    /// The fork, expansion, join group.
    pub group: Option<TokenKey>,
    /// The batch that absorbed it; of a branch that waited across rows for a merge which failed, the release that told so.
    pub batch_no: Option<ReleaseNo>,
    /// The step and attempt whose error ended its path, for quarantined, diverted, failed and error-routed tokens.
    pub error_at: Option<(Step, u8)>,
}

impl TokenOutcomeRecord {
    /// An outcome at a sink without an error.
    #[must_use]
    pub const fn at_sink(token: TokenKey, outcome: Outcome, sink: Step) -> Self {
        Self { token, outcome, sink: Some(sink), group: None, batch_no: None, error_at: None }
    }

    /// The number of the batch or release, when it tells one.
    #[must_use]
    pub fn release(&self) -> Option<u64> {
        self.batch_no.map(ReleaseNo::get)
    }
}

/// Why a source record did not meet the schema.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidationErrorRecord {
    /// Which record.
    pub row_index: RowIndex,
    /// Why.
    pub reason: ErrorReason,
    /// The sink it goes to; `None` for discard.
    pub destination: Option<Step>,
}

/// Why a node (transform, gate, aggregation, coalesce, sink) failed for a token.
#[derive(Debug, Clone, PartialEq)]
pub struct TransformErrorRecord {
    /// Whose.
    pub token: TokenKey,
    /// Where.
    pub step: Step,
    /// In which attempt.
    pub attempt: u8,
    /// Why.
    pub reason: ErrorReason,
    /// The sink it goes to; `None` for discard, or when another attempt follows.
    pub destination: Option<Step>,
}
