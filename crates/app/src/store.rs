//! Choosing and opening the store.

use std::future::Future;
use std::path::Path;

use elspeth_config::{DatabaseUrl, DatabaseUrlError};
use elspeth_contracts::{Clock as _, SystemClock};
use elspeth_landscape::{LandscapeError, LandscapeReader, RunRecord, RunRef};
use elspeth_landscape_sql::{Landscape, SqliteLandscape};
use elspeth_payload::FilesystemStore;

use crate::prepare::environment;
use crate::{AppError, DatabaseChoice, EnvChoice, lease};

/// Where the record is when nobody says.
const DEFAULT_DATABASE: &str = "./state/audit.db";

/// An opened record and its name for messages and commands.
pub(crate) struct Reader {
    pub(crate) store: Box<dyn LandscapeReader>,
    pub(crate) location: String,
}

/// Runs a future to its end on a runtime of its own.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> Result<T, AppError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| AppError::Output(format!("cannot start the runtime: {e}")))?;
    Ok(runtime.block_on(future))
}

/// Opens the database that is meant, for reading.
pub(crate) async fn open_reader(choice: &DatabaseChoice) -> Result<Reader, AppError> {
    let url = database_url(choice)?;
    let landscape = landscape(&url)?;
    let store = landscape.reader().await?;
    Ok(Reader { store: Box::new(store), location: location(&url) })
}

/// The database that is meant.
pub(crate) fn database_url(choice: &DatabaseChoice) -> Result<DatabaseUrl, AppError> {
    match choice {
        DatabaseChoice::Location(location) => argument(location),
        DatabaseChoice::Settings(settings) => Ok(crate::prepare(settings)?.database().clone()),
        DatabaseChoice::Environment(env) => match named_by(env)? {
            Some(url) => Ok(url),
            None => argument(DEFAULT_DATABASE),
        },
    }
}

/// The database that the environment names.
pub(crate) fn named_by(env: &EnvChoice) -> Result<Option<DatabaseUrl>, AppError> {
    DatabaseUrl::of_environment(&environment(env)?).map_err(refused)
}

/// Where a run puts its large bodies, whose record is in that database.
pub(crate) fn bodies_of(database: &DatabaseUrl, base: &str) -> FilesystemStore {
    match database {
        DatabaseUrl::SqliteFile(path) => FilesystemStore::for_record_in(base, path),
        DatabaseUrl::SqliteMemory => FilesystemStore::new(base),
        DatabaseUrl::Postgres(_) => FilesystemStore::for_record_in(base, location(database)),
    }
}

/// The database under whose name bodies were put, see [`bodies_of`].
pub(crate) fn noted(database: &Path) -> Result<Landscape, LandscapeError> {
    match database.to_str().filter(|text| text.starts_with("postgresql://")) {
        Some(url) => Landscape::at(url),
        None => Ok(SqliteLandscape::in_file(database).into()),
    }
}

/// The store of a URL.
pub(crate) fn landscape(url: &DatabaseUrl) -> Result<Landscape, AppError> {
    match url {
        DatabaseUrl::SqliteFile(path) => Ok(SqliteLandscape::in_file(path).into()),
        DatabaseUrl::SqliteMemory => Ok(Landscape::at(":memory:")?),
        DatabaseUrl::Postgres(url) => Ok(Landscape::at(url)?),
    }
}

/// How commands name a database.
pub(crate) fn location(url: &DatabaseUrl) -> String {
    match url {
        DatabaseUrl::SqliteFile(path) => path.display().to_string(),
        DatabaseUrl::SqliteMemory => ":memory:".to_owned(),
        DatabaseUrl::Postgres(url) => {
            Landscape::at(url).map_or_else(|_| "postgresql".to_owned(), |of| of.location())
        }
    }
}

fn argument(text: &str) -> Result<DatabaseUrl, AppError> {
    DatabaseUrl::from_argument(text).map_err(refused)
}

fn refused(error: DatabaseUrlError) -> AppError {
    AppError::NotFound { message: error.message, help: Some(error.help.to_owned()) }
}

impl Reader {
    /// The run that the user means.
    pub(crate) async fn run(&self, run: &str) -> Result<RunRecord, AppError> {
        if run.trim().is_empty() {
            // Every id begins with nothing; it is what a shell makes of a variable that is not set.
            return Err(AppError::Usage {
                message: "an empty text names no run".to_owned(),
                help: "name the run by its id, the beginning of one, or `latest`; `elspeth runs` lists them"
                    .to_owned(),
            });
        }
        let run =
            if run.eq_ignore_ascii_case("latest") { RunRef::Latest } else { RunRef::Prefix(run.to_owned()) };
        Ok(self.store.run(&run).await?)
    }

    /// Whether nobody writes the run, judged by the clock of the store where it has one.
    pub(crate) async fn is_free(&self, run: &RunRecord) -> Result<bool, AppError> {
        let now = self.store.lease_clock(run).await?.unwrap_or_else(|| SystemClock::new().now());
        Ok(lease::is_free(run, now))
    }

    /// Where the run's large bodies are, by its recorded settings.
    pub(crate) fn body_store(&self, run: &RunRecord) -> Option<FilesystemStore> {
        recorded_base(&run.settings).map(FilesystemStore::new)
    }
}

/// The folder of large bodies that recorded settings name.
pub(crate) fn recorded_base(settings: &str) -> Option<String> {
    let settings: serde_json::Value = serde_json::from_str(settings).ok()?;
    settings["payload_store"]["base_path"].as_str().map(str::to_owned)
}
