use std::path::PathBuf;
use std::sync::Arc;

use elspeth_canonical::{ContentHash, HashVersion};
use elspeth_contracts::{EpochNo, ErrorReason, RowIndex, RunId, TokenId};
use elspeth_value::{Contract, FieldResolution, Row};
use serde::{Deserialize, Serialize};

/// Writes rows. Driven by one thread: `open` once, `write` once per epoch that has rows for it, `publish` once at the end.
///
/// Building a sink touches nothing outside; `open` does. What `write` returned successfully is durable.
pub trait Sink: Send {
    /// What it needs of its rows.
    fn contract(&self) -> Contract;

    /// The files it will write, so that clashes are found before the first row.
    fn targets(&self) -> Vec<Target> {
        Vec::new()
    }

    /// Checks without changing anything that it could write: folder writable, mode possible.
    ///
    /// # Errors
    /// [`SinkError`] with path and advice.
    fn preflight(&self) -> Result<(), SinkError> {
        Ok(())
    }

    /// Opens it; at `position` when continuing: everything after it is cut off.
    ///
    /// # Errors
    /// [`SinkError`].
    fn open(&mut self, context: &SinkContext, position: Option<&SinkPosition>) -> Result<(), SinkError>;

    /// The source has further headers by now; told before the rows that have them, and maybe long before. What a row's fields
    /// are called follows from [`FieldResolution::known_at`] its `source_row`, so that it does not matter when.
    fn learn(&mut self, _resolution: &Arc<FieldResolution>) {}

    /// Appends one epoch's rows in this order and makes them durable. Refuses single rows by naming them.
    ///
    /// After an error, the sink must be opened again at the last position before it is used.
    ///
    /// # Errors
    /// [`SinkError`]: nothing of this epoch counts as written.
    fn write(&mut self, epoch: EpochNo, rows: &[SinkRow<'_>]) -> Result<Written, SinkError>;

    /// Whether the rows of an epoch that is too large for the memory may come in several calls of [`Sink::write`], one after the
    /// other, with the epoch's number each. Otherwise it gets all of them at once, however many there are.
    ///
    /// What a call wrote stays when a later one fails: the sink is then opened at the position that the last one gave, or, by a
    /// process that comes after, at that of the epoch before.
    fn takes_parts(&self) -> bool {
        false
    }

    /// Makes the result visible under its final name. Called again after a crash, it does nothing new.
    ///
    /// # Errors
    /// [`SinkError`].
    fn publish(&mut self) -> Result<Option<Produced>, SinkError>;
}

/// For which run a sink works.
#[derive(Debug, Clone, PartialEq)]
pub struct SinkContext {
    /// The run.
    pub run_id: RunId,
    /// The sink's name in the settings.
    pub sink: String,
    /// The digest for content hashes.
    pub hash_version: HashVersion,
    /// How the source's headers became field names, for `headers: original`; as far as is known when the sink is opened.
    pub field_resolution: Arc<FieldResolution>,
}

/// One row to be written.
#[derive(Debug, Clone, Copy)]
pub struct SinkRow<'a> {
    /// The token's public id: the idempotency key, stable over crashes.
    pub token_id: TokenId,
    /// The row of the source that it comes from, or after which it was made. Never descends from one row to the next.
    pub source_row: RowIndex,
    /// The row.
    pub row: &'a Row,
}

/// What a successful write did.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// Rows refused, by index into `rows`, ascending. All others are durable.
    pub refused: Vec<Refusal>,
    /// Where the next write starts.
    pub position: SinkPosition,
    /// What exists now.
    pub produced: Option<Produced>,
}

/// A row that a sink would not take.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// Index into the rows given.
    pub index: usize,
    /// Why.
    pub reason: ErrorReason,
}

/// What a sink has produced so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Produced {
    /// `file` or `table`.
    pub artifact_type: &'static str,
    /// Final path or URI.
    pub path: String,
    /// Hash of all its bytes so far.
    pub content_hash: ContentHash,
    /// Its size so far.
    pub size_bytes: u64,
    /// Its rows so far.
    pub rows: u64,
}

/// Where a sink continues: its own JSON (byte offset, row count, columns, state of the running hash, ...).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SinkPosition(pub serde_json::Value);

/// A file that a sink writes, or a table in one or on a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The final path; of a server's database its URL, without a password.
    pub path: PathBuf,
    /// Whether a file that is there already is kept and appended to.
    pub appends: bool,
    /// The table, for sinks that write to a database; sinks with other tables may share the file.
    pub table: Option<String>,
}

/// The sink itself failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SinkError {
    /// What failed, with the path.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Whether trying again could help.
    pub retryable: bool,
}

impl SinkError {
    /// An error that no retry can mend.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, retryable: false }
    }

    /// The same with advice.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
