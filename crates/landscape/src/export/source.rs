//! What a database does for an export, besides what it does for a verifier.

use super::{CheckpointLine, Kind, Line, LineError, PurgeFileLine, PurgeLine};
use crate::LandscapeError;
use crate::verify::RecordScan;

/// A scan that gives back what verifiers need not see, too.
pub trait ExportScan: RecordScan {
    /// How many records of a kind are stored of the run.
    fn stored(&mut self, kind: Kind) -> Result<u64, LandscapeError>;
    /// The last checkpoints, by epoch.
    fn checkpoints(&mut self) -> Result<Vec<CheckpointLine>, LandscapeError>;
    /// Purges of the run, oldest first.
    fn purge_lines(&mut self) -> Result<Vec<PurgeLine>, LandscapeError>;
    /// What open purges of the run have yet to remove.
    fn purge_files(&mut self) -> Result<Vec<PurgeFileLine>, LandscapeError>;
}

/// What a database does for an import: it takes every line of a run, all in one transaction. Dropped before its end, nothing was
/// done.
pub trait RecordImport {
    /// Takes a line. The run comes first; lines that others refer to come before them.
    fn add(&mut self, line: &Line) -> Result<(), LineError>;
    /// Makes all of it durable.
    fn finish(self: Box<Self>) -> Result<(), LandscapeError>;
}
