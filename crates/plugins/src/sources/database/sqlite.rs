//! Reading from a SQLite file: one read transaction, values as they are stored.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use elspeth_plugin::SourceError;
use elspeth_value::Value;
use futures_util::TryStreamExt as _;
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{
    Arguments as _, AssertSqlSafe, Column as _, ConnectOptions as _, Connection as _, Executor as _,
    Row as _, SqlSafeStr as _, Statement as _, TypeInfo as _, ValueRef as _,
};

use super::position::{KeyPart, KeyValues};
use super::query::{KeyColumn, check_no_parameters};
use super::reader::{Found, Head, Job, Outlet};
use super::values::{float, whole};
use crate::sql_name::quoted;

/// How long another program is waited for, in each of the attempts that `retry` allows.
const PATIENCE: Duration = Duration::from_secs(10);

const BUSY: i64 = 5;
const LOCKED: i64 = 6;
const CANTOPEN: i64 = 14;
const NOTADB: i64 = 26;

/// What says which state of the file is read. The first read of the transaction fixes it.
const SNAPSHOT: &str = "SELECT sqlite_version(), CAST(page_size AS TEXT), CAST(page_count AS TEXT), CAST(schema_version AS TEXT),
    journal_mode FROM pragma_page_size, pragma_page_count, pragma_schema_version, pragma_journal_mode";
const FACTS: [&str; 5] = ["sqlite_version", "page_size", "pages", "schema_version", "journal_mode"];

/// Reads until there are no more rows, or nobody wants them.
///
/// # Errors
/// The file cannot be read, or the query not be run.
pub(super) async fn read(path: &Path, job: &Job, outlet: &mut Outlet) -> Result<(), SourceError> {
    let cannot = |error: &sqlx::Error| failure(path, error);
    let options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .busy_timeout(PATIENCE)
        .pragma("query_only", "ON")
        .disable_statement_logging();
    if !path.exists() {
        let message = format!("cannot read `{}`: there is no such file", path.display());
        return Err(SourceError::new(message)
            .with_help("relative paths are relative to the folder in which elspeth runs"));
    }
    let mut connection = options.connect().await.map_err(|error| cannot(&error))?;
    connection.execute("BEGIN").await.map_err(|error| cannot(&error))?;
    let facts = snapshot(&mut connection, path).await.map_err(|error| cannot(&error))?;
    let columns = describe(&mut connection, job, path).await?;
    let key = key_columns(&columns, &job.query.find_key(&columns)?);
    if outlet.begin(Head { columns: columns.clone(), facts }).is_err() {
        return Ok(());
    }
    let values: Vec<_> = columns.iter().map(|column| format!("r.{}", quoted(column))).collect();
    let statement = job.query.statement(&values, &key, job.behind.is_some());
    let arguments = arguments(job.behind.as_ref()).map_err(|error| cannot(&error))?;
    let query = sqlx::query_with(AssertSqlSafe(statement), arguments).persistent(false);
    let mut rows = query.fetch(&mut connection);
    while let Some(row) = rows.try_next().await.map_err(|error| cannot(&error))? {
        if outlet.put(found(&row, &columns, &key, path)?).is_err() {
            return Ok(());
        }
    }
    drop(rows);
    outlet.end();
    // All rows are there.
    let _ = connection.close().await;
    Ok(())
}

async fn snapshot(connection: &mut SqliteConnection, path: &Path) -> sqlx::Result<BTreeMap<String, String>> {
    let row = sqlx::query(SNAPSHOT).fetch_one(connection).await?;
    let fact = |(n, name): (usize, &&str)| Ok(((*name).to_owned(), row.try_get_unchecked(n)?));
    let mut facts: BTreeMap<_, _> = FACTS.iter().enumerate().map(fact).collect::<sqlx::Result<_>>()?;
    let mut header = [0; 28];
    let mut file = File::open(path).map_err(sqlx::Error::Io)?;
    file.read_exact(&mut header).map_err(sqlx::Error::Io)?;
    let counter = u32::from_be_bytes([header[24], header[25], header[26], header[27]]);
    facts.insert("change_counter".to_owned(), counter.to_string());
    facts.insert("file_bytes".to_owned(), file.metadata().map_err(sqlx::Error::Io)?.len().to_string());
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let log = std::fs::metadata(log).map_or(0, |about| about.len());
    facts.insert("wal_bytes".to_owned(), log.to_string());
    Ok(facts)
}

/// The columns of the query, which also shows that it is one.
async fn describe(
    connection: &mut SqliteConnection,
    job: &Job,
    path: &Path,
) -> Result<Vec<String>, SourceError> {
    let prepare = |sql: String| AssertSqlSafe(sql).into_sql_str();
    let alone = connection.prepare(prepare(job.query.alone().to_owned())).await;
    let alone = alone.map_err(|error| unusable(path, &error))?;
    check_no_parameters(&alone)?;
    let columns = alone.columns().iter().map(|column| column.name().to_owned()).collect();
    // Alone, only the first of several statements is looked at.
    let as_table = connection.prepare(prepare(job.query.described())).await;
    as_table.map_err(|error| unusable(path, &error))?;
    Ok(columns)
}

