//! The registry of a database, for whoever manages its keys and remembers its heads.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use elspeth_canonical::ContentHash;
use elspeth_contracts::Micros;
use elspeth_landscape::LandscapeError;
use elspeth_landscape::registry::{Entry, Keys, Log};
use elspeth_proof::SecretKey;
use rusqlite::{Connection, OptionalExtension as _};

use crate::connect;
use crate::error::{WriteFailed, write_error};
use crate::landscape::Scratch;
use crate::tables::Registry;

/// The registry of a database that is there. Made by [`crate::SqliteLandscape`].
pub struct SqliteRegistry {
    connection: Connection,
    location: String,
    /// Keeps the file of a database that is in no file until the last user is gone.
    _scratch: Option<Arc<Scratch>>,
}

const NEWEST_HEAD: &str = "SELECT note FROM heads ORDER BY size DESC LIMIT 1";
const ENTRIES: &str = "SELECT entry FROM registry ORDER BY number LIMIT ?";

impl SqliteRegistry {
    /// For reading.
    pub(crate) fn view(path: &Path, patience: Duration) -> Result<Self, LandscapeError> {
        connect::reader(path, patience)?;
        let location = path.display().to_string();
        let connection = connect::scan(path, patience)
            .map_err(|error| write_error(format!("opening audit database {location}"), &error))?;
        Ok(Self { connection, location, _scratch: None })
    }

    /// For appending entries about keys.
    pub(crate) fn open(path: &Path, patience: Duration) -> Result<Self, LandscapeError> {
        connect::existing(path)?;
        let connection = connect::writer(path, patience, connect::Synchronous::Full)?;
        Ok(Self { connection, location: path.display().to_string(), _scratch: None })
    }

    /// The same, keeping a scratch folder.
    pub(crate) fn keeping(mut self, scratch: Option<Arc<Scratch>>) -> Self {
        self._scratch = scratch;
        self
    }

    fn registry(&self) -> Registry<'_> {
        Registry { connection: &self.connection, signer: None }
    }

    fn told<T>(&self, done: Result<T, WriteFailed>, what: &str) -> Result<T, LandscapeError> {
        done.map_err(|error| error.told(|| format!("{what} in audit database {}", self.location)))
    }

    /// The log's name, and its keys.
    ///
    /// # Errors
    /// [`LandscapeError::Corrupt`] when an entry about keys is not what it must be, or [`LandscapeError::Store`].
    pub fn keys(&self) -> Result<(String, Keys), LandscapeError> {
        self.told(self.registry().keys(), "reading the keys")
    }

    /// The newest signed head; where nobody ever signed one, that of all entries.
    ///
    /// # Errors
    /// As [`SqliteRegistry::keys`].
    pub fn head(&self) -> Result<String, LandscapeError> {
        let newest = || -> Result<String, WriteFailed> {
            let note = self.connection.query_row(NEWEST_HEAD, (), |row| row.get(0)).optional()?;
            match note {
                Some(note) => Ok(note),
                None => Ok(self.registry().log()?.head(&self.registry().origin()?).to_string()),
            }
        };
        self.told(newest(), "reading the newest head")
    }

    /// The hashes of the first entries as leaves, at most so many.
    ///
    /// # Errors
    /// [`LandscapeError::Store`].
    pub fn leaves(&self, most: u64) -> Result<Vec<ContentHash>, LandscapeError> {
        let leaves = || -> Result<Vec<ContentHash>, WriteFailed> {
            let mut statement = self.connection.prepare(ENTRIES)?;
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            let rows = statement.query_map([most], |row| Ok(Log::leaf(row.get_ref(0)?.as_str()?)))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        };
        self.told(leaves(), "reading the registry")
    }

    /// Lets a key take the place of the one that signs, and signs a head with it.
    ///
    /// # Errors
    /// [`LandscapeError::Key`] when `old` does not sign, or `new` was there before; [`LandscapeError::Store`].
    pub fn rotate(&self, old: &SecretKey, new: &SecretKey, now: Micros) -> Result<(), LandscapeError> {
        self.change("rotating keys", |origin, keys| {
            Ok((keys.rotation((origin, now), old, new)?, new.clone()))
        })
    }

    /// Revokes the key of that short name, and signs a head; `by` is the key that signs.
    ///
    /// # Errors
    /// [`LandscapeError::Key`] when `by` does not sign, or the other is none that could be revoked; [`LandscapeError::Store`].
    pub fn revoke(
        &self,
        by: &SecretKey,
        (key, reason): (&str, &str),
        now: Micros,
    ) -> Result<(), LandscapeError> {
        self.change("revoking a key", |origin, keys| {
            Ok((keys.revocation((origin, now), by, (key, reason))?, by.clone()))
        })
    }

    /// Appends an entry about keys that is made of those that there are, in one durable transaction.
    fn change(
        &self,
        what: &str,
        make: impl FnOnce(&str, &Keys) -> Result<(Entry, SecretKey), LandscapeError>,
    ) -> Result<(), LandscapeError> {
        let work = || -> Result<(), WriteFailed> {
            self.connection.execute_batch("BEGIN IMMEDIATE")?;
            let registry = self.registry();
            let (origin, keys) = registry.keys()?;
            let (entry, signer) = make(&origin, &keys)?;
            registry.enter_key(&origin, entry, &signer)?;
            Ok(self.connection.execute_batch("COMMIT")?)
        };
        let done = work();
        if done.is_err() && !self.connection.is_autocommit() {
            let undone = self.connection.execute_batch("ROLLBACK").map_err(WriteFailed::from);
            self.told(undone, what)?;
        }
        self.told(done, what)
    }
}
