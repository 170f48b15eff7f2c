//! A database as a whole, whichever it is.

use std::sync::Arc;
use std::time::Duration;

use elspeth_contracts::ExportStatus;
use elspeth_landscape::{LandscapeError, LandscapeReader as _, LandscapeWriter, RunRecord, RunRef};
use elspeth_proof::SecretKey;

use crate::asking::Source;
use crate::db::Connection;
use crate::postgres::{Address, PostgresWriter};
use crate::{
    AuditRegistry, DatabasePurgeView, DatabasePurger, Import, Reader, Scans, SqliteLandscape, Synchronous,
    export_status,
};

/// How long a statement waits for another process's lock.
const PATIENCE: Duration = Duration::from_secs(5);

/// An audit database.
#[derive(Debug, Clone)]
pub enum Landscape {
    /// In an SQLite file.
    Sqlite(SqliteLandscape),
    /// In PostgreSQL.
    Postgres(PostgresLandscape),
}

/// An audit database in PostgreSQL.
#[derive(Debug, Clone)]
pub struct PostgresLandscape {
    address: Address,
    signer: Option<Arc<SecretKey>>,
}

impl PostgresLandscape {
    /// Names a database by its URL without touching it: `postgresql://user@host:5432/database?sslmode=verify-full`. A Unix
    /// socket is named by its folder (`?host=/run/postgresql`). What the URL does not say comes from the environment:
    /// `PGPASSWORD`, `PGPASSFILE`, `PGSSLROOTCERT`.
    ///
    /// # Errors
    /// [`LandscapeError::Store`] for a URL that is none, or has a parameter that means nothing.
    pub fn at(url: &str) -> Result<Self, LandscapeError> {
        Ok(Self { address: Address::parse(url, PATIENCE)?, signer: None })
    }

    /// Waits as long for another process's lock, and for the server's answer to a new connection.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.address.patience = patience;
        self
    }
}

impl From<SqliteLandscape> for Landscape {
    fn from(landscape: SqliteLandscape) -> Self {
        Self::Sqlite(landscape)
    }
}

impl From<PostgresLandscape> for Landscape {
    fn from(landscape: PostgresLandscape) -> Self {
        Self::Postgres(landscape)
    }
}

impl Landscape {
    /// Names a database by path or URL, see [`SqliteLandscape::at`] and [`PostgresLandscape::at`].
    ///
    /// # Errors
    /// Those of both.
    pub fn at(text: &str) -> Result<Self, LandscapeError> {
        if text.starts_with("postgresql://") || text.starts_with("postgres://") {
            return Ok(Self::Postgres(PostgresLandscape::at(text)?));
        }
        Ok(Self::Sqlite(SqliteLandscape::at(text)?))
    }

    /// Lets commits wait for the disk, or not; they do if not set.
    #[must_use]
    pub fn with_synchronous(self, synchronous: Synchronous) -> Self {
        match self {
            Self::Sqlite(landscape) => Self::Sqlite(landscape.with_synchronous(synchronous)),
            Self::Postgres(mut landscape) => {
                landscape.address.synchronous = synchronous;
                Self::Postgres(landscape)
            }
        }
    }

    /// Signs the heads of the registry. Whoever begins, takes up or purges a run is refused when the database has another key.
    #[must_use]
    pub fn with_signer(self, signer: Option<SecretKey>) -> Self {
        match self {
            Self::Sqlite(landscape) => Self::Sqlite(landscape.with_signer(signer)),
            Self::Postgres(landscape) => {
                Self::Postgres(PostgresLandscape { signer: signer.map(Arc::new), ..landscape })
            }
        }
    }

    /// Where it is, for people: without a password.
    #[must_use]
    pub fn location(&self) -> String {
        match self {
            Self::Sqlite(landscape) => landscape.location().to_string(),
            Self::Postgres(landscape) => landscape.address.location().to_owned(),
        }
    }

    fn signer(&self) -> Option<Arc<SecretKey>> {
        match self {
            Self::Sqlite(landscape) => landscape.signer(),
            Self::Postgres(landscape) => landscape.signer.clone(),
        }
    }

    /// Opens it for writing a run; creates what it needs, or brings its tables to the newest version.
    ///
    /// # Errors
    /// [`LandscapeError::Store`] when it cannot be opened or is another program's, [`LandscapeError::SchemaVersion`]
    /// when a newer program wrote it.
    pub async fn writer(&self) -> Result<Box<dyn LandscapeWriter>, LandscapeError> {
        match self {
            Self::Sqlite(landscape) => Ok(Box::new(landscape.writer().await?)),
            Self::Postgres(PostgresLandscape { address, signer }) => {
                Ok(Box::new(PostgresWriter::open(address.clone(), signer.clone())?))
            }
        }
    }

