//! A SQLite file: opening, looking at tables, running statements, and what its errors mean.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use elspeth_plugin::SinkError;
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{Arguments as _, AssertSqlSafe, ConnectOptions as _, Executor as _, Row as _};

use super::column::{Column, Kind, Origin, affinity};
use super::insert::Admitted;
use super::store::{Blame, Cell, Done, ForeignKeys, Found, Record, Undone};
use super::table::Table;

/// How long another writer is waited for, in each of the attempts that `retry` allows.
const PATIENCE: Duration = Duration::from_secs(10);
/// What marks a file as the record of runs.
const RECORD_ID: i64 = 0x454c_5350;

const BUSY: i64 = 5;
const LOCKED: i64 = 6;
const READONLY: i64 = 8;
const IOERR: i64 = 10;
const FULL: i64 = 13;
const CANTOPEN: i64 = 14;
const TOOBIG: i64 = 18;
const CONSTRAINT: i64 = 19;
const MISMATCH: i64 = 20;
const NOTADB: i64 = 26;

/// An open database file.
#[derive(Debug)]
pub(super) struct SqliteStore {
    path: PathBuf,
    connection: SqliteConnection,
}

impl SqliteStore {
    /// Opens a database for writing; the file is created where there is none.
    ///
    /// # Errors
    /// It cannot be opened, or is none that rows may be written to.
    pub(super) async fn open(path: &Path, foreign_keys: ForeignKeys) -> Result<Self, SinkError> {
        let options = options(path)
            .create_if_missing(true)
            .foreign_keys(foreign_keys == ForeignKeys::Checked)
            // A view over a table that is replaced must not stop the new table from getting its name.
            .pragma("legacy_alter_table", "ON");
        Self::connect(path, &options).await
    }

    /// Opens a database that exists to look at it, without leaving a trace beside it.
    ///
    /// # Errors
    /// As above.
    pub(super) async fn look(path: &Path) -> Result<Self, SinkError> {
        let at_rest = std::fs::metadata(log_of(path)).map_or(true, |log| log.len() == 0);
        Self::connect(path, &options(path).read_only(true).immutable(at_rest)).await
    }

    async fn connect(path: &Path, options: &SqliteConnectOptions) -> Result<Self, SinkError> {
        let connection = options.connect().await.map_err(|e| failure("open", path, &e))?;
        let mut store = Self { path: path.to_owned(), connection };
        store.check_purpose().await?;
        Ok(store)
    }

    /// A record of runs is no place for a pipeline's rows.
    async fn check_purpose(&mut self) -> Result<(), SinkError> {
        let id =
            sqlx::query("SELECT application_id FROM pragma_application_id").fetch_one(&mut self.connection);
        let id: i64 = id.await.map_err(|e| failure("open", &self.path, &e))?.get(0);
        if id != RECORD_ID {
            return Ok(());
        }
        let message = format!("`{}` is the record of runs", self.path.display());
        Err(SinkError::new(message).with_help("give the rows a database of their own"))
    }

    /// What bears that name.
    ///
    /// # Errors
    /// The database cannot be read.
    pub(super) async fn find(&mut self, table: &str) -> Result<Found, SinkError> {
        let sql = "SELECT type, coalesce(sql, '') FROM sqlite_schema
            WHERE name = ? COLLATE NOCASE AND type IN ('table', 'view')";
        let found = sqlx::query(sql).bind(table).fetch_optional(&mut self.connection).await;
        let Some(row) = found.map_err(|e| failure("read", &self.path, &e))? else {
            return Ok(Found::Nothing);
        };
        let (kind, sql): (String, String) = (row.get(0), row.get(1));
        if kind != "table" || sql.to_ascii_uppercase().starts_with("CREATE VIRTUAL") {
            let kind = if kind == "table" { "virtual table".to_owned() } else { kind };
            return Ok(Found::Other(kind));
        }
        self.columns(table).await.map(Found::Table)
    }

    async fn columns(&mut self, table: &str) -> Result<Vec<Column>, SinkError> {
        let sql = r#"SELECT name, type, "notnull", dflt_value IS NOT NULL, pk, hidden,
            (SELECT max(strict) FROM pragma_table_list(?1)) FROM pragma_table_xinfo(?1)"#;
        let rows = sqlx::query(sql).bind(table).fetch_all(&mut self.connection).await;
        let rows = rows.map_err(|e| failure("read", &self.path, &e))?;
        let columns = rows.iter().map(|row| {
            let declared: String = row.get(1);
            let numbers_rows = row.get::<i64, _>(4) > 0 && declared.eq_ignore_ascii_case("INTEGER");
            let origin = match (row.get::<i64, _>(5), row.get::<bool, _>(3) || numbers_rows) {
                (0, true) => Origin::RowOrDatabase,
                (0, false) => Origin::Row,
                _ => Origin::Generated,
            };
            // The one type of a strict table that other tables do not have.
            let keeps_all = row.get::<bool, _>(6) && declared.eq_ignore_ascii_case("ANY");
            let kind = if keeps_all { Kind::Any } else { affinity(&declared) };
            Column { name: row.get(0), cast: String::new(), declared, kind, not_null: row.get(2), origin }
        });
        Ok(columns.collect())
    }