fn unusable(path: &Path, error: &sqlx::Error) -> SourceError {
    let failure = failure(path, error);
    match error.as_database_error() {
        Some(database) if failure.help.is_none() => {
            let why = database.message();
            SourceError::new(format!("the query cannot be run in `{}`: {why}", path.display()))
                .with_help("it must be one SELECT that the database can run")
        }
        _ => failure,
    }
}

/// How rows are ordered: texts by their bytes, whatever the column's collation.
fn key_columns(columns: &[String], places: &[usize]) -> Vec<KeyColumn> {
    let part = |(n, place): (usize, &usize)| {
        let order = format!("r.{} COLLATE BINARY", quoted(&columns[*place]));
        KeyColumn { column: *place, order, parameter: format!("?{}", n + 1) }
    };
    places.iter().enumerate().map(part).collect()
}

fn arguments(behind: Option<&KeyValues>) -> sqlx::Result<SqliteArguments> {
    let mut arguments = SqliteArguments::default();
    for part in behind.map_or(&[][..], |key| &key.0) {
        let added = match part {
            KeyPart::Int(number) => arguments.add(*number),
            KeyPart::Text(text) => arguments.add(text.clone()),
        };
        added.map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

fn found(row: &SqliteRow, columns: &[String], key: &[KeyColumn], path: &Path) -> Result<Found, SourceError> {
    let part = |part: &KeyColumn| key_part(row, part.column, &columns[part.column], path).transpose();
    let key: Option<Result<Vec<_>, _>> = key.iter().map(part).collect();
    let key = key.transpose()?.map(KeyValues);
    let values = (0..columns.len()).map(|n| value(row, n)).collect::<sqlx::Result<_>>();
    Ok(Found { values: values.map_err(|error| failure(path, &error))?, key })
}

/// A part of the key; nothing for null.
fn key_part(row: &SqliteRow, n: usize, name: &str, path: &Path) -> Result<Option<KeyPart>, SourceError> {
    let failed = |error: sqlx::Error| failure(path, &error);
    let raw = row.try_get_raw(n).map_err(failed)?;
    if raw.is_null() {
        return Ok(None);
    }
    match raw.type_info().name() {
        "INTEGER" | "BOOLEAN" => {
            row.try_get_unchecked(n).map(|number| Some(KeyPart::Int(number))).map_err(failed)
        }
        "TEXT" => row.try_get_unchecked(n).map(|text| Some(KeyPart::Text(text))).map_err(failed),
        other => {
            let message =
                format!("the column `{name}` cannot be in a key, since it has a value of type {other}");
            Err(SourceError::new(message)
                .with_help("a key is of whole numbers or texts; cast it in the query"))
        }
    }
}

fn value(row: &SqliteRow, n: usize) -> sqlx::Result<Value> {
    let raw = row.try_get_raw(n)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let declared_bool = row.column(n).type_info().name() == "BOOLEAN";
    Ok(match raw.type_info().name() {
        "INTEGER" | "BOOLEAN" => whole(row.try_get_unchecked(n)?, declared_bool),
        "REAL" => float(row.try_get_unchecked(n)?),
        // A text that is none in truth is kept as the bytes that it is.
        "TEXT" => match row.try_get_unchecked::<&str, _>(n) {
            Ok(text) => Value::Str(text.into()),
            Err(_) => Value::Bytes(row.try_get_unchecked::<&[u8], _>(n)?.into()),
        },
        _ => Value::Bytes(row.try_get_unchecked::<&[u8], _>(n)?.into()),
    })
}

fn failure(path: &Path, error: &sqlx::Error) -> SourceError {
    // The low byte of SQLite's extended result code.
    let code = error.as_database_error().and_then(|e| e.code()?.parse::<i64>().ok()).map(|code| code & 0xff);
    let said = match (code, error.as_database_error()) {
        (Some(NOTADB), _) => "it is not an SQLite database".to_owned(),
        (_, Some(database)) => database.message().to_owned(),
        (_, None) => error.to_string(),
    };
    let mut failure = SourceError::new(format!("cannot read `{}`: {said}", path.display()));
    failure.retryable = matches!(code, Some(BUSY | LOCKED));
    match code {
        Some(BUSY | LOCKED) => failure.with_help("another program writes to it; let it finish"),
        Some(CANTOPEN) => {
            failure.with_help("let the user that runs elspeth read it; in WAL mode also write to its folder")
        }
        Some(NOTADB) => failure.with_help("choose another file"),
        _ => failure,
    }
}