    /// Opens it for asking. Never creates or changes anything.
    ///
    /// # Errors
    /// As [`Landscape::writer`]; also when there is no such database.
    pub async fn reader(&self) -> Result<Reader, LandscapeError> {
        match self {
            Self::Sqlite(landscape) => landscape.reader().await,
            Self::Postgres(landscape) => {
                let source = Source::Postgres(landscape.address.reader()?);
                Ok(Reader::new(source, self.location()))
            }
        }
    }

    /// Opens it for asking before there is anything to ask, where that saves time later: a connection to SQLite reads the
    /// whole schema first. A session with a server could be gone by then.
    pub async fn reader_ahead(&self) -> Option<Reader> {
        match self {
            Self::Sqlite(landscape) => {
                let reader = landscape.reader().await.ok()?;
                // Whatever the answer is, then the schema is known.
                let _ = reader.run(&RunRef::Latest).await;
                Some(reader)
            }
            Self::Postgres(_) => None,
        }
    }

    /// Opens it for verifying runs. Never creates or changes anything.
    ///
    /// # Errors
    /// As [`Landscape::reader`].
    pub fn scans(&self) -> Result<Scans, LandscapeError> {
        Scans::new(self.clone())
    }

    /// Opens it for taking in a run that was exported; creates what it needs.
    ///
    /// # Errors
    /// As [`Landscape::writer`].
    pub fn importer(&self) -> Result<Import, LandscapeError> {
        let connection = match self {
            Self::Sqlite(landscape) => landscape.writing()?,
            Self::Postgres(landscape) => Connection::Postgres(landscape.address.writer()?),
        };
        Ok(Import::begin(connection, self.location())?.signing(self.signer()))
    }

    /// Opens its registry for reading. Never creates or changes anything.
    ///
    /// # Errors
    /// As [`Landscape::reader`].
    pub fn registry_view(&self) -> Result<AuditRegistry, LandscapeError> {
        let connection = match self {
            Self::Sqlite(landscape) => landscape.scanning()?,
            Self::Postgres(landscape) => Connection::Postgres(landscape.address.reader()?),
        };
        Ok(AuditRegistry::new(connection, self.location()))
    }

    /// Opens its registry for changing keys; brings its tables to the newest version, but never creates a database.
    ///
    /// # Errors
    /// As [`Landscape::reader`].
    pub fn registry(&self) -> Result<AuditRegistry, LandscapeError> {
        Ok(AuditRegistry::new(self.existing()?, self.location()))
    }

    /// Notes how far the export of a completed run got.
    ///
    /// # Errors
    /// As [`Landscape::writer`].
    pub fn note_export(&self, run: &RunRecord, status: ExportStatus) -> Result<(), LandscapeError> {
        export_status::set(&self.existing()?, &self.location(), run, status)
    }

    /// Opens it for looking what could be purged. Never creates or changes anything.
    ///
    /// # Errors
    /// As [`Landscape::reader`].
    pub fn purge_view(&self) -> Result<DatabasePurgeView, LandscapeError> {
        let connection = match self {
            Self::Sqlite(landscape) => landscape.looking()?,
            Self::Postgres(landscape) => Connection::Postgres(landscape.address.reader()?),
        };
        Ok(DatabasePurgeView::new(connection, self.location()))
    }

    /// Opens it for purging; brings its tables to the newest version, but never creates a database.
    ///
    /// # Errors
    /// As [`Landscape::reader`].
    pub fn purger(&self) -> Result<DatabasePurger, LandscapeError> {
        DatabasePurger::new(DatabasePurgeView::new(self.existing()?, self.location()), self.signer())
    }

    /// A connection that writes to a database that is there.
    fn existing(&self) -> Result<Connection, LandscapeError> {
        match self {
            Self::Sqlite(landscape) => landscape.existing(),
            Self::Postgres(landscape) => Ok(Connection::Postgres(landscape.address.existing()?)),
        }
    }

    /// A connection to which everything is of one moment.
    pub(crate) fn snapshot(&self) -> Result<Connection, LandscapeError> {
        match self {
            Self::Sqlite(landscape) => landscape.snapshot(),
            Self::Postgres(landscape) => {
                let connection = Connection::Postgres(landscape.address.reader()?);
                let begun = connection.snapshot();
                begun.map_err(|error| error.told(format!("opening audit database {}", self.location())))?;
                Ok(connection)
            }
        }
    }

    pub(crate) fn check_readable(&self) -> Result<(), LandscapeError> {
        match self {
            Self::Sqlite(landscape) => landscape.check_readable(),
            Self::Postgres(landscape) => landscape.address.reader().map(|_| ()),
        }
    }
}
