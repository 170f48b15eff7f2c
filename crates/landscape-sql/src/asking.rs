//! How a reader asks either database.

use elspeth_landscape::LandscapeError;
use sqlx::postgres::PgRow;
use sqlx::sqlite::{SqliteArguments, SqlitePool, SqliteRow};
use sqlx::{Arguments as _, Sqlite, Transaction};

use crate::db::Bind;
use crate::error::{postgres_error, store_error};
use crate::postgres::Session;

/// One record.
pub(crate) enum StoredRow {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// What the values of a reader's statements are.
#[derive(Debug, Clone)]
pub(crate) enum Asked {
    Int(Option<i64>),
    Text(String),
}

/// Where a reader reads.
pub(crate) enum Source {
    Sqlite(SqlitePool),
    Postgres(Session),
}

/// One consistent state for several questions.
pub(crate) enum Snapshot<'a> {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(PostgresSnapshot<'a>),
}

/// A transaction, which ends with it.
pub(crate) struct PostgresSnapshot<'a>(&'a Session);

impl Drop for PostgresSnapshot<'_> {
    fn drop(&mut self) {
        // A session that is lost has no transaction either.
        let _ = self.0.batch("ROLLBACK");
    }
}

impl Source {
    /// All records that a query gives; `what` is being done.
    pub(crate) async fn rows(
        &self,
        sql: &'static str,
        values: &[Asked],
        what: &str,
    ) -> Result<Vec<StoredRow>, LandscapeError> {
        match self {
            Self::Sqlite(pool) => {
                let rows = sqlx::query_with(sql, arguments(values)).fetch_all(pool).await;
                let rows = rows.map_err(|error| store_error(what, &error))?;
                Ok(rows.into_iter().map(StoredRow::Sqlite).collect())
            }
            Self::Postgres(session) => asked(session, sql, values, what),
        }
    }

    pub(crate) async fn snapshot(&self, what: &str) -> Result<Snapshot<'_>, LandscapeError> {
        match self {
            Self::Sqlite(pool) => {
                let begun = pool.begin().await.map_err(|error| store_error(what, &error))?;
                Ok(Snapshot::Sqlite(begun))
            }
            Self::Postgres(session) => {
                let begun = session.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
                begun.map_err(|error| postgres_error(what, &error))?;
                Ok(Snapshot::Postgres(PostgresSnapshot(session)))
            }
        }
    }
}

impl Snapshot<'_> {
    /// See [`Source::rows`].
    pub(crate) async fn rows(
        &mut self,
        sql: &'static str,
        values: &[Asked],
        what: &str,
    ) -> Result<Vec<StoredRow>, LandscapeError> {
        match self {
            Self::Sqlite(transaction) => {
                let rows = sqlx::query_with(sql, arguments(values)).fetch_all(&mut **transaction).await;
                let rows = rows.map_err(|error| store_error(what, &error))?;
                Ok(rows.into_iter().map(StoredRow::Sqlite).collect())
            }
            Self::Postgres(PostgresSnapshot(session)) => asked(session, sql, values, what),
        }
    }
}

fn arguments(values: &[Asked]) -> SqliteArguments {
    let mut arguments = SqliteArguments::default();
    for value in values {
        let added = match value {
            Asked::Int(number) => arguments.add(*number),
            Asked::Text(text) => arguments.add(text.clone()),
        };
        added.expect("numbers and texts always encode");
    }
    arguments
}

fn asked(
    session: &Session,
    sql: &'static str,
    values: &[Asked],
    what: &str,
) -> Result<Vec<StoredRow>, LandscapeError> {
    let values: Vec<&dyn Bind> = values
        .iter()
        .map(|value| match value {
            Asked::Int(number) => number as &dyn Bind,
            Asked::Text(text) => text as &dyn Bind,
        })
        .collect();
    let rows = session.rows(sql, &values).map_err(|error| postgres_error(what, &error))?;
    Ok(rows.into_iter().map(StoredRow::Postgres).collect())
}
