//! What a database does for a verifier: it gives back everything that is stored of one run.

use elspeth_canonical::ContentHash;
use elspeth_contracts::{
    ArtifactRecord, BatchMemberRecord, BatchOutputRecord, BatchRecord, CallRecord, EpochNo, Grade, Micros,
    NodeStateRecord, OperationRecord, PurgeStatus, ReleaseRecord, RoutingEventRecord, RowIndex, RowRecord,
    RunId, RunStatus, StateContextRecord, Step, TokenKey, TokenOutcomeRecord, TokenParentRecord, TokenRecord,
    TransformErrorRecord, ValidationErrorRecord,
};

use crate::{ConservationBreach, Corruption, LandscapeError, RunRecord, SinkIntent};

/// Opens scans, any number of them, for as many threads.
pub trait ScanSource: Sync {
    /// A scan of that run.
    ///
    /// # Errors
    /// [`LandscapeError`] of the store.
    fn open(&self, run: &RunRecord) -> Result<Box<dyn RecordScan>, LandscapeError>;
}

/// Everything stored of one run, as of one moment. Lists are in key order. What cannot be read as a record is a
/// [`Corruption`].
pub trait RecordScan: Send {
    /// By what a run that changed meanwhile can be told.
    fn mark(&mut self) -> Result<RunMark, LandscapeError>;
    /// Looks at what there is now, instead of at what there was.
    fn renew(&mut self) -> Result<(), LandscapeError>;
    /// All epochs.
    fn epochs(&mut self) -> Result<Vec<EpochRecord>, LandscapeError>;
    /// All releases.
    fn releases(&mut self) -> Result<Vec<ReleaseRecord>, LandscapeError>;
    /// Every member of every batch, by batch and ordinal.
    fn members(&mut self, each: &mut dyn FnMut(BatchMemberRecord)) -> Result<(), LandscapeError>;
    /// Parents of tokens that releases made.
    fn merged(&mut self, each: &mut dyn FnMut(TokenParentRecord)) -> Result<(), LandscapeError>;
    /// Outcomes of branches of merges across rows that failed.
    fn failed_merges(&mut self, each: &mut dyn FnMut(TokenOutcomeRecord)) -> Result<(), LandscapeError>;
    /// Adds rows, from one to another, and why they were refused.
    fn rows(&mut self, rows: (RowIndex, RowIndex), out: &mut RowRecords) -> Result<(), LandscapeError>;
    /// Adds everything about tokens of that range.
    fn tokens(&mut self, tokens: TokenRange, out: &mut TokenRecords) -> Result<(), LandscapeError>;
    /// Adds attempts and outputs of batches, from one number to another.
    fn batches(&mut self, numbers: (u64, u64), out: &mut BatchRecords) -> Result<(), LandscapeError>;
    /// What source and sinks did for an epoch, by step and ordinal.
    fn effects(&mut self, epoch: EpochNo) -> Result<Effects, LandscapeError>;
    /// The packed bodies of an epoch.
    fn block(&mut self, epoch: EpochNo) -> Result<Option<Vec<u8>>, LandscapeError>;
    /// Epochs that have packed bodies.
    fn blocks(&mut self) -> Result<Vec<EpochNo>, LandscapeError>;
    /// Whether the run was imported without its bodies.
    fn came_without_bodies(&mut self) -> Result<bool, LandscapeError>;
    /// How many records a table has of this run; of tables of tokens, of those that releases made.
    fn count(&mut self, table: Counted) -> Result<u64, LandscapeError>;
    /// A record of a row, or of a token of a row, that is not among the first `rows` ones.
    fn beyond(&mut self, rows: u64) -> Result<Option<Corruption>, LandscapeError>;
    /// Records of runs that do not exist.
    fn orphan(&mut self) -> Result<Option<Corruption>, LandscapeError>;
    /// From where the run would go on.
    fn continuation(&mut self) -> Result<Continuation, LandscapeError>;
    /// The numbers of its resumptions, in their order.
    fn resumption_numbers(&mut self) -> Result<Vec<u64>, LandscapeError>;
    /// Purges of the run, oldest first.
    fn purges(&mut self) -> Result<Vec<PurgeRecord>, LandscapeError>;
    /// Entries of the registry that tell of the run, each with its number, in their order.
    fn entries(&mut self) -> Result<Vec<(u64, String)>, LandscapeError>;
    /// The rules of conservation that the run breaks, and its counters. Needed where they are not known otherwise.
    fn account(&mut self, status: RunStatus) -> Result<Account, LandscapeError>;
    /// The counters that were kept when the run was sealed; JSON.
    fn summary(&mut self) -> Result<Option<String>, LandscapeError>;
    /// What runs wrote that ran here, and did not end before this one.
    fn later(&mut self) -> Result<Later, LandscapeError>;
}

