//! Connections: files, folders and settings of the database.

use std::path::Path;
use std::time::Duration;

use elspeth_landscape::LandscapeError;
use rusqlite::{Connection, OpenFlags};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Executor as _};

use crate::error::{forbids_writing, store_error, write_error};
use crate::schema::{self, Found};

/// Compiled statements that a writer keeps: the texts of one run's inserts are far fewer.
const WRITER_STATEMENTS: usize = 400;
/// Bytes of a page; larger pages mean fewer of them to log for each epoch.
const PAGE_SIZE: u32 = 8192;
/// Pages in the write-ahead log after which it is copied into the database (32 MiB).
const CHECKPOINT_PAGES: u32 = 4096;

fn options(path: &Path, patience: Duration) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(patience)
        .foreign_keys(true)
        .synchronous(SqliteSynchronous::Full)
        .disable_statement_logging()
}

/// Opens the connection that writes runs. The database is there and of the newest version.
pub(crate) fn writer(path: &Path, patience: Duration) -> Result<Connection, LandscapeError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(patience)?;
        connection.set_prepared_statement_cache_capacity(WRITER_STATEMENTS);
        connection.execute_batch(&format!(
            "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;
            PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}; PRAGMA cache_size = -16384;"
        ))?;
        Ok(connection)
    };
    open().map_err(|error| write_error(format!("opening audit database {}", path.display()), &error))
}

/// Brings the database to the newest version; creates folders, file and tables where they do not exist.
pub(crate) async fn prepare(path: &Path, patience: Duration) -> Result<SqliteConnection, LandscapeError> {
    let context = || format!("opening audit database {}", path.display());
    create_parent(path)?;
    let mut connection = options(path, patience)
        .create_if_missing(true)
        .connect()
        .await
        .map_err(|error| store_error(context(), &error))?;
    let location = path.display().to_string();
    if let Found::Nothing = schema::found(&mut connection, &location).await? {
        let page_size = sqlx::AssertSqlSafe(format!("PRAGMA page_size = {PAGE_SIZE}"));
        connection.execute(sqlx::raw_sql(page_size)).await.map_err(|error| store_error(context(), &error))?;
    }
    connection.execute("PRAGMA journal_mode = WAL").await.map_err(|error| store_error(context(), &error))?;
    schema::migrate(&mut connection, &location).await?;
    Ok(connection)
}

/// One more connection that asks about the run that is being written.
pub(crate) async fn checker(path: &Path, patience: Duration) -> Result<SqliteConnection, LandscapeError> {
    let connecting = options(path, patience).read_only(true).connect().await;
    connecting.map_err(|error| store_error(format!("opening audit database {}", path.display()), &error))
}

/// Options with which readers can open the database; checks that it is one of ours and of a known version.
pub(crate) async fn reader(path: &Path, patience: Duration) -> Result<SqliteConnectOptions, LandscapeError> {
    let context = || format!("opening audit database {}", path.display());
    if !path.is_file() {
        return Err(LandscapeError::Store {
            context: format!("audit database {}", path.display()),
            message:
                "there is no such file; name the database with `-d PATH`, or run a pipeline that writes it"
                    .to_owned(),
            retryable: false,
        });
    }
    let mut options = options(path, patience).read_only(true);
    let mut connection = match try_reading(&options).await {
        Err(error) if forbids_writing(&error) && is_at_rest(path) => {
            options = options.immutable(true);
            try_reading(&options).await
        }
        other => other,
    }
    .map_err(|error| store_error(context(), &error))?;
    schema::check_readable(&mut connection, &path.display().to_string()).await?;
    Ok(options)
}

/// A connection that has read something: SQLite opens files no earlier than it needs them.
async fn try_reading(options: &SqliteConnectOptions) -> Result<SqliteConnection, sqlx::Error> {
    let mut connection = options.connect().await?;
    connection.fetch_optional("SELECT 1 FROM sqlite_schema LIMIT 1").await?;
    Ok(connection)
}

/// Whether nothing waits in a write-ahead log, so that the file alone is the whole database. A reader that may not
/// write to the folder cannot use the log's index, and need not.
fn is_at_rest(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(log).map_or(true, |log| log.len() == 0)
}

fn create_parent(path: &Path) -> Result<(), LandscapeError> {
    let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) else { return Ok(()) };
    std::fs::create_dir_all(parent).map_err(|error| LandscapeError::Store {
        context: format!("creating folder {} for audit database {}", parent.display(), path.display()),
        message: error.to_string(),
        retryable: false,
    })
}
