//! A database on SQLite as a whole: where it is, and who may have it open.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use elspeth_contracts::ExportStatus;
use elspeth_landscape::{LandscapeError, RunRecord};
use elspeth_proof::SecretKey;
use sqlx::ConnectOptions as _;

use crate::asking::{Source, SqliteSource};
use crate::connect::{self, Synchronous};
use crate::db::Connection;
use crate::error::{store_error, write_error};
use crate::place::Place;
use crate::writer::SqliteWriter;
use crate::{AuditRegistry, DatabasePurgeView, DatabasePurger, Import, Landscape, Location, Reader, Scans};

/// How long a statement waits for another process's lock.
const PATIENCE: Duration = Duration::from_secs(5);
/// Statements that a scan keeps.
const STATEMENTS: usize = 64;

/// An audit database on SQLite.
#[derive(Debug, Clone)]
pub struct SqliteLandscape {
    location: Location,
    place: Arc<Place>,
    patience: Duration,
    synchronous: Synchronous,
    signer: Option<Arc<SecretKey>>,
}

impl SqliteLandscape {
    /// Names a database by path or URL (see [`Location::parse`]) without touching it. `:memory:` is kept in a scratch
    /// file, so that it can grow beyond the memory and be read while it is written; it is gone with the last
    /// landscape, writer and reader of it.
    ///
    /// # Errors
    /// [`LandscapeError::Store`] for an unusable URL, or when no scratch folder can be made.
    pub fn at(text: &str) -> Result<Self, LandscapeError> {
        match Location::parse(text)? {
            Location::File(path) => Ok(Self::in_file(path)),
            Location::Memory => Ok(Self::of(Location::Memory, Place::scratch()?)),
        }
    }

    /// Names a database by its file's path, whatever characters that has, without touching it.
    #[must_use]
    pub fn in_file(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self::of(Location::File(path.clone()), Place::of(path))
    }

    fn of(location: Location, place: Place) -> Self {
        Self {
            location,
            place: Arc::new(place),
            patience: PATIENCE,
            synchronous: Synchronous::Full,
            signer: None,
        }
    }

    fn path(&self) -> &Path {
        self.place.path()
    }

    /// Waits as long for another process's lock before it fails with a retryable error; 5 seconds if not set.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Lets commits wait for the disk, or not; they do if not set.
    #[must_use]
    pub fn with_synchronous(mut self, synchronous: Synchronous) -> Self {
        self.synchronous = synchronous;
        self
    }

    /// Signs the heads of the registry. Whoever begins, takes up or purges a run is refused when the database has another key.
    #[must_use]
    pub fn with_signer(mut self, signer: Option<SecretKey>) -> Self {
        self.signer = signer.map(Arc::new);
        self
    }

    /// Where it is.
    #[must_use]
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Opens it for writing a run; creates folders, file and tables, or brings them to the newest version.
    ///
    /// # Errors
    /// [`LandscapeError::Store`] when it cannot be opened or is another program's, [`LandscapeError::SchemaVersion`]
    /// when a newer program wrote it.
    pub async fn writer(&self) -> Result<SqliteWriter, LandscapeError> {
        let connection = connect::writer(self.path(), self.patience, self.synchronous)?;
        let (location, place) = (self.location.to_string(), Arc::clone(&self.place));
        Ok(SqliteWriter::new(connection, place, location, (self.patience, self.synchronous))
            .signing(self.signer.clone()))
    }

    /// A connection to which everything is of one moment.
    pub(crate) fn snapshot(&self) -> Result<Connection, LandscapeError> {
        let connection = connect::scan(self.path(), self.patience);
        let connection = connection.map_err(|error| write_error(self.opening(), &error))?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        let connection = self.connected(connection);
        connection.snapshot().map_err(|error| error.told(self.opening()))?;
        Ok(connection)
    }

    /// A connection that only reads.
    pub(crate) fn looking(&self) -> Result<Connection, LandscapeError> {
        self.check_readable()?;
        let connection = connect::looking(self.path(), self.patience);
        let connection = connection.map_err(|error| write_error(self.opening(), &error))?;
        Ok(self.connected(connection))
    }

