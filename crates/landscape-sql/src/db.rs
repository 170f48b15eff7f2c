//! One way to ask and change either database, for whatever needs not be as fast as the writer of SQLite.
//!
//! SQL is written for SQLite; [`crate::postgres`] says the same to PostgreSQL, where both differ by little.

mod row;
mod value;

use std::fmt;
use std::sync::Arc;

use elspeth_landscape::LandscapeError;
use rusqlite::OptionalExtension as _;

use crate::error::{WriteFailed, is_lost, postgres_error, write_error};
use crate::place::Place;
use crate::postgres::Session;

pub(crate) use row::{Args, Row, plain};
pub(crate) use value::{Bind, values};

/// Why a database did not do what was asked.
#[derive(Debug)]
pub(crate) enum DbError {
    Sqlite(rusqlite::Error),
    Postgres(sqlx::Error),
}

impl fmt::Display for DbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(error) => error.fmt(f),
            Self::Postgres(error) => error.fmt(f),
        }
    }
}

impl From<rusqlite::Error> for DbError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        Self::Postgres(error)
    }
}

impl DbError {
    /// As it is told; `context` says what was being done.
    pub(crate) fn told(&self, context: impl Into<String>) -> LandscapeError {
        match self {
            Self::Sqlite(error) => write_error(context, error),
            Self::Postgres(error) => postgres_error(context, error),
        }
    }

    /// Whether the connection to a server is gone.
    pub(crate) fn is_loss(&self) -> bool {
        match self {
            Self::Sqlite(_) => false,
            Self::Postgres(error) => is_lost(error),
        }
    }

    /// What a record breaks that the database does not take.
    pub(crate) fn broken_constraint(&self) -> Option<String> {
        match self {
            Self::Sqlite(rusqlite::Error::SqliteFailure(failure, message))
                if failure.code == rusqlite::ErrorCode::ConstraintViolation =>
            {
                Some(message.as_deref().unwrap_or("a constraint").to_owned())
            }
            Self::Postgres(sqlx::Error::Database(error)) => {
                // Classes 22 (what is no such value) and 23 (constraints).
                let of_class = |class| error.code().is_some_and(|code| code.starts_with(class));
                (of_class("22") || of_class("23")).then(|| error.message().to_owned())
            }
            Self::Sqlite(_) | Self::Postgres(_) => None,
        }
    }
}

/// A connection that somebody else has.
#[derive(Clone, Copy)]
pub(crate) enum Db<'a> {
    Sqlite(&'a rusqlite::Connection),
    Postgres(&'a Session),
}

/// A connection.
pub(crate) enum Connection {
    Sqlite {
        connection: rusqlite::Connection,
        /// After the connection, so that the last user has closed it.
        _place: Arc<Place>,
    },
    Postgres(Session),
}

impl Connection {
    pub(crate) fn db(&self) -> Db<'_> {
        match self {
            Self::Sqlite { connection, .. } => Db::Sqlite(connection),
            Self::Postgres(session) => Db::Postgres(session),
        }
    }

    /// Begins with one moment; everything is of it until the next.
    pub(crate) fn snapshot(&self) -> Result<(), DbError> {
        match self {
            Self::Sqlite { connection, .. } => {
                connection.execute_batch("BEGIN")?;
                // The moment is that of the first look.
                Ok(connection.query_row("SELECT count(*) FROM runs", (), |_| Ok(()))?)
            }
            Self::Postgres(session) => Ok(session.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?),
        }
    }

    /// Goes from one moment to the one that is now.
    pub(crate) fn renew(&self) -> Result<(), DbError> {
        self.db().batch("COMMIT")?;
        self.snapshot()
    }
}

impl<'a> From<&'a rusqlite::Connection> for Db<'a> {
    fn from(connection: &'a rusqlite::Connection) -> Self {
        Self::Sqlite(connection)
    }
}

