//! Where a run that stopped goes on, and how another process takes it up.

use elspeth_contracts::{EpochNo, Micros, RunId, Step, TokenKey};

use crate::{SinkIntent, SinkProgress};

/// Epochs that may be decided and committed while what was done with them is not yet on record, at most: sinks act on one while
/// the next are committed (`docs/adr/0014-sinks-behind.md`).
pub const MOST_PENDING: usize = 3;

/// Where a run that stopped goes on: at its last commit.
///
/// At most [`MOST_PENDING`] epochs are pending, and they are the last ones.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResumePoint {
    /// The first number that no epoch has.
    pub next_epoch: EpochNo,
    /// Rows recorded; the next one has this index.
    pub rows: u64,
    /// Of the last epoch; `None` when nothing was committed.
    pub checkpoint: Option<Checkpoint>,
    /// The last epochs, as far as only their decisions are durable; in their order.
    pub pending: Vec<PendingEpoch>,
    /// Where each sink that has written continues, in step order.
    pub sinks: Vec<SinkProgress>,
    /// How many releases each node has made that made some, in step order.
    pub released: Vec<(Step, u64)>,
    /// Tokens of pending epochs that came too late for a merge.
    pub late: Vec<TokenKey>,
    /// Sinks whose publication is recorded, in step order.
    pub published: Vec<Step>,
}

/// From what the source, the open batches and merges, and the hashes continue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The epoch after which it is.
    pub epoch: EpochNo,
    /// The source's own JSON.
    pub source_position: String,
    /// What is open: the engine's own JSON; empty when nothing is.
    pub buffers: String,
    /// [`crate::integrity::EpochHashes::state`] of the last commit.
    pub hash_state: String,
}

/// An epoch that was decided and has yet to be acted on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingEpoch {
    /// Its number.
    pub epoch: EpochNo,
    /// What each sink is to write, in step order.
    pub intents: Vec<SinkIntent>,
    /// What becomes of its tokens then: [`crate::DecidedEpoch::pending`].
    pub pending: Vec<u8>,
}

/// Takes a run up, provided that it is as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakeUp {
    /// Which run.
    pub run_id: RunId,
    /// Its owner, as it was seen.
    pub seen_owner: String,
    /// The owner's last sign of life, as it was seen.
    pub seen_heartbeat: Micros,
    /// Who takes it up.
    pub owner: String,
    /// When.
    pub now: Micros,
    /// What is recorded of it.
    pub resumption: Resumption,
}

/// With what a run goes on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resumption {
    /// The first epoch that is new.
    pub epoch: EpochNo,
    /// The first row that is new.
    pub row: u64,
    /// Version of the program that goes on.
    pub engine_version: String,
    /// The resolved settings, where they are others than those of the run: how to run may differ, the pipeline may not.
    pub settings: Option<String>,
    /// JSON of the source as it was recorded and as it was found, where a change was accepted.
    pub accepted_source: Option<String>,
}

/// One time that a run was taken up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResumptionRecord {
    /// When.
    pub at: Micros,
    /// By whom.
    pub owner: String,
    /// Who had it before.
    pub owner_before: String,
    /// With what it went on.
    pub resumption: Resumption,
}
