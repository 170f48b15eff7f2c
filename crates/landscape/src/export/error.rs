use std::path::PathBuf;

use elspeth_canonical::ContentHash;
use thiserror::Error;

use crate::LandscapeError;
use crate::verify::BadRecord;

/// Why a record could not be exported, or an export could not be read.
#[derive(Debug, Error)]
pub enum ExportError {
    /// The record could not be read.
    #[error(transparent)]
    Record(#[from] LandscapeError),
    /// The record is not what was written.
    #[error("the record is not sound: {} {}: {}", .0.table, .0.id, .0.what)]
    Unsound(BadRecord),
    /// A large body could not be read: the world's fault, and nobody altered it.
    #[error("the large body {hash} cannot be read: {why}")]
    Body {
        /// Its hash.
        hash: ContentHash,
        /// Why not, and what can be done about that where it is known.
        why: String,
    },
    /// A file could not be read or written: the world's fault.
    #[error("{what} {}: {error}", path.display())]
    Io {
        /// What was being done, such as `writing`.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why it failed.
        error: std::io::Error,
    },
    /// A sink did not take the record.
    #[error("{0}")]
    Sink(String),
    /// There is no export there.
    #[error("{}: {what}", path.display())]
    NoExport {
        /// Where.
        path: PathBuf,
        /// What is missing.
        what: String,
    },
    /// There is something already that the file would replace.
    #[error("{} is there already; nothing was written", .0.display())]
    Exists(PathBuf),
    /// A file of an export is not what its manifest says.
    #[error("{}: {what}", path.display())]
    Altered {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A line of an export cannot be what it is.
    #[error("{}, line {line}: {what}", path.display())]
    Line {
        /// In which file.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
}

impl ExportError {
    pub(super) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |error| Self::Io { what, path, error }
    }
}