/// What later runs wrote.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Later {
    /// In the order in which the runs ended: files that got their names, and the newest of each sink.
    pub files: Vec<LaterFile>,
    /// Sinks of runs that stopped when nothing was left to be done but to give files their names.
    pub unended: Vec<LaterSink>,
}

/// A sink of a run that stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaterSink {
    /// The run.
    pub run_id: RunId,
    /// What the sink is told; JSON.
    pub config: String,
    /// Whether its end is recorded: it was not killed.
    pub ended: bool,
}

/// A file as another run left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaterFile {
    /// The other run.
    pub run_id: RunId,
    /// As its settings name it.
    pub path: String,
    /// In bytes.
    pub size_bytes: u64,
    /// By the other run's hash version.
    pub content_hash: ContentHash,
    /// Whether it is recorded that the file has its name.
    pub published: bool,
}

/// What the records of a run come to.
#[derive(Debug)]
pub struct Account {
    /// Rules of conservation that the run breaks; they hold at the end of runs that are completed.
    pub breaches: Vec<ConservationBreach>,
    /// The counters, in the form in which they are kept; none where they cannot be counted.
    pub summary: Option<String>,
}

/// What changes with everything that is done with a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunMark {
    /// How far it got.
    pub status: RunStatus,
    /// Who writes it, or wrote it last.
    pub owner: String,
    /// Its owner's last sign of life.
    pub heartbeat_at: Micros,
    /// How much can be reproduced.
    pub grade: Grade,
    /// Its seal.
    pub record_root: Option<ContentHash>,
    /// What purges did with it.
    pub purging: Purging,
}

/// How far the purges of a run are: each of their commits changes it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Purging {
    /// Purges that have yet to end.
    pub open: u64,
    /// All of them.
    pub all: u64,
    /// Blocks of bodies that they removed.
    pub blocks: u64,
    /// Files that they dealt with.
    pub files: u64,
}

impl RunMark {
    /// Whether that run was read at a moment since which nothing changed but how far it is.
    pub(super) fn is_of(&self, run: &RunRecord) -> bool {
        self.status == run.status
            && self.owner == run.owner
            && (self.heartbeat_at == run.heartbeat_at || run.status == RunStatus::Running)
    }

    /// Whether somebody may be changing what there is of the run.
    pub(super) fn is_changing(&self) -> bool {
        self.status == RunStatus::Running || self.purging.open > 0
    }
}

/// An epoch as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochRecord {
    /// Its number.
    pub epoch: EpochNo,
    /// Its first and its last row.
    pub rows: Option<(RowIndex, RowIndex)>,
    /// How many rows it has.
    pub row_count: u64,
    /// How many records it has.
    pub record_count: u64,
    /// When its first row was read.
    pub started_at: Micros,
    /// When its decisions became durable.
    pub decided_at: Micros,
    /// When what was done with it became durable.
    pub acted_at: Option<Micros>,
    /// The chain of decisions after its own.
    pub chain_hash: ContentHash,
    /// The chain of acts after what was done with it.
    pub acted_chain: Option<ContentHash>,
    /// The root of the rows' leaves after it.
    pub content_root: ContentHash,
    /// Hash over that from which the run goes on after it.
    pub continuation: ContentHash,
    /// Steps and hashes of where the sinks that wrote go on.
    pub positions: Vec<u8>,
}

