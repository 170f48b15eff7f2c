use std::collections::BTreeMap;
use std::path::PathBuf;

use elspeth_canonical::{ContentHash, HashVersion};
use elspeth_contracts::ErrorReason;
use elspeth_value::{Contract, FieldResolution, Row, Value};
use serde::{Deserialize, Serialize};

/// Produces rows, validated and coerced. Driven by one thread: `open` once, then `read` until it says [`ReadProgress::End`].
///
/// Building a source touches nothing outside; `open` does.
pub trait Source: Send {
    /// What rows look like, as far as the options tell (before `open`).
    fn contract(&self) -> Contract;

    /// The files it will read, so that they can be checked and compared with the sinks' before the first row.
    fn paths(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    /// Opens it, at `position` when continuing. The hash version is for the identity.
    ///
    /// # Errors
    /// [`SourceError`]: cannot be opened, or its head (header line, data key) is unusable.
    fn open(&mut self, version: HashVersion, position: Option<&SourcePosition>) -> Result<(), SourceError>;

    /// From now on `open` takes a source at a position although what is before it has changed, if that is possible at all.
    fn accept_changes(&mut self) {}

    /// Appends at most `max` items, fewer when it would otherwise have to wait for more input.
    ///
    /// # Errors
    /// [`SourceError`] when the source itself fails; bad records are items.
    fn read(&mut self, max: usize, items: &mut Vec<SourceItem>) -> Result<ReadProgress, SourceError>;

    /// Where the next `read` starts; valid between reads. Given to `open` to continue.
    fn position(&self) -> SourcePosition;

    /// What had been read at a position, as the position tells it: nothing is opened. `None` where positions do not tell.
    fn recall(&self, _position: &SourcePosition) -> Option<ReadSoFar> {
        None
    }

    /// What was read so far: for the record, and to recognise a changed source when continuing.
    fn identity(&self) -> SourceIdentity;

    /// The states of a database that the rows came from, in their order: one, or one more for each time that reading began
    /// anew in the midst. Known after `open`.
    fn snapshots(&self) -> Vec<SourceSnapshot> {
        Vec::new()
    }

    /// How headers became field names; known after `open`.
    fn field_resolution(&self) -> FieldResolution {
        FieldResolution::default()
    }
}

/// One record, good or bad, in source order.
#[derive(Debug, Clone, PartialEq)]
pub enum SourceItem {
    /// Meets the schema.
    Valid(Row),
    /// Does not.
    Invalid(InvalidRecord),
}

/// A record that does not meet the schema, or is none.
#[derive(Debug, Clone, PartialEq)]
pub struct InvalidRecord {
    /// The record as far as it could be read.
    pub raw: RawRecord,
    /// Why it is refused.
    pub reason: ErrorReason,
}

/// A refused record as it was found.
#[derive(Debug, Clone, PartialEq)]
pub enum RawRecord {
    /// Split into named fields, not (all) coerced. Goes to a quarantine sink as it is.
    Fields(Row),
    /// Not even that: text or bytes. Goes to a quarantine sink as the one field `raw`.
    Opaque(Value),
}

/// Whether there may be more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadProgress {
    /// Ask again.
    More,
    /// The source is exhausted.
    End,
}

/// Where a source continues; its own JSON (byte offset, line, record number, learnt contract, ...).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourcePosition(pub serde_json::Value);

/// What a source read.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceIdentity {
    /// Path or URI; empty for none.
    pub location: String,
    /// Size of the whole in bytes, when known.
    pub size_bytes: Option<u64>,
    /// Bytes read so far.
    pub read_bytes: u64,
    /// Hash of the bytes read so far (the run's digest over the raw bytes).
    pub content_hash: Option<ContentHash>,
}

/// What had been read when a run stopped.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadSoFar {
    /// Bytes.
    pub read_bytes: u64,
    /// Their hash.
    pub content_hash: Option<ContentHash>,
    /// How headers became field names, as far as they were seen.
    pub field_resolution: FieldResolution,
}

/// A state of a database that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceSnapshot {
    /// The records that were read before it: it was read from the one behind them on.
    pub from_record: u64,
    /// What the database says of it, by name.
    pub facts: BTreeMap<String, String>,
}

/// The source itself failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SourceError {
    /// What failed, with path and line.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Whether trying again could help.
    pub retryable: bool,
}

impl SourceError {
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
