//! Keys that sign the heads of a database's registry: making them, showing them, and telling a database of them.

use std::io::Write as _;
use std::path::Path;

use elspeth_contracts::{Clock as _, SystemClock, sync_folder};
use elspeth_landscape::registry::KnownKey;
use elspeth_proof::{PublicKey, SecretKey};
use serde::Serialize;

use crate::signing::{public_key, secret_key};
use crate::store::{database_url, landscape, location};
use crate::{AppError, DatabaseChoice};

/// A key, as everybody may know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublicKeyView {
    /// Its short name: `<name>+<8 hex digits>`.
    pub id: String,
    /// The whole public key.
    pub public_key: String,
    /// The file of the secret one, where that was made or read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<String>,
}

/// The keys of a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyList {
    /// Where its record is.
    pub database: String,
    /// The name of its registry.
    pub origin: String,
    /// The keys, in the order in which they came.
    pub keys: Vec<KeyView>,
}

/// A key of a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyView {
    /// Its short name.
    pub id: String,
    /// Whether it signs.
    pub status: KeyStatus,
    /// Since when; RFC 3339.
    pub added_at: String,
    /// When it was revoked; RFC 3339.
    pub revoked_at: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// The whole public key.
    pub public_key: String,
}

/// What a key is to a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyStatus {
    /// It signs.
    Current,
    /// Another took its place.
    Replaced,
    /// It is not to be trusted any more.
    Revoked,
}

impl KeyStatus {
    /// The name that is shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Replaced => "replaced",
            Self::Revoked => "revoked",
        }
    }
}

/// Makes a key of that name and writes it into a new file that only its owner can read.
///
/// # Errors
/// [`AppError`] when no key can have that name, the file is there already or cannot be written, or the system gives no
/// randomness.
pub fn generate_key(name: &str, file: &Path) -> Result<PublicKeyView, AppError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)
        .map_err(|error| AppError::Output(format!("the system gives no randomness: {error}")))?;
    let key = SecretKey::from_seed(name, &seed).map_err(|error| AppError::Refused {
        message: format!("`{name}` can be no key's name: {error}"),
        help: Some("use the name of your organisation or host, such as `example.org/audit`".to_owned()),
    })?;
    write_new(file, &(key.to_text() + "\n"))?;
    Ok(PublicKeyView { key_file: Some(file.display().to_string()), ..view(&key) })
}

fn view(key: &SecretKey) -> PublicKeyView {
    let public = key.public();
    PublicKeyView { id: public.short_name(), public_key: public.to_string(), key_file: None }
}

/// Writes a file that was not there before, for its owner alone, and waits until it is on the disk.
fn write_new(path: &Path, text: &str) -> Result<(), AppError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        sync_folder(path.parent().unwrap_or(Path::new("")))
    });
    written.map_err(|error| AppError::Refused {
        message: format!("cannot write the key file {}: {error}", path.display()),
        help: (error.kind() == std::io::ErrorKind::AlreadyExists)
            .then(|| "a key is never overwritten; choose another file".to_owned()),
    })
}

/// The public key of a file that holds a secret or a public one.
///
/// # Errors
/// [`AppError`] when it holds none, or others can read a secret one.
pub fn show_key(file: &Path) -> Result<PublicKeyView, AppError> {
    if let Ok(public) = public_key(&file.display().to_string()) {
        return Ok(PublicKeyView { id: public.short_name(), public_key: public.to_string(), key_file: None });
    }
    let key = secret_key(file)?;
    Ok(PublicKeyView { key_file: Some(file.display().to_string()), ..view(&key) })
}

/// The keys of a database.
///
/// # Errors
/// [`AppError`] when there is no such database, or it cannot be read.
pub fn keys(database: &DatabaseChoice) -> Result<KeyList, AppError> {
    let url = database_url(database)?;
    let (origin, keys) = landscape(&url)?.registry_view()?.keys()?;
    let current = keys.current().map(KnownKey::id);
    let view = |known: &KnownKey| {
        let status = match &known.revoked {
            Some(_) => KeyStatus::Revoked,
            None if Some(known.id()) == current => KeyStatus::Current,
            None => KeyStatus::Replaced,
        };
        KeyView {
            id: known.id(),
            status,
            added_at: known.added_at.rfc3339(),
            revoked_at: known.revoked.as_ref().map(|(at, _)| at.rfc3339()),
            reason: known.revoked.as_ref().map(|(_, reason)| reason.clone()),
            public_key: known.key.to_string(),
        }
    };
    Ok(KeyList { database: location(&url), origin, keys: keys.all().iter().map(view).collect() })
}

/// How the keys of a database took each other's place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeySuccession {
    /// The name of its registry.
    pub origin: String,
    /// The short names of the keys, in the order in which they came: the first one took no other's place.
    pub keys: Vec<String>,
    /// Those among them that were revoked since, of which the proof tells nothing.
    pub revoked: Vec<String>,
    /// The proof: for each key but the first a line with the entry that it and the one before signed.
    #[serde(skip)]
    pub text: String,
}

/// Proves to whoever believes an old key which others took its place.
///
/// # Errors
/// [`AppError`] when there is no such database, it cannot be read, or no key took another's place there.
pub fn prove_keys(database: &DatabaseChoice) -> Result<KeySuccession, AppError> {
    let (origin, keys) = landscape(&database_url(database)?)?.registry_view()?.keys()?;
    let text: String =
        keys.all().iter().filter_map(|known| Some(format!("{}\n", known.succession.as_ref()?))).collect();
    if text.is_empty() {
        return Err(AppError::Refused {
            message: "no key took the place of another in this database".to_owned(),
            help: Some("whoever has the key that `elspeth keys list` shows needs no proof".to_owned()),
        });
    }
    let revoked = keys.all().iter().filter(|known| known.revoked.is_some()).map(KnownKey::id).collect();
    Ok(KeySuccession { origin, keys: keys.all().iter().map(KnownKey::id).collect(), revoked, text })
}

/// Lets the key in one file take the place of the one in the other.
///
/// # Errors
/// [`AppError`] when a key cannot be read, the old one does not sign, or the new one was there before.
pub fn rotate_keys(database: &DatabaseChoice, old: &Path, new: &Path) -> Result<KeyList, AppError> {
    let (old, new) = (secret_key(old)?, secret_key(new)?);
    landscape(&database_url(database)?)?.registry()?.rotate(&old, &new, SystemClock::new().now())?;
    keys(database)
}

/// Revokes a key, given by its short name or its whole text; the key in the file is the one that signs.
///
/// # Errors
/// [`AppError`] when the key in the file does not sign, or the other is none that could be revoked.
pub fn revoke_key(
    database: &DatabaseChoice,
    key: &str,
    signed_by: &Path,
    reason: &str,
) -> Result<KeyList, AppError> {
    let by = secret_key(signed_by)?;
    let id = key.parse().map_or_else(|_| key.to_owned(), |public: PublicKey| public.short_name());
    let registry = landscape(&database_url(database)?)?.registry()?;
    registry.revoke(&by, (&id, reason), SystemClock::new().now())?;
    keys(database)
}
