//! Purging: bodies go, hashes and lineage stay.
//!
//! [`PurgeRule::verdict`] says of a run whether it may be purged; [`purge`] purges runs, and finishes first what an earlier
//! purge did not. Each purge is on the record before anything of it is deleted, with the run's grade, and is done only when
//! nothing is left: no block in the database or its log, no file in the payload store that nobody else refers to.
//!
//! Whether somebody else refers to a large body is asked of all blocks of this record that remain, and of those of every
//! other record whose bodies are in the same store, while nobody can put a body into it.

mod rule;
mod work;

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use elspeth_canonical::ContentHash;
use elspeth_contracts::{EpochNo, Micros, PurgeStatus, RunId, RunStatus};

pub use rule::{PurgeRule, PurgeVerdict};
pub use work::{LargeBodies, OpenOther, PurgeOutcome, WaitingFiles, large_bodies, purge};

use crate::LandscapeError;

/// What a database tells about bodies. Changes nothing.
#[async_trait]
pub trait PurgeView: Send {
    /// Every run, oldest first, with the bodies that it has.
    async fn candidates(&mut self) -> Result<Vec<PurgeCandidate>, LandscapeError>;
    /// Purges that were begun and not finished, oldest first.
    async fn open_purges(&mut self) -> Result<Vec<RecordedPurge>, LandscapeError>;
    /// The next blocks in the order of run and epoch, `limit` of them; of one run or of all.
    async fn blocks(
        &mut self,
        run_no: Option<i64>,
        after: Option<BlockKey>,
        limit: u32,
    ) -> Result<Vec<StoredBlock>, LandscapeError>;
    /// See [`LandscapeReader::lease_clock`](crate::LandscapeReader::lease_clock).
    async fn lease_clock(&mut self, run: &PurgeCandidate) -> Result<Option<Micros>, LandscapeError>;
}

/// What a database does for a purge. Every method is one durable transaction.
#[async_trait]
pub trait LandscapePurger: PurgeView {
    /// Records that a run is to be purged and lowers its grade, provided that the run is as it was seen. Its checkpoints go
    /// here, since they may hold rows that waited; and a run that did not complete has no owner any more, so that nobody
    /// goes on with it.
    async fn begin(&mut self, start: &PurgeStart) -> Result<(), LandscapeError>;
    /// Removes blocks of a purge's run, and lists the large bodies that they refer to as files to be removed.
    async fn remove_blocks(
        &mut self,
        purge: &RecordedPurge,
        epochs: &[EpochNo],
        large: &[ContentHash],
    ) -> Result<(), LandscapeError>;
    /// Files that are to be removed from a store, `limit` of them.
    async fn files(&mut self, store: &Path, limit: u32) -> Result<Vec<ContentHash>, LandscapeError>;
    /// Takes files off the list that somebody else refers to.
    async fn keep_files(&mut self, store: &Path, hashes: &[ContentHash]) -> Result<(), LandscapeError>;
    /// Takes files off the list that are gone; with each its length, if it was there.
    async fn removed_files(
        &mut self,
        store: &Path,
        removed: &[(ContentHash, Option<u64>)],
    ) -> Result<(), LandscapeError>;
    /// Sees to it that deleted bytes are neither in the file nor in the log. `false` while somebody else needs the log.
    async fn wipe(&mut self) -> Result<bool, LandscapeError>;
    /// Ends every open purge that has nothing left to remove.
    async fn finish(&mut self, now: Micros) -> Result<(), LandscapeError>;
    /// A purge as it is now.
    async fn recorded(&mut self, purge_no: i64) -> Result<RecordedPurge, LandscapeError>;
}

/// A run, as far as a purge needs to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurgeCandidate {
    /// Its number in this database.
    pub run_no: i64,
    /// Its id.
    pub run_id: RunId,
    /// How far it got.
    pub status: RunStatus,
    /// When it ended.
    pub completed_at: Option<Micros>,
    /// Who wrote it last.
    pub owner: String,
    /// Last sign of life of its owner.
    pub heartbeat_at: Micros,
    /// Its resolved settings.
    pub settings: String,
    /// Blocks of bodies.
    pub blocks: u64,
    /// Their bytes.
    pub block_bytes: u64,
}

/// What is to be recorded before a run is purged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurgeStart {
    /// The run, as it was seen.
    pub run: PurgeCandidate,
    /// When.
    pub now: Micros,
    /// It had to be older than this; `None` when its age did not matter.
    pub older_than_days: Option<u32>,
    /// Whether somebody named the run.
    pub by_name: bool,
    /// The folder in which its large bodies are.
    pub payload_store: PathBuf,
}

/// A purge on the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedPurge {
    /// Its number in this database.
    pub purge_no: i64,
    /// The run.
    pub run_no: i64,
    /// The run.
    pub run_id: RunId,
    /// How far it got.
    pub status: PurgeStatus,
    /// The folder in which the run's large bodies are.
    pub payload_store: PathBuf,
    /// Blocks removed.
    pub blocks: u64,
    /// Their bytes.
    pub block_bytes: u64,
    /// Files removed from the payload store.
    pub files: u64,
    /// Their bytes.
    pub file_bytes: u64,
    /// Files that stayed since others refer to them.
    pub kept_files: u64,
    /// Files that are still to be removed.
    pub files_left: u64,
}

/// Which block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlockKey {
    /// Of which run.
    pub run_no: i64,
    /// Of which epoch.
    pub epoch: EpochNo,
}

/// The packed bodies of an epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBlock {
    /// Which.
    pub key: BlockKey,
    /// As it was packed.
    pub bytes: Vec<u8>,
}
