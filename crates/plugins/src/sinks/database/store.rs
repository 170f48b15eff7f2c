//! The connection, to whichever database.

use std::sync::Arc;

use elspeth_plugin::SinkError;

use super::column::Column;
use super::dialect::Dialect;
use super::insert::Admitted;
use super::postgres::{self, PostgresStore};
use super::sqlite::{self, SqliteStore};
use super::table::{Layout, Table};
use crate::database_place::Place;

/// What a statement gave, or the database's own error.
pub(super) type Done<T> = Result<T, sqlx::Error>;

/// An open database.
#[derive(Debug)]
pub(super) enum Store {
    Sqlite(SqliteStore),
    Postgres(PostgresStore),
}

/// What bears a table's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    Table(Vec<Column>),
    /// A view, or a table that is none in truth: nothing can be put in.
    Other(String),
}

/// Whether a database file checks foreign keys. Servers always do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ForeignKeys {
    Checked,
    /// For a table that is replaced as a whole, while others may refer to it.
    Ignored,
}

/// What is undone after a statement was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Undone {
    /// What came behind the savepoint.
    Savepoint,
    /// All of the transaction: the table ended it.
    Transaction,
}

/// Whose fault it is that rows are not in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Blame {
    /// One of the rows', with what the table says of it.
    Row(String),
    /// One of the rows', or that of the table or of what it needs.
    Unclear(String),
    Database,
}

/// A value of a statement of ours.
#[derive(Debug, Clone)]
pub(super) enum Cell {
    Text(String),
    Int(i64),
}

/// A marker as it is stored.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) epoch: i64,
    pub(super) state: String,
    pub(super) published: bool,
}

impl Store {
    /// Opens a database for writing; a file is created where there is none.
    ///
    /// # Errors
    /// It cannot be opened, or is none that rows may be written to.
    pub(super) async fn open(place: &Place, foreign_keys: ForeignKeys) -> Result<Self, SinkError> {
        match place {
            Place::File(path) => SqliteStore::open(path, foreign_keys).await.map(Self::Sqlite),
            Place::Server(address) => PostgresStore::open(address).await.map(Self::Postgres),
        }
    }

    /// Opens a database that exists to look at it, without leaving a trace.
    ///
    /// # Errors
    /// As above.
    pub(super) async fn look(place: &Place) -> Result<Self, SinkError> {
        match place {
            Place::File(path) => SqliteStore::look(path).await.map(Self::Sqlite),
            Place::Server(address) => PostgresStore::open(address).await.map(Self::Postgres),
        }
    }

    pub(super) fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    /// What bears that name.
    ///
    /// # Errors
    /// The database cannot be read.
    pub(super) async fn find(&mut self, table: &str) -> Result<Found, SinkError> {
        match self {
            Self::Sqlite(store) => store.find(table).await,
            Self::Postgres(store) => store.find(table).await,
        }
    }

    /// Whether a table may be dropped for another.
    ///
    /// # Errors
    /// Something hangs on it that would have to go with it.
    pub(super) async fn check_replaceable(&mut self, table: &str) -> Result<(), SinkError> {
        match self {
            // Views and references are by name there, and find the new table.
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(store) => store.check_replaceable(table).await,
        }
    }

    /// Lets nobody else change or read a table that is about to be replaced, and looks again whether it may be.
    ///
    /// # Errors
    /// As [`Self::check_replaceable`], or the database fails.
    pub(super) async fn claim(&mut self, table: &str) -> Result<(), SinkError> {
        match self {
            // Whoever writes has the whole database.
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(store) => store.claim(table).await,
        }
    }

    /// What gives a new table the owner and the grants of the one that it replaces.
    ///
    /// # Errors
    /// The database cannot be read.
    pub(super) async fn handover(&mut self, old: &str, new: &str) -> Result<Vec<String>, SinkError> {
        match self {
            Self::Sqlite(_) => Ok(Vec::new()),
            Self::Postgres(store) => store.handover(old, new).await,
        }
    }

