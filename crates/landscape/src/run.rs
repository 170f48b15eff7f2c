use std::collections::BTreeMap;

use elspeth_canonical::{ContentHash, HashVersion};
use elspeth_contracts::{
    EdgeRecord, EpochNo, ErrorReason, ExportStatus, Grade, Micros, NodeRecord, RowIndex, RunId, RunStatus,
    Step, TokenKey,
};
use serde::Serialize;

/// What is known of a run when it begins.
#[derive(Debug, Clone)]
pub struct RunStart {
    /// Its id.
    pub run_id: RunId,
    /// When.
    pub started_at: Micros,
    /// JSON of the resolved settings in their order, secrets as fingerprints.
    pub settings: String,
    /// Where they were read from.
    pub settings_path: String,
    /// Hash of `settings`.
    pub config_hash: ContentHash,
    /// The digest of this run.
    pub hash_version: HashVersion,
    /// Hash of every node and edge.
    pub topology_hash: ContentHash,
    /// How much can be reproduced.
    pub grade: Grade,
    /// Version of this program.
    pub engine_version: String,
    /// Who writes it: host, process id and a random part; for the lease.
    pub owner: String,
    /// The graph's nodes, in step order.
    pub nodes: Vec<NodeRecord>,
    /// The graph's edges, in edge order.
    pub edges: Vec<EdgeRecord>,
    /// What is known of the source after opening it.
    pub source: SourceRecord,
}

/// The source, as the record knows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceRecord {
    /// JSON of its identity: location, size, bytes read, hash of what was read.
    pub identity: String,
    /// JSON of how headers became field names.
    pub field_resolution: String,
    /// JSON of the contract of its rows, as declared or learnt.
    pub contract: String,
}

/// How a run ends.
#[derive(Debug, Clone)]
pub struct RunSeal {
    /// When.
    pub completed_at: Micros,
    /// As what. Never `Running`.
    pub status: RunStatus,
    /// Why, when it failed.
    pub error: Option<ErrorReason>,
    /// The source, now that it was read.
    pub source: SourceRecord,
    /// Hash of everything but time, duration, host and run id; set by the [`crate::Recorder`].
    pub content_root: Option<ContentHash>,
    /// Hash of everything; set by the [`crate::Recorder`].
    pub record_root: Option<ContentHash>,
}

/// A run as it is stored.
#[derive(Debug, Clone)]
pub struct RunRecord {
    /// Its number in this database.
    pub run_no: i64,
    /// Its id.
    pub run_id: RunId,
    /// How far it got.
    pub status: RunStatus,
    /// When it began.
    pub started_at: Micros,
    /// When it ended.
    pub completed_at: Option<Micros>,
    /// Resolved settings.
    pub settings: String,
    /// Where they were read from.
    pub settings_path: String,
    /// Hash of the settings.
    pub config_hash: ContentHash,
    /// Its digest.
    pub hash_version: HashVersion,
    /// Hash of the graph.
    pub topology_hash: ContentHash,
    /// How much can be reproduced.
    pub grade: Grade,
    /// Version of the program that began it.
    pub engine_version: String,
    /// Export.
    pub export_status: ExportStatus,
    /// Source.
    pub source: SourceRecord,
    /// Owner of the lease.
    pub owner: String,
    /// Last sign of life of the owner.
    pub heartbeat_at: Micros,
    /// Why it failed.
    pub error: Option<ErrorReason>,
    /// Set when sealed.
    pub content_root: Option<ContentHash>,
    /// Set when sealed.
    pub record_root: Option<ContentHash>,
    /// Committed epochs.
    pub epochs: u64,
}

/// How a user names a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunRef {
    /// The one that began last.
    Latest,
    /// The only one whose id begins so (case does not matter).
    Prefix(String),
}

/// A run in a list.
#[derive(Debug, Clone)]
pub struct RunSummary {
    /// Its id.
    pub run_id: RunId,
    /// How far it got.
    pub status: RunStatus,
    /// When it began.
    pub started_at: Micros,
    /// When it ended.
    pub completed_at: Option<Micros>,
    /// Rows recorded.
    pub rows: u64,
    /// Where its settings were read from.
    pub settings_path: String,
}

/// Counters of a run, derived from the record.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Counters {
    /// Rows recorded.
    pub processed: u64,
    /// Tokens completed.
    pub succeeded: u64,
    /// Tokens failed.
    pub failed: u64,
    /// Tokens routed.
    pub routed: u64,
    /// Tokens quarantined.
    pub quarantined: u64,
    /// Tokens forked.
    pub forked: u64,
    /// Tokens merged.
    pub coalesced: u64,
    /// Merges that failed.
    pub coalesce_failed: u64,
    /// Tokens expanded.
    pub expanded: u64,
    /// Tokens waiting in open batches.
    pub buffered: u64,
    /// Tokens that a sink refused.
    pub diverted: u64,
    /// Rows written, by sink name.
    #[serde(skip)]
    pub destinations: BTreeMap<String, u64>,
}

/// One failure of one token (or refused record) for `errors`.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// The row it came from; `None` for an output of a batch.
    pub row_index: Option<RowIndex>,
    /// The token.
    pub token: TokenKey,
    /// Where it failed; the source for refused records.
    pub step: Step,
    /// In which attempt.
    pub attempt: u8,
    /// Why.
    pub reason: ErrorReason,
    /// The sink it went to; `None` for discard.
    pub destination: Option<Step>,
    /// In which epoch its bodies are.
    pub epoch: Option<EpochNo>,
}

/// A rule of conservation that a run breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConservationBreach {
    /// Which rule, in words.
    pub rule: &'static str,
    /// The table that its ids are of.
    pub table: &'static str,
    /// Public ids or numbers of up to ten records that break it.
    pub ids: Vec<String>,
    /// How many break it.
    pub count: u64,
}