    /// Runs statements that were made here and not of data.
    ///
    /// # Errors
    /// `doing`, with the cause.
    pub(super) async fn run(&mut self, sql: impl Into<String>, doing: &str) -> Result<(), SinkError> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.into()));
        let done = self.connection.execute(sql).await;
        done.map(drop).map_err(|e| failure(doing, &self.path, &e))
    }

    /// Goes back to a savepoint, which is gone where a constraint or trigger rolled everything back.
    ///
    /// # Errors
    /// The database fails.
    pub(super) async fn undo(&mut self, sql: &'static str) -> Result<Undone, SinkError> {
        let error = match self.connection.execute(sqlx::raw_sql(sql)).await {
            Ok(_) => return Ok(Undone::Savepoint),
            Err(error) => error,
        };
        match error.as_database_error() {
            Some(database) if database.message().starts_with("no such savepoint") => Ok(Undone::Transaction),
            _ => Err(self.failure("keep the transaction of", &error)),
        }
    }

    /// Runs a statement with values.
    ///
    /// # Errors
    /// As the database gives them.
    pub(super) async fn execute(&mut self, sql: &'static str, values: &[Cell]) -> Done<()> {
        sqlx::query_with(sql, arguments(values)).execute(&mut self.connection).await.map(drop)
    }

    /// The only row of a query, or none.
    ///
    /// # Errors
    /// As the database gives them.
    pub(super) async fn fetch(&mut self, sql: &'static str, values: &[Cell]) -> Done<Option<Record>> {
        let row = sqlx::query_with(sql, arguments(values)).fetch_optional(&mut self.connection).await?;
        row.map(|row| {
            Ok(Record { epoch: row.try_get(0)?, state: row.try_get(1)?, published: row.try_get(2)? })
        })
        .transpose()
    }

    /// Inserts rows of one layout by the text of a statement for so many; how many the table took.
    ///
    /// # Errors
    /// As the database gives them.
    pub(super) async fn insert(&mut self, table: &Table, text: Arc<str>, rows: &[Admitted<'_>]) -> Done<u64> {
        let done = sqlx::query_with(AssertSqlSafe(text), values(table, rows)).execute(&mut self.connection);
        Ok(done.await?.rows_affected())
    }

    /// An error of this database while `doing` something.
    pub(super) fn failure(&self, doing: &str, error: &sqlx::Error) -> SinkError {
        failure(doing, &self.path, error)
    }
}

fn arguments(cells: &[Cell]) -> SqliteArguments {
    let mut arguments = SqliteArguments::default();
    for cell in cells {
        let added = match cell {
            Cell::Text(text) => arguments.add(text.clone()),
            Cell::Int(number) => arguments.add(*number),
        };
        added.expect("numbers and texts always encode");
    }
    arguments
}

fn values(table: &Table, rows: &[Admitted<'_>]) -> SqliteArguments {
    let mut values = SqliteArguments::default();
    values.reserve(rows.iter().map(|row| row.layout.columns.len()).sum(), 0);
    for admitted in rows {
        for (number, value) in admitted.layout.columns.iter().zip(admitted.row.values()) {
            table.column(*number).bind(value, &mut values);
        }
    }
    values
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(PATIENCE)
        .synchronous(SqliteSynchronous::Full)
        .disable_statement_logging()
}

fn log_of(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    PathBuf::from(log)
}

/// Whose fault it is that rows were not inserted.
pub(super) fn blame(error: &sqlx::Error) -> Blame {
    match (primary_code(error), error.as_database_error()) {
        (Some(TOOBIG | CONSTRAINT | MISMATCH), Some(error)) => {
            Blame::Row(format!("the table refuses the row: {}", error.message()))
        }
        _ => Blame::Database,
    }
}

fn failure(doing: &str, path: &Path, error: &sqlx::Error) -> SinkError {
    let code = primary_code(error);
    let said = match (code, error.as_database_error()) {
        (Some(NOTADB), _) => "it is not an SQLite database".to_owned(),
        (_, Some(database)) => database.message().to_owned(),
        (_, None) => error.to_string(),
    };
    let mut failure = SinkError::new(format!("cannot {doing} `{}`: {said}", path.display()));
    failure.retryable = matches!(code, Some(BUSY | LOCKED));
    match code {
        Some(BUSY | LOCKED) => failure.with_help("another program writes to it; let it finish"),
        Some(FULL) => failure.with_help("make room on that disk"),
        Some(IOERR) => failure.with_help("find out what is wrong with that disk; the system's log says more"),
        Some(READONLY | CANTOPEN) => failure.with_help("let the user that runs elspeth write there"),
        Some(NOTADB) => failure.with_help("choose another file"),
        _ => failure,
    }
}

/// The low byte of SQLite's extended result code.
fn primary_code(error: &sqlx::Error) -> Option<i64> {
    let code: i64 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}
