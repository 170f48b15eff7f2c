//! Connections: files, folders and settings of the database.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use elspeth_contracts::create_durable;
use elspeth_landscape::LandscapeError;
use rusqlite::{Connection, OpenFlags};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};

use crate::error::{forbids_writing, write_error};
use crate::fresh;
use crate::schema::{self, Found};

/// Compiled statements that a writer keeps: the texts of one run's inserts are far fewer.
const WRITER_STATEMENTS: usize = 400;
/// Pages in the write-ahead log after which the writer begins it anew, once all of it is copied into the database (32 MiB).
const LOG_PAGES: u32 = 4096;

fn options(path: &Path, patience: Duration) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(patience)
        .foreign_keys(true)
        .synchronous(SqliteSynchronous::Full)
        .disable_statement_logging()
}

/// Whether a commit waits until it is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Synchronous {
    /// It does: what is committed survives whatever happens.
    #[default]
    Full,
    /// It does not: a power failure, or a crash of the system, can cost the database. A crash of this program costs nothing.
    Off,
}

impl Synchronous {
    const fn pragma(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Off => "OFF",
        }
    }
}

/// Opens the connection that writes runs, and brings the database to the newest version; creates folders, file and tables
/// where they do not exist.
pub(crate) fn writer(
    path: &Path,
    patience: Duration,
    synchronous: Synchronous,
) -> Result<Connection, LandscapeError> {
    let synchronous = synchronous.pragma();
    let failed = |error| write_error(format!("opening audit database {}", path.display()), &error);
    create_parent(path)?;
    fresh::publish(path)?;
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(patience).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(WRITER_STATEMENTS);
    let location = path.display().to_string();
    let found = schema::found(&connection, &location)?;
    if let Found::Nothing = found {
        connection.pragma_update(None, "page_size", schema::PAGE_SIZE).map_err(failed)?;
    }
    connection
        .execute_batch(&format!(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous}; PRAGMA foreign_keys = ON;
            PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = {LOG_PAGES}; PRAGMA cache_size = -16384;
            PRAGMA secure_delete = FAST;"
        ))
        .map_err(failed)?;
    match found {
        // Tables without a record need not be durable before the first run is.
        Found::Nothing | Found::Tables => {
            connection.execute_batch("PRAGMA synchronous = NORMAL").map_err(failed)?;
            schema::migrate(&connection, &location)?;
            connection.pragma_update(None, "synchronous", synchronous).map_err(failed)?;
        }
        found if found != Found::newest() => schema::migrate(&connection, &location)?,
        Found::Record(_) => schema::check_own(&connection, &location)?,
    }
    Ok(connection)
}

/// The connection of the thread that counts while a run is written.
pub(crate) fn counter(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.execute_batch("PRAGMA temp_store = MEMORY")?;
    Ok(connection)
}

/// The connection of the thread that copies the log into the database while a run is written.
pub(crate) fn folder(path: &Path, synchronous: Synchronous) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    let synchronous = synchronous.pragma();
    connection
        .execute_batch(&format!("PRAGMA synchronous = {synchronous}; PRAGMA wal_autocheckpoint = 0"))?;
    Ok(connection)
}

/// The write-ahead log of a database.
pub(crate) fn log_of(database: &Path) -> PathBuf {
    beside(database, "-wal")
}

fn beside(database: &Path, ending: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

/// Removes an empty log and its index: they stay where the last one to close the database may only read it. Changes nothing
/// else, and nothing while somebody else has the database open.
pub(crate) fn tidy(path: &Path) {
    if !std::fs::metadata(log_of(path)).is_ok_and(|log| log.len() == 0) {
        return;
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if let Ok(connection) = Connection::open_with_flags(path, flags) {
        // Who has read something closes the log with the database. Where that cannot be, they stay, and harm nobody.
        let _ = connection.query_row("PRAGMA application_id", (), |_| Ok(()));
    }
}

/// A connection of a thread that reads a whole run; the database was opened by [`reader`] before.
pub(crate) fn scan(path: &Path, patience: Duration) -> rusqlite::Result<Connection> {
    let connection = looking(path, patience)?;
    connection.execute_batch("PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 1073741824")?;
    Ok(connection)
}

/// A connection that only reads; the database was opened by [`reader`] before.
pub(crate) fn looking(path: &Path, patience: Duration) -> rusqlite::Result<Connection> {
    match try_reading(path, patience, false) {
        Err(error) if forbids_writing(&error) && is_at_rest(path) => try_reading(path, patience, true),
        other => other,
    }
}

/// Options with which readers can open the database; checks that it is one of ours and of a known version.
pub(crate) fn reader(path: &Path, patience: Duration) -> Result<SqliteConnectOptions, LandscapeError> {
    let context = || format!("opening audit database {}", path.display());
    existing(path)?;
    let mut options = options(path, patience).read_only(true);
    let connection = match try_reading(path, patience, false) {
        Err(error) if forbids_writing(&error) && is_at_rest(path) => {
            options = options.immutable(true);
            try_reading(path, patience, true)
        }
        other => other,
    }
    .map_err(|error| write_error(context(), &error))?;
    schema::check_readable(&connection, &path.display().to_string())?;
    Ok(options)
}

/// Refuses a file that is not there, before anything makes it.
pub(crate) fn existing(path: &Path) -> Result<(), LandscapeError> {
    if path.is_file() {
        return Ok(());
    }
    Err(LandscapeError::Store {
        context: format!("audit database {}", path.display()),
        message: "there is no such file; name the database with `-d PATH`, or run a pipeline that writes it"
            .to_owned(),
        retryable: false,
    })
}

/// A connection that has read something: SQLite opens files no earlier than it needs them.
fn try_reading(path: &Path, patience: Duration, immutable: bool) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = if immutable {
        let flags = flags | OpenFlags::SQLITE_OPEN_URI;
        Connection::open_with_flags(immutable_url(path), flags)?
    } else {
        Connection::open_with_flags(path, flags)?
    };
    connection.busy_timeout(patience)?;
    connection.query_row("PRAGMA application_id", (), |_| Ok(()))?;
    Ok(connection)
}

/// The URL of a file that nothing changes. Whatever could mean something in a URL is written as its number.
fn immutable_url(path: &Path) -> String {
    let mut url = "file:".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                url.push(char::from(*byte))
            }
            _ => write!(url, "%{byte:02X}").expect("a String takes all text"),
        }
    }
    url + "?immutable=1"
}

/// Whether nothing waits in a write-ahead log, and no transaction in a rollback journal, so that the file alone is the whole
/// database. A reader that may not write to the folder cannot use the log's index, and need not.
fn is_at_rest(path: &Path) -> bool {
    [log_of(path), beside(path, "-journal")]
        .iter()
        .all(|file| std::fs::metadata(file).map_or(true, |file| file.len() == 0))
}

fn create_parent(path: &Path) -> Result<(), LandscapeError> {
    let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) else { return Ok(()) };
    create_durable(parent).map_err(|error| LandscapeError::Store {
        context: format!("creating folder {} for audit database {}", parent.display(), path.display()),
        message: error.to_string(),
        retryable: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_means_nothing_in_a_url() {
        assert_eq!(immutable_url(Path::new("/a b/c?d#%.db")), "file:/a%20b/c%3Fd%23%25.db?immutable=1");
    }
}
