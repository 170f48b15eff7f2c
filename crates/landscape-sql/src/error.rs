//! From the database's errors to ours.

use elspeth_landscape::LandscapeError;

/// `SQLITE_BUSY` and `SQLITE_LOCKED`, the primary codes for which waiting can help.
const RETRYABLE: [i64; 2] = [5, 6];
/// `SQLITE_NOTADB`.
const NOTADB: i64 = 26;
/// `SQLITE_READONLY` and `SQLITE_CANTOPEN`: what a reader meets that may not make the log's index.
const UNWRITABLE: [i64; 2] = [8, 14];

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

fn plain_message(message: &str, code: Option<i64>) -> String {
    match code {
        Some(NOTADB) => "this file is not an SQLite database".to_owned(),
        _ => message.to_owned(),
    }
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
