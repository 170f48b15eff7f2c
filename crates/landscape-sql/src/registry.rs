//! The registry of a database, for whoever manages its keys and remembers its heads.

use elspeth_canonical::ContentHash;
use elspeth_contracts::Micros;
use elspeth_landscape::LandscapeError;
use elspeth_landscape::registry::{Entry, Keys, Log};
use elspeth_proof::SecretKey;

use crate::db::{Connection, DbError, Row, values};
use crate::error::WriteFailed;
use crate::tables::Registry;

/// The registry of a database that is there. Made by [`crate::Landscape`].
pub struct AuditRegistry {
    connection: Connection,
    location: String,
}

const NEWEST_HEAD: &str = "SELECT note FROM heads ORDER BY size DESC LIMIT 1";
const ENTRIES: &str = "SELECT entry FROM registry ORDER BY number LIMIT ?";

impl AuditRegistry {
    pub(crate) fn new(connection: Connection, location: String) -> Self {
        Self { connection, location }
    }

    fn registry(&self) -> Registry<'_> {
        Registry { db: self.connection.db(), signer: None }
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
    /// As [`AuditRegistry::keys`].
    pub fn head(&self) -> Result<String, LandscapeError> {
        let newest = || -> Result<String, WriteFailed> {
            match self.connection.db().first(NEWEST_HEAD, &[], |row| row.get::<String>(0))? {
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
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let leaf = |row: &Row<'_>| Ok::<_, DbError>(Log::leaf(&row.get::<String>(0)?));
        let leaves = self.connection.db().list(ENTRIES, values![most], leaf);
        self.told(leaves.map_err(WriteFailed::from), "reading the registry")
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
        let done = self.connection.db().transaction(|| {
            let registry = self.registry();
            let (origin, keys) = registry.keys()?;
            let (entry, signer) = make(&origin, &keys)?;
            registry.enter_key(&origin, entry, &signer)
        });
        self.told(done, what)
    }
}
