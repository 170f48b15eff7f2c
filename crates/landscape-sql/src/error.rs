//! From the database's errors to ours.

use elspeth_landscape::LandscapeError;
use elspeth_postgres::PgFailure;

use crate::db::DbError;

/// Why something could not be written: the database refused, or what is there contradicts itself.
#[derive(Debug)]
pub(crate) enum WriteFailed {
    Database(DbError),
    Record(LandscapeError),
}

impl From<rusqlite::Error> for WriteFailed {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.into())
    }
}

impl From<DbError> for WriteFailed {
    fn from(error: DbError) -> Self {
        Self::Database(error)
    }
}

impl From<LandscapeError> for WriteFailed {
    fn from(error: LandscapeError) -> Self {
        Self::Record(error)
    }
}

impl WriteFailed {
    /// As it is told; `context` says what was being done when the database refused.
    pub(crate) fn told(self, context: impl FnOnce() -> String) -> LandscapeError {
        match self {
            Self::Database(error) => error.told(context()),
            Self::Record(error) => error,
        }
    }
}

const BUSY: i64 = 5;
const LOCKED: i64 = 6;
const READONLY: i64 = 8;
const IOERR: i64 = 10;
const FULL: i64 = 13;
const CANTOPEN: i64 = 14;
const NOTADB: i64 = 26;

/// The primary codes for which waiting can help.
const RETRYABLE: [i64; 2] = [BUSY, LOCKED];
/// What a reader meets that may not make the log's index.
const UNWRITABLE: [i64; 2] = [READONLY, CANTOPEN];

/// Says what was being done when the database failed.
pub(crate) fn store_error(context: impl Into<String>, error: &sqlx::Error) -> LandscapeError {
    let code = primary_code(error);
    let message = match error {
        sqlx::Error::Database(database) => plain_message(database.message(), code),
        other => other.to_string(),
    };
    LandscapeError::Store {
        context: context.into(),
        message,
        retryable: code.is_some_and(|code| RETRYABLE.contains(&code)),
    }
}

/// Whether something could not be written or created.
pub(crate) fn forbids_writing(error: &rusqlite::Error) -> bool {
    write_code(error).is_some_and(|code| UNWRITABLE.contains(&code))
}

/// The database's own words, and what can be done about it.
fn plain_message(message: &str, code: Option<i64>) -> String {
    let advice = match code {
        Some(NOTADB) => return "this file is not an SQLite database".to_owned(),
        Some(BUSY | LOCKED) => "another program holds it; let that one finish",
        Some(READONLY) => "let the user that runs elspeth write that file and its folder",
        Some(CANTOPEN) => "let the user that runs elspeth read and write that file and its folder",
        Some(IOERR) => {
            "the disk is full or failing, or a quota or a limit on the size of files is reached; the system's log may say more"
        }
        Some(FULL) => "make room on that disk",
        _ => return message.to_owned(),
    };
    format!("{message}; {advice}")
}

/// The low byte of SQLite's extended result code.
fn primary_code(error: &sqlx::Error) -> Option<i64> {
    let code: i64 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

/// The same for the connections of a writer.
pub(crate) fn write_error(context: impl Into<String>, error: &rusqlite::Error) -> LandscapeError {
    let code = write_code(error);
    let message = match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => plain_message(message, code),
        other => plain_message(&other.to_string(), code),
    };
    LandscapeError::Store {
        context: context.into(),
        message,
        retryable: code.is_some_and(|code| RETRYABLE.contains(&code)),
    }
}

fn write_code(error: &rusqlite::Error) -> Option<i64> {
    error.sqlite_error().map(|failure| i64::from(failure.extended_code & 0xff))
}

/// The same for PostgreSQL.
pub(crate) fn postgres_error(context: impl Into<String>, error: &sqlx::Error) -> LandscapeError {
    let PgFailure { message, advice, retryable, .. } = PgFailure::of(error);
    let message = advice.map_or_else(|| message.clone(), |advice| format!("{message}; {advice}"));
    LandscapeError::Store { context: context.into(), message, retryable }
}

/// Whether a server went away, or does not take connections yet.
pub(crate) fn is_lost(error: &sqlx::Error) -> bool {
    PgFailure::of(error).lost
}