/// Numbers of tokens, the last one included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenRange {
    /// The first.
    pub first: TokenKey,
    /// The last.
    pub last: TokenKey,
}

/// Records by row.
#[derive(Debug, Default)]
pub struct RowRecords {
    /// Rows.
    pub rows: Vec<RowRecord>,
    /// Why some were refused.
    pub validation_errors: Vec<ValidationErrorRecord>,
}

/// Records by token.
#[derive(Debug, Default)]
pub struct TokenRecords {
    /// Tokens.
    pub tokens: Vec<TokenRecord>,
    /// Their parents.
    pub parents: Vec<TokenParentRecord>,
    /// States at nodes between source and sinks.
    pub states: Vec<NodeStateRecord>,
    /// States at sinks.
    pub sink_states: Vec<NodeStateRecord>,
    /// More about states.
    pub contexts: Vec<StateContextRecord>,
    /// Where tokens were sent.
    pub routing: Vec<RoutingEventRecord>,
    /// Requests to the outside.
    pub calls: Vec<CallRecord>,
    /// Why nodes failed.
    pub transform_errors: Vec<TransformErrorRecord>,
    /// What became of tokens.
    pub outcomes: Vec<TokenOutcomeRecord>,
}

/// Records by batch.
#[derive(Debug, Default)]
pub struct BatchRecords {
    /// Attempts to flush.
    pub batches: Vec<BatchRecord>,
    /// What came of them.
    pub outputs: Vec<BatchOutputRecord>,
}

/// What source and sinks did for an epoch.
#[derive(Debug, Default)]
pub struct Effects {
    /// Loads and writes.
    pub operations: Vec<Effect<OperationRecord>>,
    /// What there was then.
    pub artifacts: Vec<Effect<ArtifactRecord>>,
}

/// One of several of one node in one epoch.
#[derive(Debug)]
pub struct Effect<R> {
    /// Which.
    pub ordinal: u64,
    /// Whether it came after everything else, with the publication.
    pub published: bool,
    /// What is recorded of it.
    pub record: R,
}

/// A table whose records can be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// `batches`
    Batches,
    /// `batch_outputs`
    BatchOutputs,
    /// `operations`
    Operations,
    /// `artifacts`
    Artifacts,
    /// All tables of tokens together, but only of those that releases made.
    OfReleased,
}

/// From where a run would go on.
#[derive(Debug, Default)]
pub struct Continuation {
    /// The last checkpoints.
    pub checkpoints: Vec<CheckpointRecord>,
    /// Sinks that have written, each with the epoch and its own JSON.
    pub positions: Vec<(Step, EpochNo, String)>,
    /// What sinks are about to write.
    pub intents: Vec<(EpochNo, SinkIntent)>,
}

/// A checkpoint as it is stored.
#[derive(Debug)]
pub struct CheckpointRecord {
    /// After which epoch.
    pub epoch: EpochNo,
    /// The source's own JSON.
    pub source_position: String,
    /// What was open.
    pub buffers: String,
    /// Chain and trees.
    pub hash_state: String,
    /// What becomes of the epoch's tokens.
    pub pending: Vec<u8>,
    /// Hash over what the sinks are about to write.
    pub intents_hash: ContentHash,
}

/// A purge as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurgeRecord {
    /// Its number in this database.
    pub purge_no: i64,
    /// How far it got.
    pub status: PurgeStatus,
    /// When it was asked for.
    pub requested_at: Micros,
    /// When nothing of it was left.
    pub finished_at: Option<Micros>,
    /// The run had to be older than this.
    pub older_than_days: Option<u32>,
    /// Whether somebody named the run.
    pub by_name: bool,
    /// The folder of the run's large bodies.
    pub payload_store: String,
    /// Blocks that it removed.
    pub blocks: u64,
    /// Their bytes.
    pub block_bytes: u64,
    /// Files that it removed from the payload store.
    pub files: u64,
    /// Their bytes.
    pub file_bytes: u64,
    /// Files that stayed since others refer to them.
    pub kept_files: u64,
    /// Files that it has yet to remove.
    pub files_left: u64,
}
