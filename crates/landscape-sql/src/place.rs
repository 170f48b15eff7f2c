//! Where a database on SQLite is, as everyone knows who has it open.

use std::path::{Path, PathBuf};

use elspeth_landscape::LandscapeError;
use tempfile::TempDir;

use crate::connect;

/// A file. With the last user the scratch folder goes, for a database that is in no file otherwise; of others the log goes, when it
/// is empty.
#[derive(Debug)]
pub(crate) struct Place {
    path: PathBuf,
    scratch: Option<TempDir>,
}

impl Place {
    pub(crate) fn of(path: PathBuf) -> Self {
        Self { path, scratch: None }
    }

    /// In a folder of its own.
    pub(crate) fn scratch() -> Result<Self, LandscapeError> {
        let folder = tempfile::Builder::new().prefix("elspeth-").tempdir();
        let folder = folder.map_err(|error| LandscapeError::Store {
            context: "creating a scratch folder for audit database :memory:".to_owned(),
            message: error.to_string(),
            retryable: false,
        })?;
        Ok(Self { path: folder.path().join("audit.db"), scratch: Some(folder) })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.scratch.is_none() {
            connect::tidy(&self.path);
        }
    }
}
