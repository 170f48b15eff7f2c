use elspeth_contracts::{RunId, TokenId};
use thiserror::Error;

use crate::registry::KeyRefused;

/// What went wrong with the record.
#[derive(Debug, Error)]
pub enum LandscapeError {
    /// The database could not be reached, read or written: the world's fault.
    #[error("{context}: {message}")]
    Store {
        /// What was being done, on which database.
        context: String,
        /// The database's own words.
        message: String,
        /// Whether trying again could help (locked, busy).
        retryable: bool,
    },
    /// The database is of a schema version that this program does not know.
    #[error(
        "{location}: audit schema version {found}, but this program knows versions up to {known}; {advice}"
    )]
    SchemaVersion {
        /// Path or URL without secrets.
        location: String,
        /// Version found.
        found: i64,
        /// Newest version known.
        known: i64,
        /// What to do.
        advice: String,
    },
    /// No run is meant by that text, or several are.
    #[error("{0}")]
    NoSuchRun(String),
    /// The run has no such row, token or sink.
    #[error("{0}")]
    NotFound(String),
    /// A run cannot be taken up: it is not as it was seen, so another process has it, or had it meanwhile.
    #[error(
        "run {run_id} was taken up by another process meanwhile ({owner}); `elspeth status` shows how it goes on"
    )]
    Owned {
        /// The run.
        run_id: RunId,
        /// Who has it.
        owner: String,
    },
    /// A run cannot be taken up: it is completed.
    #[error("run {run_id} is completed, so there is nothing to resume")]
    Completed {
        /// The run.
        run_id: RunId,
    },
    /// Another process has taken the run over while this one gave no sign of life. Nothing was written.
    #[error("another process ({owner}) has taken the run over; this one must not go on with it")]
    LeaseLost {
        /// Who has it.
        owner: String,
    },
    /// A run cannot be taken up: what its tokens carried is not kept any more.
    #[error("run {run_id} cannot be resumed: its bodies were purged, among them that of token {token}")]
    Purged {
        /// The run.
        run_id: RunId,
        /// One whose row is gone.
        token: TokenId,
    },
    /// A key cannot be used for this database. Nothing was written.
    #[error(transparent)]
    Key(#[from] KeyRefused),
    /// What was read one after the other is not of one moment: somebody works on the run.
    #[error("the run was changed meanwhile; look at it when nobody works on it")]
    ChangedMeanwhile,
    /// Our own record contradicts itself.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
}

/// Our own record contradicts itself: an unknown status, a missing row, a hash that does not match. Exit code 4.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("audit record corrupt: {table} {id}: {what}")]
pub struct Corruption {
    /// The table.
    pub table: &'static str,
    /// The record's key or public id.
    pub id: String,
    /// What is wrong with it.
    pub what: String,
}
