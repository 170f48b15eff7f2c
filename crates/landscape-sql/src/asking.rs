//! How a reader asks either database.

use std::sync::Arc;

use elspeth_landscape::LandscapeError;
use futures_executor::block_on;
use sqlx::postgres::PgRow;
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{Arguments as _, Connection as _, Sqlite, Transaction};
use tokio::sync::{Mutex, MutexGuard};

use crate::db::Bind;
use crate::error::{postgres_error, store_error};
use crate::place::Place;
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
    Sqlite(SqliteSource),
    Postgres(Session),
}

/// A connection, which answers one question after the other.
pub(crate) struct SqliteSource {
    /// `None` only when it is being dropped.
    connection: Option<Mutex<SqliteConnection>>,
    /// After the connection, so that the last user has closed it.
    _place: Arc<Place>,
}

/// A source that answers nobody else meanwhile.
pub(crate) enum Held<'a> {
    Sqlite(MutexGuard<'a, SqliteConnection>),
    Postgres(&'a Session),
}

/// One consistent state for several questions.
pub(crate) enum Snapshot<'a> {
    Sqlite(Transaction<'a, Sqlite>),
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

impl SqliteSource {
    pub(crate) fn new(connection: SqliteConnection, place: Arc<Place>) -> Self {
        Self { connection: Some(Mutex::new(connection)), _place: place }
    }

    async fn held(&self) -> MutexGuard<'_, SqliteConnection> {
        self.connection.as_ref().expect("it is not being dropped").lock().await
    }
}

impl Drop for SqliteSource {
    /// Waits until the connection is closed, by its own thread. Whoever drops it may be in an executor, so another thread waits;
    /// where none can be made, nobody does.
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            let close = || block_on(connection.into_inner().close());
            // Nothing was written through it, and nobody asks it any more.
            let closing = std::thread::Builder::new().spawn(close);
            drop(closing.map(std::thread::JoinHandle::join));
        }
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
            Self::Sqlite(source) => sqlite_rows(&mut *source.held().await, sql, values, what).await,
            Self::Postgres(session) => asked(session, sql, values, what),
        }
    }

    /// For several questions in a row.
    pub(crate) async fn held(&self) -> Held<'_> {
        match self {
            Self::Sqlite(source) => Held::Sqlite(source.held().await),
            Self::Postgres(session) => Held::Postgres(session),
        }
    }
}

impl Held<'_> {
    pub(crate) async fn snapshot(&mut self, what: &str) -> Result<Snapshot<'_>, LandscapeError> {
        match self {
            Self::Sqlite(connection) => {
                let begun = connection.begin().await.map_err(|error| store_error(what, &error))?;
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
            Self::Sqlite(transaction) => sqlite_rows(transaction, sql, values, what).await,
            Self::Postgres(PostgresSnapshot(session)) => asked(session, sql, values, what),
        }
    }
}

async fn sqlite_rows(
    connection: &mut SqliteConnection,
    sql: &'static str,
    values: &[Asked],
    what: &str,
) -> Result<Vec<StoredRow>, LandscapeError> {
    let rows = sqlx::query_with(sql, arguments(values)).fetch_all(connection).await;
    let rows = rows.map_err(|error| store_error(what, &error))?;
    Ok(rows.into_iter().map(StoredRow::Sqlite).collect())
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
