//! What a database does for an export, besides what it does for a verifier.

use elspeth_canonical::ContentHash;
use elspeth_contracts::Micros;

use super::{CheckpointLine, Kind, Line, LineError, PurgeFileLine};
use crate::LandscapeError;
use crate::verify::RecordScan;

/// A scan that gives back what verifiers need not see, too.
pub trait ExportScan: RecordScan {
    /// How many records of a kind are stored of the run.
    fn stored(&mut self, kind: Kind) -> Result<u64, LandscapeError>;
    /// The last checkpoints, by epoch.
    fn checkpoints(&mut self) -> Result<Vec<CheckpointLine>, LandscapeError>;
    /// What open purges of the run have yet to remove.
    fn purge_files(&mut self) -> Result<Vec<PurgeFileLine>, LandscapeError>;
}

/// What a database does for an import: it takes every line of a run, all in one transaction. Dropped before its end, nothing was
/// done.
pub trait RecordImport {
    /// Takes a line. The run comes first; lines that others refer to come before them.
    fn add(&mut self, line: &Line) -> Result<(), LineError>;
    /// Enters the import in the registry, and makes all of it durable.
    fn finish(self: Box<Self>, end: &ImportEnd) -> Result<(), LandscapeError>;
}

/// What is known of an import when all its lines were taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportEnd {
    /// When.
    pub now: Micros,
    /// SHA-256 of the manifest.
    pub manifest: ContentHash,
    /// Whether bodies came along.
    pub bodies: bool,
}
