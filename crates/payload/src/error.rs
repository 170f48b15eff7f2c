use std::io;
use std::path::PathBuf;

use elspeth_canonical::ContentHash;
use elspeth_contracts::disk_advice;
use thiserror::Error;

/// A body that cannot be stored or read.
#[derive(Debug, Error)]
pub enum PayloadError {
    /// Stored bytes are not what was written.
    #[error("body block unreadable: {0}")]
    Damaged(String),
    /// The content of a stored body does not have the hash that it is stored under.
    #[error("stored body {expected} has been changed: its content now has the hash {found}")]
    Mismatch {
        /// The hash it is stored under.
        expected: ContentHash,
        /// The hash of what is there.
        found: ContentHash,
    },
    /// A value nests deeper than can be read back.
    #[error("a value of token {token} after step {step} nests deeper than {limit} levels")]
    TooDeep {
        /// The token's number.
        token: u64,
        /// The step's number.
        step: u16,
        /// The most levels.
        limit: u32,
    },
    /// The file system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To which file or folder.
        path: PathBuf,
        /// Its own words.
        source: io::Error,
    },
}

impl PayloadError {
    /// What the user can do about it, where that is known.
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Io { source, .. } => disk_advice(source),
            Self::Damaged(_) | Self::Mismatch { .. } | Self::TooDeep { .. } => None,
        }
    }
}
