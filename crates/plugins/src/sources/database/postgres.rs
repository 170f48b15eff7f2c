//! Reading from PostgreSQL: one `REPEATABLE READ READ ONLY` transaction, every column as text.

use std::collections::BTreeMap;

use elspeth_plugin::SourceError;
use elspeth_postgres::{PgAddress, PgFailure};
use futures_util::TryStreamExt as _;
use sqlx::postgres::{PgArguments, PgColumn, PgConnection, PgRow, PgTypeKind};
use sqlx::{
    Arguments as _, AssertSqlSafe, Column as _, Connection as _, Executor as _, Row as _, SqlSafeStr as _,
    Statement as _, TypeInfo as _,
};

use super::position::{KeyPart, KeyValues};
use super::query::{KeyColumn, check_no_parameters};
use super::reader::{Found, Head, Job, Outlet};
use super::values::{Type, value};
use crate::sql_name::quoted;

/// How values are written as text.
const SETTINGS: &str = "SET client_min_messages = warning; SET lock_timeout = 10000; SET TimeZone = 'UTC';
    SET DateStyle = 'ISO, YMD'; SET bytea_output = 'hex'; SET extra_float_digits = 1;
    BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
/// What says which state of the database is read: with the place in the write-ahead log a backup can be brought to it.
const SNAPSHOT: &str =
    "SELECT current_database()::text, current_user::text, version(), pg_current_snapshot()::text,
    CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END::text,
    to_char(transaction_timestamp(), 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')";
const FACTS: [&str; 6] =
    ["database", "user", "server_version", "transaction_snapshot", "wal_position", "transaction_began"];

/// A column of the query.
struct Column {
    name: String,
    ty: Type,
}

/// Reads until there are no more rows, or nobody wants them.
///
/// # Errors
/// The server does not let us in, refuses the query, or goes away.
pub(super) async fn read(address: &PgAddress, job: &Job, outlet: &mut Outlet) -> Result<(), SourceError> {
    let location = address.location();
    let cannot = |error: &sqlx::Error| failure(location, error);
    let mut connection = address.connect().await.map_err(|error| cannot(&error))?;
    connection.execute(sqlx::raw_sql(SETTINGS)).await.map_err(|error| cannot(&error))?;
    let columns = describe(&mut connection, job, location).await?;
    let facts = snapshot(&mut connection).await.map_err(|error| cannot(&error))?;
    let names: Vec<_> = columns.iter().map(|column| column.name.clone()).collect();
    let key = key_columns(&columns, &job.query.find_key(&names)?)?;
    if outlet.begin(Head { columns: names, facts }).is_err() {
        return Ok(());
    }
    let values: Vec<_> = columns.iter().map(|column| format!("r.{}::text", quoted(&column.name))).collect();
    let statement = job.query.statement(&values, &key, job.behind.is_some());
    let arguments = arguments(job.behind.as_ref()).map_err(|error| cannot(&error))?;
    let query = sqlx::query_with(AssertSqlSafe(statement), arguments).persistent(false);
    let mut rows = query.fetch(&mut connection);
    while let Some(row) = rows.try_next().await.map_err(|error| cannot(&error))? {
        if outlet.put(found(&row, &columns, &key).map_err(|error| cannot(&error))?).is_err() {
            return Ok(());
        }
    }
    drop(rows);
    outlet.end();
    // All rows are there; whether the server hears of it makes no difference.
    let _ = connection.close().await;
    Ok(())
}

/// The columns of the query, which also shows that it is one.
async fn describe(
    connection: &mut PgConnection,
    job: &Job,
    location: &str,
) -> Result<Vec<Column>, SourceError> {
    let unusable = |error: &sqlx::Error| {
        let failure = failure(location, error);
        if failure.retryable {
            return failure;
        }
        let why = PgFailure::of(error).message;
        SourceError::new(format!("the query cannot be run in `{location}`: {why}")).with_help(
            failure.help.unwrap_or_else(|| "it must be one SELECT that the database can run".to_owned()),
        )
    };
    let prepare = |sql: String| AssertSqlSafe(sql).into_sql_str();
    let alone = connection.prepare(prepare(job.query.alone().to_owned())).await;
    let alone = alone.map_err(|error| unusable(&error))?;
    check_no_parameters(&alone)?;
    // What changes data may stand alone, but not as a table.
    let as_table = connection.prepare(prepare(job.query.described())).await;
    as_table.map_err(|error| unusable(&error))?;
    alone.columns().iter().map(column).collect()
}

fn column(column: &PgColumn) -> Result<Column, SourceError> {
    let name = column.name().to_owned();
    let info = column.type_info();
    let ty = match info.name() {
        "INT2" | "INT4" | "INT8" => Type::Int,
        "FLOAT4" | "FLOAT8" => Type::Float,
        "NUMERIC" => Type::Decimal,
        "BOOL" => Type::Bool,
        "TEXT" | "VARCHAR" | "CHAR" | "NAME" | "\"CHAR\"" | "citext" => Type::Text,
        "UUID" => Type::Uuid,
        "DATE" => Type::Date,
        "TIMESTAMP" => Type::LocalTime,
        "TIMESTAMPTZ" => Type::Moment,
        "JSON" | "JSONB" => Type::Json,
        "BYTEA" => Type::Bytes,
        _ if matches!(info.kind(), PgTypeKind::Enum(_)) => Type::Text,
        other => {
            let message = format!(
                "the column `{name}` of the query is of type {}, which rows cannot hold",
                other.to_ascii_lowercase()
            );
            return Err(SourceError::new(message).with_help(format!(
                "cast it in the query: `{}::text AS {}`",
                quoted(&name),
                quoted(&name)
            )));
        }
    };
    Ok(Column { name, ty })
}

/// How rows are ordered: texts by their bytes, whatever the database's collation.
fn key_columns(columns: &[Column], places: &[usize]) -> Result<Vec<KeyColumn>, SourceError> {
    let part = |(n, place): (usize, &usize)| {
        let Column { name, ty } = &columns[*place];
        let plain = format!("r.{}", quoted(name));
        let (order, cast) = match ty {
            Type::Text => (format!("{plain}::text COLLATE \"C\""), "text"),
            Type::Int => (plain, "int8"),
            Type::Uuid => (plain, "uuid"),
            Type::Date => (plain, "date"),
            Type::LocalTime => (plain, "timestamp"),
            Type::Moment => (plain, "timestamptz"),
            Type::Float | Type::Decimal | Type::Bool | Type::Json | Type::Bytes => {
                let message = format!("the column `{name}` cannot be in a key, since it is {}", ty.name());
                return Err(SourceError::new(message).with_help(
                    "a key is of whole numbers, texts, UUIDs, days or moments; cast it in the query",
                ));
            }
        };
        Ok(KeyColumn { column: *place, order, parameter: format!("${}::text::{cast}", n + 1) })
    };
    places.iter().enumerate().map(part).collect()
}

async fn snapshot(connection: &mut PgConnection) -> sqlx::Result<BTreeMap<String, String>> {
    let row = sqlx::query(SNAPSHOT).fetch_one(connection).await?;
    let fact = |(n, name): (usize, &&str)| {
        let value: Option<String> = row.try_get(n)?;
        Ok(((*name).to_owned(), value.unwrap_or_default()))
    };
    FACTS.iter().enumerate().map(fact).collect()
}

fn arguments(behind: Option<&KeyValues>) -> sqlx::Result<PgArguments> {
    let mut arguments = PgArguments::default();
    for part in behind.map_or(&[][..], |key| &key.0) {
        let text = match part {
            KeyPart::Int(number) => number.to_string(),
            KeyPart::Text(text) => text.clone(),
        };
        arguments.add(text).map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

fn found(row: &PgRow, columns: &[Column], key: &[KeyColumn]) -> sqlx::Result<Found> {
    let texts: sqlx::Result<Vec<Option<&str>>> = (0..columns.len()).map(|n| row.try_get(n)).collect();
    let texts = texts?;
    let part = |part: &KeyColumn| {
        let text = texts[part.column]?;
        Some(match (&columns[part.column].ty, text.parse()) {
            (Type::Int, Ok(number)) => KeyPart::Int(number),
            (_, _) => KeyPart::Text(text.to_owned()),
        })
    };
    let key = key.iter().map(part).collect::<Option<Vec<_>>>().map(KeyValues);
    let values = columns.iter().zip(&texts).map(|(column, text)| value(column.ty, *text)).collect();
    Ok(Found { values, key })
}

fn failure(location: &str, error: &sqlx::Error) -> SourceError {
    let PgFailure { message, advice, retryable, .. } = PgFailure::of(error);
    let mut failure = SourceError::new(format!("cannot read `{location}`: {message}"));
    failure.help = advice.map(str::to_owned);
    failure.retryable = retryable;
    failure
}