impl Db<'_> {
    /// Executes statements without values.
    pub(crate) fn batch(self, sql: &'static str) -> Result<(), DbError> {
        match self {
            Self::Sqlite(connection) => Ok(connection.execute_batch(sql)?),
            Self::Postgres(session) => Ok(session.batch(sql)?),
        }
    }

    /// Executes a statement, and says how many records it changed.
    pub(crate) fn execute(self, sql: &str, values: &[&dyn Bind]) -> Result<usize, DbError> {
        match self {
            Self::Sqlite(connection) => Ok(connection.prepare_cached(sql)?.execute(value::bound(values))?),
            Self::Postgres(session) => Ok(session.execute(sql, values)?),
        }
    }

    /// Inserts one record, and says the number that it got in the column `key`.
    pub(crate) fn inserted(self, sql: &str, values: &[&dyn Bind], key: &str) -> Result<i64, DbError> {
        match self {
            Self::Sqlite(connection) => {
                self.execute(sql, values)?;
                Ok(connection.last_insert_rowid())
            }
            Self::Postgres(_) => {
                let number = self.number(&format!("{sql} RETURNING {key}"), values)?;
                number.ok_or_else(|| sqlx::Error::RowNotFound.into())
            }
        }
    }

    /// Reads each record that a query gives, until one cannot be read.
    pub(crate) fn each<E: From<DbError>>(
        self,
        sql: &str,
        values: &[&dyn Bind],
        mut read: impl FnMut(&Row<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Self::Sqlite(connection) => {
                let mut statement = connection.prepare_cached(sql).map_err(DbError::from)?;
                let mut rows = statement.query(value::bound(values)).map_err(DbError::from)?;
                while let Some(row) = rows.next().map_err(DbError::from)? {
                    read(&Row::Sqlite(row))?;
                }
                Ok(())
            }
            Self::Postgres(session) => session.each(sql, values, |row| read(&Row::Postgres(row))),
        }
    }

    /// All records.
    pub(crate) fn list<T, E: From<DbError>>(
        self,
        sql: &str,
        values: &[&dyn Bind],
        read: impl Fn(&Row<'_>) -> Result<T, E>,
    ) -> Result<Vec<T>, E> {
        let mut list = Vec::new();
        self.each(sql, values, |row| {
            list.push(read(row)?);
            Ok::<(), E>(())
        })?;
        Ok(list)
    }

    /// The first record, if there is one.
    pub(crate) fn first<T, E: From<DbError>>(
        self,
        sql: &str,
        values: &[&dyn Bind],
        read: impl Fn(&Row<'_>) -> Result<T, E>,
    ) -> Result<Option<T>, E> {
        match self {
            Self::Sqlite(connection) => {
                let mut statement = connection.prepare_cached(sql).map_err(DbError::from)?;
                let found = statement
                    .query_row(value::bound(values), |row| Ok(read(&Row::Sqlite(row))))
                    .optional()
                    .map_err(DbError::from)?;
                found.transpose()
            }
            Self::Postgres(_) => Ok(self.list(sql, values, read)?.into_iter().next()),
        }
    }

    /// A number, where there is one.
    pub(crate) fn number(self, sql: &str, values: &[&dyn Bind]) -> Result<Option<i64>, DbError> {
        Ok(self.first(sql, values, |row| row.get::<Option<i64>>(0))?.flatten())
    }

    /// Begins to write: whoever else would, waits.
    pub(crate) fn begin(self) -> Result<(), DbError> {
        match self {
            Self::Sqlite(_) => self.batch("BEGIN IMMEDIATE"),
            Self::Postgres(_) => self.batch("BEGIN"),
        }
    }

    pub(crate) fn commit(self) -> Result<(), DbError> {
        match self {
            Self::Sqlite(_) => self.batch("COMMIT"),
            Self::Postgres(session) => Ok(session.commit()?),
        }
    }

    /// Ends the open transaction, if the failure that came before has not ended it already.
    pub(crate) fn abandon(self) -> Result<(), DbError> {
        match self {
            Self::Sqlite(connection) if connection.is_autocommit() => Ok(()),
            Self::Sqlite(_) | Self::Postgres(_) => self.batch("ROLLBACK"),
        }
    }

    /// Lets nobody else append to the registry until the end of the transaction.
    pub(crate) fn lock_registry(self) -> Result<(), DbError> {
        match self {
            // Whoever writes has the whole database.
            Self::Sqlite(_) => Ok(()),
            // A lock on the table itself would take the right to change it.
            Self::Postgres(_) => {
                self.batch("SELECT pg_advisory_xact_lock(1162629969, 'registry'::regclass::oid::int)")
            }
        }
    }

    /// Does `work` in one durable transaction.
    pub(crate) fn transaction<T>(
        self,
        work: impl FnOnce() -> Result<T, WriteFailed>,
    ) -> Result<T, WriteFailed> {
        self.begin()?;
        let done = work().and_then(|result| Ok(self.commit().map(|()| result)?));
        if done.is_err() {
            self.abandon()?;
        }
        done
    }
}