    /// A connection of a thread that reads a whole run.
    pub(crate) fn scanning(&self) -> Result<Connection, LandscapeError> {
        self.check_readable()?;
        let connection = connect::scan(self.path(), self.patience);
        let connection = connection.map_err(|error| write_error(self.opening(), &error))?;
        Ok(self.connected(connection))
    }

    /// A connection that writes; creates folders, file and tables where they do not exist.
    pub(crate) fn writing(&self) -> Result<Connection, LandscapeError> {
        let connection = connect::writer(self.path(), self.patience, self.synchronous)?;
        Ok(self.connected(connection))
    }

    /// The same of a database that is there.
    pub(crate) fn existing(&self) -> Result<Connection, LandscapeError> {
        connect::existing(self.path())?;
        let connection = connect::writer(self.path(), self.patience, Synchronous::Full)?;
        Ok(self.connected(connection))
    }

    fn connected(&self, connection: rusqlite::Connection) -> Connection {
        Connection::Sqlite { connection, _place: Arc::clone(&self.place) }
    }

    pub(crate) fn check_readable(&self) -> Result<(), LandscapeError> {
        connect::reader(self.path(), self.patience).map(|_| ())
    }

    pub(crate) fn signer(&self) -> Option<Arc<SecretKey>> {
        self.signer.clone()
    }

    fn opening(&self) -> String {
        format!("opening audit database {}", self.path().display())
    }

    fn as_landscape(&self) -> Landscape {
        Landscape::Sqlite(self.clone())
    }

    /// Opens it for asking. Never creates or changes anything.
    ///
    /// # Errors
    /// As [`SqliteLandscape::writer`]; also when there is no such file.
    pub async fn reader(&self) -> Result<Reader, LandscapeError> {
        let options = connect::reader(self.path(), self.patience)?;
        let connection = options.connect().await.map_err(|error| store_error(self.opening(), &error))?;
        let source = Source::Sqlite(SqliteSource::new(connection, Arc::clone(&self.place)));
        Ok(Reader::new(source, self.location.to_string()))
    }

    /// See [`Landscape::scans`].
    ///
    /// # Errors
    /// As [`SqliteLandscape::reader`].
    pub fn scans(&self) -> Result<Scans, LandscapeError> {
        self.as_landscape().scans()
    }

    /// See [`Landscape::importer`].
    ///
    /// # Errors
    /// As [`SqliteLandscape::writer`].
    pub fn importer(&self) -> Result<Import, LandscapeError> {
        self.as_landscape().importer()
    }

    /// See [`Landscape::registry_view`].
    ///
    /// # Errors
    /// As [`SqliteLandscape::reader`].
    pub fn registry_view(&self) -> Result<AuditRegistry, LandscapeError> {
        self.as_landscape().registry_view()
    }

    /// See [`Landscape::registry`].
    ///
    /// # Errors
    /// As [`SqliteLandscape::reader`].
    pub fn registry(&self) -> Result<AuditRegistry, LandscapeError> {
        self.as_landscape().registry()
    }

    /// See [`Landscape::note_export`].
    ///
    /// # Errors
    /// As [`SqliteLandscape::writer`].
    pub fn note_export(&self, run: &RunRecord, status: ExportStatus) -> Result<(), LandscapeError> {
        self.as_landscape().note_export(run, status)
    }

    /// See [`Landscape::purge_view`].
    ///
    /// # Errors
    /// As [`SqliteLandscape::reader`].
    pub fn purge_view(&self) -> Result<DatabasePurgeView, LandscapeError> {
        self.as_landscape().purge_view()
    }

    /// See [`Landscape::purger`].
    ///
    /// # Errors
    /// As [`SqliteLandscape::reader`].
    pub fn purger(&self) -> Result<DatabasePurger, LandscapeError> {
        self.as_landscape().purger()
    }

    /// [`SqliteLandscape::at`] and [`SqliteLandscape::writer`] in one.
    ///
    /// # Errors
    /// Those of both.
    pub async fn open_writer(text: &str) -> Result<SqliteWriter, LandscapeError> {
        Self::at(text)?.writer().await
    }

    /// [`SqliteLandscape::at`] and [`SqliteLandscape::reader`] in one.
    ///
    /// # Errors
    /// Those of both.
    pub async fn open_reader(text: &str) -> Result<Reader, LandscapeError> {
        Self::at(text)?.reader().await
    }
}
