//! What an export has besides what a verifier reads.

use elspeth_landscape::export::{Bytes, CheckpointLine, ExportScan, Kind, PurgeFileLine};
use elspeth_landscape::journal::JournalSource;
use elspeth_landscape::{LandscapeError, RunRecord};

use super::{Scan, Scans};
use crate::db::values;

impl Scans {
    /// A scan for an export of that run.
    ///
    /// # Errors
    /// [`LandscapeError::Store`] when the database cannot be read.
    pub fn export(&self, run: &RunRecord) -> Result<Box<dyn ExportScan>, LandscapeError> {
        Ok(Box::new(self.scan_of(run)?))
    }
}

impl JournalSource for Scans {
    fn scan(&self, run: &RunRecord) -> Result<Box<dyn ExportScan>, LandscapeError> {
        self.export(run)
    }
}

impl ExportScan for Scan {
    fn stored(&mut self, kind: Kind) -> Result<u64, LandscapeError> {
        let table = kind.table();
        let sql = match kind {
            Kind::PurgeFile => "SELECT count(*) FROM purge_files WHERE purge_no IN
                (SELECT purge_no FROM purges WHERE run_no = ?)"
                .to_owned(),
            // They are files, and no table has them.
            Kind::Payload => return Ok(0),
            Kind::Run
            | Kind::Node
            | Kind::Edge
            | Kind::Row
            | Kind::Token
            | Kind::TokenParent
            | Kind::NodeState
            | Kind::StateContext
            | Kind::RoutingEvent
            | Kind::Call
            | Kind::ValidationError
            | Kind::TransformError
            | Kind::Batch
            | Kind::BatchMember
            | Kind::BatchOutput
            | Kind::Release
            | Kind::Operation
            | Kind::SinkState
            | Kind::TokenOutcome
            | Kind::Artifact
            | Kind::Epoch
            | Kind::Checkpoint
            | Kind::SinkPosition
            | Kind::SinkIntent
            | Kind::Resumption
            | Kind::Purge
            | Kind::Registry
            | Kind::Bodies => format!("SELECT count(*) FROM {table} WHERE run_no = ?"),
        };
        Ok(self.number(&sql, values![self.run_no])?.unwrap_or_default().cast_unsigned())
    }

    fn checkpoints(&mut self) -> Result<Vec<CheckpointLine>, LandscapeError> {
        let sql =
            "SELECT epoch, source_position, buffers, hash_state, pending, intents_hash FROM checkpoints WHERE run_no = ?
            ORDER BY epoch";
        self.list((sql, "checkpoints", 1), |cells| {
            Ok(CheckpointLine {
                epoch: cells.epoch(0)?,
                source_position: cells.text(1)?,
                buffers: cells.text(2)?,
                hash_state: cells.text(3)?,
                pending: Bytes(cells.bytes(4)?),
                intents_hash: cells.hash(5)?,
            })
        })
    }

    fn purge_files(&mut self) -> Result<Vec<PurgeFileLine>, LandscapeError> {
        let sql = "SELECT f.purge_no, f.hash FROM purges p JOIN purge_files f ON f.purge_no = p.purge_no
            WHERE p.run_no = ? ORDER BY f.purge_no, f.hash";
        self.list((sql, "purge_files", 1), |cells| {
            Ok(PurgeFileLine { purge_no: cells.int(0)?, hash: cells.hash(1)? })
        })
    }
}