    /// Lets no other sink make a table of that name until the end of the transaction.
    ///
    /// # Errors
    /// The database fails.
    pub(super) async fn reserve(&mut self, table: &str) -> Result<(), SinkError> {
        match self {
            // Whoever writes has the whole database.
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(_) => {
                const LOCK: &str =
                    "SELECT pg_advisory_xact_lock(1162629970, hashtext(current_schema() || '.' || $1))";
                self.execute(LOCK, &[Cell::Text(table.to_owned())], "make the table in").await
            }
        }
    }

    /// Begins a transaction that writes.
    ///
    /// # Errors
    /// `doing`, with the cause.
    pub(super) async fn begin(&mut self, doing: &str) -> Result<(), SinkError> {
        match self {
            Self::Sqlite(store) => store.run("BEGIN IMMEDIATE", doing).await,
            // What a constraint says at the end of a transaction could not be said of a row.
            Self::Postgres(store) => store.run("BEGIN; SET CONSTRAINTS ALL IMMEDIATE", doing).await,
        }
    }

    /// Runs statements that were made here and not of data.
    ///
    /// # Errors
    /// `doing`, with the cause.
    pub(super) async fn run(&mut self, sql: impl Into<String>, doing: &str) -> Result<(), SinkError> {
        match self {
            Self::Sqlite(store) => store.run(sql, doing).await,
            Self::Postgres(store) => store.run(sql, doing).await,
        }
    }

    /// Goes back to a savepoint after a statement was refused.
    ///
    /// # Errors
    /// The database fails.
    pub(super) async fn undo(&mut self, sql: &'static str) -> Result<Undone, SinkError> {
        match self {
            Self::Sqlite(store) => store.undo(sql).await,
            // Nothing that a table says of a row ends a transaction there.
            Self::Postgres(store) => {
                store.run(sql, "keep the transaction of").await.map(|()| Undone::Savepoint)
            }
        }
    }

    /// Runs a statement with values.
    ///
    /// # Errors
    /// `doing`, with the cause.
    pub(super) async fn execute(
        &mut self,
        sql: &'static str,
        values: &[Cell],
        doing: &str,
    ) -> Result<(), SinkError> {
        let done = match self {
            Self::Sqlite(store) => store.execute(sql, values).await,
            Self::Postgres(store) => store.execute(sql, values).await,
        };
        done.map_err(|error| self.failure(doing, &error))
    }

    /// The only marker that a query gives, or none.
    ///
    /// # Errors
    /// The database cannot be read.
    pub(super) async fn fetch(
        &mut self,
        sql: &'static str,
        values: &[Cell],
    ) -> Result<Option<Record>, SinkError> {
        let found = match self {
            Self::Sqlite(store) => store.fetch(sql, values).await,
            Self::Postgres(store) => store.fetch(sql, values).await,
        };
        found.map_err(|error| self.failure("read", &error))
    }

    /// Inserts rows of one layout; how many the table took.
    ///
    /// # Errors
    /// As the database gives them.
    pub(super) async fn insert(&mut self, table: &Table, text: Arc<str>, rows: &[Admitted<'_>]) -> Done<u64> {
        match self {
            Self::Sqlite(store) => store.insert(table, text, rows).await,
            Self::Postgres(store) => store.insert(table, text, rows).await,
        }
    }

    /// Whether the text of a statement works with no row of that layout.
    pub(super) async fn works_without_rows(&mut self, text: Arc<str>, layout: &Layout) -> bool {
        match self {
            // Nothing is unclear there.
            Self::Sqlite(_) => true,
            Self::Postgres(store) => store.works_without_rows(text, layout).await,
        }
    }

    /// Whose fault it is that rows were not inserted.
    pub(super) fn blame(&self, error: &sqlx::Error) -> Blame {
        match self {
            Self::Sqlite(_) => sqlite::blame(error),
            Self::Postgres(_) => postgres::blame(error),
        }
    }

    /// An error of this database while `doing` something.
    pub(super) fn failure(&self, doing: &str, error: &sqlx::Error) -> SinkError {
        match self {
            Self::Sqlite(store) => store.failure(doing, error),
            Self::Postgres(store) => store.failure(doing, error),
        }
    }
}
