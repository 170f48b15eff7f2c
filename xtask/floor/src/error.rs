//! What can go wrong.

use std::path::PathBuf;

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("usage: xtask-floor floor DATABASE SCRATCH | xtask-floor measure OUTPUT PROGRAM [ARGUMENT...]")]
    Usage,
    #[error("{what}: {message}")]
    Sqlite { what: String, message: String },
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("the database holds {found} runs; the floor is taken of exactly one")]
    Runs { found: usize },
    #[error("table {table}: {written} records were written, {expected} are in the original")]
    Incomplete { table: String, written: u64, expected: u64 },
    #[error(
        "epoch {epoch}: {found} records are found, but {expected} were written; which are whose is not understood"
    )]
    Misplaced { epoch: i64, found: u64, expected: u64 },
}
