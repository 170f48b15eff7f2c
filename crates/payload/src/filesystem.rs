use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use elspeth_canonical::ContentHash;
use tempfile::NamedTempFile;

use crate::PayloadError;
use crate::fragment::ADDRESS;

/// Bodies as files that are named by the hash of their content: `<base>/aa/bb/<64 hex digits>`.
///
/// A body that [`FilesystemStore::put`] returned for survives a power loss; one that is read back has the content that
/// was put.
#[derive(Debug, Clone)]
pub struct FilesystemStore {
    base: PathBuf,
}

impl FilesystemStore {
    /// A store below `base`, which is created with the first body.
    #[must_use]
    pub fn new(base: impl Into<PathBuf>) -> Self {
        Self { base: base.into() }
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
        let path = self.path_of(hash);
        let folder = path.parent().expect("the path has a folder below the base");
        if self.holds(&path, hash)? {
            return sync_folder(folder);
        }
        self.create_folder(folder)?;
        write_file(folder, &path, bytes).map_err(|source| io_error("write", &path, source))?;
        sync_folder(folder)
    }

    /// The body with that hash; `None` when it is not there (any more).
    ///
    /// # Errors
    /// [`PayloadError::Io`], or [`PayloadError::Mismatch`] when the file's content was changed.
    pub fn get(&self, hash: ContentHash) -> Result<Option<Vec<u8>>, PayloadError> {
        let path = self.path_of(hash);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(io_error("read", &path, source)),
        };
        let found = ADDRESS.hash(&bytes);
        if found == hash { Ok(Some(bytes)) } else { Err(PayloadError::Mismatch { expected: hash, found }) }
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

    /// Creates the two levels of folders, each made durable in its parent.
    fn create_folder(&self, folder: &Path) -> Result<(), PayloadError> {
        if folder.is_dir() {
            return Ok(());
        }
        fs::create_dir_all(folder).map_err(|source| io_error("create", folder, source))?;
        let first = folder.parent().expect("there are two levels below the base");
        sync_folder(first)?;
        sync_folder(&self.base)
    }
}

fn write_file(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// A rename is durable only when its folder is.
fn sync_folder(folder: &Path) -> Result<(), PayloadError> {
    #[cfg(unix)]
    File::open(folder)
        .and_then(|f| f.sync_all())
        .map_err(|source| io_error("make durable", folder, source))?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> PayloadError {
    PayloadError::Io { action, path: path.to_path_buf(), source }
}
