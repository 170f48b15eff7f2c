//! What commit A keeps of the outcomes that commit B will record: the form of `checkpoints.pending`.
//!
//! One byte that names the form, then a zstd frame of postcard. Rows are not in it: they are in the bodies.

use std::io::{self, Read as _};

use elspeth_contracts::{Outcome, ReleaseNo, RowIndex, Step, TokenKey, TokenOutcomeRecord};
use serde::{Deserialize, Serialize};

/// The form of the bytes, which begin with it.
pub const FORM: u8 = 1;
/// More than any epoch needs; bytes that claim to hold more are damaged.
const LARGEST: u64 = 1 << 32;

/// All of one epoch.
#[derive(Debug, Deserialize)]
pub struct Pending {
    /// For each intent, an entry for each of its tokens.
    pub arrivals: Vec<Vec<PendingArrival>>,
    /// Tokens that reach no sink.
    pub settled: Vec<PendingOutcome>,
}

/// What becomes of a token at a sink.
#[derive(Debug, Serialize, Deserialize)]
pub struct PendingArrival {
    /// The code of an [`Outcome`].
    pub outcome: u8,
    /// Step and attempt of the error that brought it there.
    pub error_at: Option<(u16, u8)>,
    /// What brought it about.
    pub cause: PendingCause,
}

/// The outcome of a token that reaches no sink.
#[derive(Debug, Serialize, Deserialize)]
pub struct PendingOutcome {
    /// Its number.
    pub token: u64,
    /// The code of an [`Outcome`].
    pub outcome: u8,
    /// See [`TokenOutcomeRecord::sink`].
    pub sink: Option<u16>,
    /// See [`TokenOutcomeRecord::group`].
    pub group: Option<u64>,
    /// See [`TokenOutcomeRecord::batch_no`].
    pub batch_no: Option<u64>,
    /// Step and attempt of the error that ended its path.
    pub error_at: Option<(u16, u8)>,
    /// What brought it about.
    pub cause: PendingCause,
}

/// The row whose processing makes something happen.
#[derive(Debug, Serialize, Deserialize)]
pub struct PendingCause {
    /// The row.
    pub row: u64,
    /// Whether it happens after that row instead.
    pub after: bool,
}

impl Pending {
    /// Reads what an epoch's commit A kept.
    ///
    /// # Errors
    /// [`io::Error`] when the bytes are of another form, or damaged.
    pub fn read(bytes: &[u8]) -> io::Result<Self> {
        let Some((&FORM, packed)) = bytes.split_first() else {
            return Err(io::Error::other("it has a form that this version does not know"));
        };
        let mut plain = Vec::new();
        zstd::stream::read::Decoder::new(packed)?.take(LARGEST).read_to_end(&mut plain)?;
        postcard::from_bytes(&plain).map_err(io::Error::other)
    }
}

impl PendingOutcome {
    /// What will be stored.
    #[must_use]
    pub fn of(outcome: &TokenOutcomeRecord, cause: PendingCause) -> Self {
        let TokenOutcomeRecord { token, outcome: end, sink, group, batch_no: _, error_at } = outcome;
        Self {
            token: token.get(),
            outcome: end.code(),
            sink: sink.map(Step::get),
            group: group.map(TokenKey::get),
            batch_no: outcome.release(),
            error_at: stored_error(*error_at),
            cause,
        }
    }

    /// The record; `None` when it names what cannot be.
    #[must_use]
    pub fn record(&self) -> Option<TokenOutcomeRecord> {
        Some(TokenOutcomeRecord {
            token: TokenKey::from_u64(self.token)?,
            outcome: Outcome::from_code(i64::from(self.outcome)).ok()?,
            sink: match self.sink {
                Some(sink) => Some(Step::new(sink)?),
                None => None,
            },
            group: match self.group {
                Some(group) => Some(TokenKey::from_u64(group)?),
                None => None,
            },
            batch_no: match self.batch_no {
                Some(number) => Some(ReleaseNo::new(number)?),
                None => None,
            },
            error_at: error(self.error_at)?,
        })
    }
}

impl PendingCause {
    /// The row, and whether it happens after it; `None` when there is no such row.
    #[must_use]
    pub fn row(&self) -> Option<(RowIndex, bool)> {
        Some((RowIndex::new(self.row)?, self.after))
    }
}

/// Step and attempt of an error as they are stored.
#[must_use]
pub fn stored_error(at: Option<(Step, u8)>) -> Option<(u16, u8)> {
    at.map(|(step, attempt)| (step.get(), attempt))
}

/// The same as it was; `None` when it names a step that cannot be.
#[must_use]
pub fn error(stored: Option<(u16, u8)>) -> Option<Option<(Step, u8)>> {
    stored.map_or(Some(None), |(step, attempt)| Some(Some((Step::new(step)?, attempt))))
}
