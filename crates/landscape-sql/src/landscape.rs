//! The database as a whole: where it is, and who may have it open.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use elspeth_contracts::ExportStatus;
use elspeth_landscape::{LandscapeError, RunRecord};
use elspeth_proof::SecretKey;
use sqlx::sqlite::SqlitePoolOptions;

use crate::Location;
use crate::connect::{self, Synchronous};
use crate::export_status;
use crate::import::SqliteImport;
use crate::purge::{SqlitePurgeView, SqlitePurger};
use crate::reader::SqliteReader;
use crate::registry::SqliteRegistry;
use crate::scan::SqliteScans;
use crate::writer::SqliteWriter;

/// A folder that is deleted when nobody uses it any more.
pub(crate) type Scratch = tempfile::TempDir;

/// How long a statement waits for another process's lock.
const PATIENCE: Duration = Duration::from_secs(5);
/// Connections that one reader uses at most. Each reads the whole schema when it is opened.
const READERS: u32 = 1;

/// An audit database on SQLite.
#[derive(Debug, Clone)]
pub struct SqliteLandscape {
    location: Location,
    path: PathBuf,
    patience: Duration,
    synchronous: Synchronous,
    signer: Option<Arc<SecretKey>>,
    scratch: Option<Arc<Scratch>>,
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
            Location::Memory => {
                let scratch = scratch()?;
                let path = scratch.path().join("audit.db");
                Ok(Self {
                    location: Location::Memory,
                    path,
                    patience: PATIENCE,
                    synchronous: Synchronous::Full,
                    signer: None,
                    scratch: Some(Arc::new(scratch)),
                })
            }
        }
    }

    /// Names a database by its file's path, whatever characters that has, without touching it.
    #[must_use]
    pub fn in_file(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self {
            location: Location::File(path.clone()),
            path,
            patience: PATIENCE,
            synchronous: Synchronous::Full,
            signer: None,
            scratch: None,
        }
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
        let connection = connect::writer(&self.path, self.patience, self.synchronous)?;
        let location = self.location.to_string();
        Ok(SqliteWriter::new(connection, self.path.clone(), location, self.patience)
            .signing(self.signer.clone())
            .keeping(self.scratch.clone()))
    }

    /// Opens it for asking. Never creates or changes anything.
    ///
    /// # Errors
    /// As [`SqliteLandscape::writer`]; also when there is no such file.
    pub async fn reader(&self) -> Result<SqliteReader, LandscapeError> {
        let options = connect::reader(&self.path, self.patience)?;
        let pool = SqlitePoolOptions::new().max_connections(READERS).connect_lazy_with(options);
        Ok(SqliteReader::new(pool, self.location.to_string(), self.scratch.clone()))
    }

    /// Opens it for verifying runs. Never creates or changes anything.
    ///
    /// # Errors
    /// As [`SqliteLandscape::reader`].
    pub fn scans(&self) -> Result<SqliteScans, LandscapeError> {
        SqliteScans::new(&self.path, self.patience, self.scratch.clone())
    }

    /// Opens it for taking in a run that was exported; creates folders, file and tables where they do not exist.
    ///
    /// # Errors
    /// As [`SqliteLandscape::writer`].
    pub fn importer(&self) -> Result<SqliteImport, LandscapeError> {
        let connection = connect::writer(&self.path, self.patience, self.synchronous)?;
        let import = SqliteImport::begin(connection, self.location.to_string())?;
        Ok(import.signing(self.signer.clone()).keeping(self.scratch.clone()))
    }

    /// Opens its registry for reading. Never creates or changes anything.
    ///
    /// # Errors
    /// As [`SqliteLandscape::reader`].
    pub fn registry_view(&self) -> Result<SqliteRegistry, LandscapeError> {
        Ok(SqliteRegistry::view(&self.path, self.patience)?.keeping(self.scratch.clone()))
    }

    /// Opens its registry for changing keys; brings its tables to the newest version, but never creates a database.
    ///
    /// # Errors
    /// As [`SqliteLandscape::reader`].
    pub fn registry(&self) -> Result<SqliteRegistry, LandscapeError> {
        Ok(SqliteRegistry::open(&self.path, self.patience)?.keeping(self.scratch.clone()))
    }

    /// Notes how far the export of a completed run got.
    ///
    /// # Errors
    /// As [`SqliteLandscape::writer`].
    pub fn note_export(&self, run: &RunRecord, status: ExportStatus) -> Result<(), LandscapeError> {
        export_status::set(&self.path, self.patience, run, status)
    }

    /// Opens it for looking what could be purged. Never creates or changes anything.
    ///
    /// # Errors
    /// As [`SqliteLandscape::reader`].
    pub fn purge_view(&self) -> Result<SqlitePurgeView, LandscapeError> {
        Ok(SqlitePurgeView::open(&self.path, self.patience)?.keeping(self.scratch.clone()))
    }

    /// Opens it for purging; brings its tables to the newest version, but never creates a database.
    ///
    /// # Errors
    /// As [`SqliteLandscape::reader`].
    pub fn purger(&self) -> Result<SqlitePurger, LandscapeError> {
        let purger = SqlitePurger::open(&self.path, self.patience)?;
        Ok(purger.signing(self.signer.clone()).keeping(self.scratch.clone()))
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
    pub async fn open_reader(text: &str) -> Result<SqliteReader, LandscapeError> {
        Self::at(text)?.reader().await
    }
}

fn scratch() -> Result<Scratch, LandscapeError> {
    tempfile::Builder::new().prefix("elspeth-").tempdir().map_err(|error| LandscapeError::Store {
        context: "creating a scratch folder for audit database :memory:".to_owned(),
        message: error.to_string(),
        retryable: false,
    })
}
