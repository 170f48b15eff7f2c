//! Where a record on PostgreSQL is, and how it is opened.

use std::time::Duration;

use elspeth_landscape::LandscapeError;
use elspeth_postgres::PgAddress;

use super::run::Done;
use super::{Session, schema};
use crate::Synchronous;
use crate::db::{Db, DbError};
use crate::error::postgres_error;

/// A database, and how statements of it wait.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    database: PgAddress,
    pub(crate) patience: Duration,
    pub(crate) synchronous: Synchronous,
}

impl Address {
    /// Reads a URL.
    pub(crate) fn parse(url: &str, patience: Duration) -> Result<Self, LandscapeError> {
        let database = PgAddress::parse(url).map_err(|error| LandscapeError::Store {
            context: format!("audit database {}", error.url),
            message: error.message,
            retryable: false,
        })?;
        Ok(Self { database, patience, synchronous: Synchronous::Full })
    }

    pub(crate) fn location(&self) -> &str {
        self.database.location()
    }

    /// A connection, whatever the database has.
    fn connect(&self) -> Result<Session, LandscapeError> {
        self.connected()
            .map_err(|error| postgres_error(format!("opening audit database {}", self.location()), &error))
    }

    /// A connection in place of one that was lost.
    pub(super) fn again(&self) -> Done<Session> {
        let session = self.connected().map_err(DbError::from)?;
        schema::bring_up_to_date(&session, self.location())?;
        Ok(session)
    }

    fn connected(&self) -> sqlx::Result<Session> {
        let session = Session::open(self.database.clone())?;
        let patience = self.patience.as_millis().max(1);
        let synchronous = match self.synchronous {
            Synchronous::Full => "on",
            Synchronous::Off => "off",
        };
        // Our statements are short, so that compiling them costs more than it gives. Who waited for a lock has to see what was
        // committed meanwhile, whatever the database or the role has as its default.
        let settings = format!(
            "SET jit = off; SET lock_timeout = {patience}; SET synchronous_commit = {synchronous};
            SET client_min_messages = warning; SET default_transaction_isolation = 'read committed';
            SET default_transaction_read_only = off"
        );
        session.batch(settings)?;
        Ok(session)
    }

    /// A connection that writes runs; the database is brought to the newest version.
    pub(crate) fn writer(&self) -> Result<Session, LandscapeError> {
        let session = self.connect()?;
        self.check_encoding(&session)?;
        schema::bring_up_to_date(&session, self.location())?;
        Ok(session)
    }

    /// Rows have any text, which only one encoding can hold.
    fn check_encoding(&self, session: &Session) -> Result<(), LandscapeError> {
        const ENCODING: &str = "SELECT current_setting('server_encoding')";
        let failed = |error: DbError| error.told(format!("opening audit database {}", self.location()));
        let encoding = Db::Postgres(session).first(ENCODING, &[], |row| row.get::<String>(0));
        let encoding = encoding.map_err(failed)?.unwrap_or_default();
        if encoding == "UTF8" {
            return Ok(());
        }
        Err(LandscapeError::Store {
            context: format!("opening audit database {}", self.location()),
            message: format!(
                "its encoding is {encoding}, and only UTF8 can hold every text of a row; make one with \
                 `CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0`"
            ),
            retryable: false,
        })
    }

    /// A connection that changes nothing, to a database that has a record.
    pub(crate) fn reader(&self) -> Result<Session, LandscapeError> {
        let session = self.connect()?;
        schema::check_readable(&session, self.location())?;
        let read_only = session.batch("SET default_transaction_read_only = on");
        read_only
            .map_err(|error| postgres_error(format!("opening audit database {}", self.location()), &error))?;
        Ok(session)
    }

    /// A connection that writes to a database that has a record already, but no runs.
    pub(crate) fn existing(&self) -> Result<Session, LandscapeError> {
        let session = self.connect()?;
        schema::check_is_record(&session, self.location())?;
        schema::bring_up_to_date(&session, self.location())?;
        Ok(session)
    }
}
