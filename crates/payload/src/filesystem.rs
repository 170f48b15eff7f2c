use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use elspeth_canonical::ContentHash;
use elspeth_contracts::open_plain;
use elspeth_faults::{Act, Call, around};
use tempfile::NamedTempFile;

use crate::PayloadError;
use crate::folders::{create_durable, sync_folder};
use crate::fragment::ADDRESS;
use crate::usage::{StoreKeeper, Usage};

/// Bodies as files that are named by the hash of their content: `<base>/aa/bb/<64 hex digits>`.
///
/// A body that [`FilesystemStore::put`] returned for survives a power loss; one that is read back has the content that
/// was put. Several processes may use one store at once: whoever puts a body holds the store until the last clone of it is
/// dropped, and a [`StoreKeeper`], who alone removes bodies, exists only while nobody holds it.
#[derive(Debug, Clone)]
pub struct FilesystemStore {
    base: PathBuf,
    usage: Arc<Usage>,
}

/// Where large bodies can be read from.
pub trait LargeBodies: Sync {
    /// Whether it can be asked at all. What is not there says nothing otherwise.
    fn is_here(&self) -> bool;

    /// The body with that hash; `None` when it is not there.
    ///
    /// # Errors
    /// [`PayloadError`] when it cannot be read, or its content was changed.
    fn large(&self, hash: ContentHash) -> Result<Option<Vec<u8>>, PayloadError>;
}

impl LargeBodies for FilesystemStore {
    fn is_here(&self) -> bool {
        self.base.is_dir()
    }

    fn large(&self, hash: ContentHash) -> Result<Option<Vec<u8>>, PayloadError> {
        self.get(hash)
    }
}

impl FilesystemStore {
    /// A store below `base`, which is created with the first body.
    #[must_use]
    pub fn new(base: impl Into<PathBuf>) -> Self {
        Self { base: base.into(), usage: Arc::new(Usage::new(None)) }
    }

    /// The same, for bodies that the record in the file `database` will refer to: its path is noted in the store before the
    /// first body, so that whoever removes bodies for another record knows whom to ask.
    #[must_use]
    pub fn for_record_in(base: impl Into<PathBuf>, database: impl Into<PathBuf>) -> Self {
        Self { base: base.into(), usage: Arc::new(Usage::new(Some(database.into()))) }
    }

    /// Its folder.
    #[must_use]
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// Where the body with that hash is, or would be.
    #[must_use]
    pub fn path_of(&self, hash: ContentHash) -> PathBuf {
        let name = hash.to_string();
        self.base.join(&name[..2]).join(&name[2..4]).join(&name)
    }

    /// Keeps `bytes`, whose hash is `hash`; nothing is written when they are there already.
    ///
    /// # Errors
    /// [`PayloadError::Io`].
    pub fn put(&self, hash: ContentHash, bytes: &[u8]) -> Result<(), PayloadError> {
        debug_assert_eq!(ADDRESS.hash(bytes), hash, "bodies are stored under the hash of their content");
        self.usage.begin(&self.base)?;
        let path = self.path_of(hash);
        let folder = path.parent().expect("the path has a folder below the base");
        self.usage.once(folder, || create_durable(folder))?;
        if !self.holds(&path, hash)? {
            write_file(folder, &path, bytes).map_err(|source| io_error("write", &path, source))?;
        }
        // Also of a body that was there: whoever renamed it may not have come so far.
        sync_folder(folder)
    }

    /// The body with that hash; `None` when it is not there (any more).
    ///
    /// # Errors
    /// [`PayloadError::Io`], or [`PayloadError::Mismatch`] when the file's content was changed.
    pub fn get(&self, hash: ContentHash) -> Result<Option<Vec<u8>>, PayloadError> {
        let path = self.path_of(hash);
        let bytes = match elspeth_faults::io(Call::Read, &path).and_then(|()| read(&path)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(io_error("read", &path, source)),
        };
        let found = ADDRESS.hash(&bytes);
        if found == hash { Ok(Some(bytes)) } else { Err(PayloadError::Mismatch { expected: hash, found }) }
    }

    /// The right to remove bodies; `None` while somebody may be putting some. Nobody can put one while it is held.
    ///
    /// # Errors
    /// [`PayloadError::Io`], also when there is no such folder.
    pub fn keeper(&self) -> Result<Option<StoreKeeper>, PayloadError> {
        StoreKeeper::of(self.clone())
    }

    /// Whether the body is there and whole; a damaged one is not, so that putting it again mends it.
    fn holds(&self, path: &Path, hash: ContentHash) -> Result<bool, PayloadError> {
        if !path.exists() {
            return Ok(false);
        }
        match self.get(hash) {
            Ok(found) => Ok(found.is_some()),
            Err(PayloadError::Mismatch { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_plain(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A file of that content under a name of its own, then under `path`: nobody ever sees a part of it there.
pub(crate) fn write_file(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    elspeth_faults::io(Call::Create, path)?;
    let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
    write_durably(&mut file, bytes, path)?;
    around(Act::RenameBody, || {
        elspeth_faults::io(Call::Rename, path)?;
        file.persist(path).map(drop).map_err(|failed| failed.error)
    })
}

/// How files begin that were not finished when a process ended.
pub(crate) const UNFINISHED: &str = ".tmp";

fn write_durably(file: &mut NamedTempFile, bytes: &[u8], path: &Path) -> io::Result<()> {
    let file: &mut File = file.as_file_mut();
    around(Act::WriteBody, || elspeth_faults::write_all(file, bytes, path))?;
    around(Act::SyncBody, || elspeth_faults::io(Call::Sync, path).and_then(|()| file.sync_all()))
}

pub(crate) fn io_error(action: &'static str, path: &Path, source: io::Error) -> PayloadError {
    PayloadError::Io { action, path: path.to_path_buf(), source }
}
