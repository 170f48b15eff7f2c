//! Who uses a store: those who put bodies hold it together, the one who removes them holds it alone; and for which records
//! bodies were put.
//!
//! `<base>/lock` is locked as a whole: shared from the first body that a process puts until it lets go of the store, and
//! exclusively by a keeper. The system lets go of a lock when its process ends, however it ends. `<base>/databases` has a
//! file for each record whose bodies are here, with its path, or its URL where a server has it.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use elspeth_canonical::ContentHash;
use elspeth_faults::Call;

use crate::filesystem::{UNFINISHED, io_error, write_file};
use crate::folders::{create_durable, sync_folder};
use crate::fragment::ADDRESS;
use crate::{FilesystemStore, PayloadError};

const LOCK: &str = "lock";
const DATABASES: &str = "databases";
/// How the name of a record begins that is in no file.
const SERVER: &str = "postgresql://";

/// What one process does with a store.
#[derive(Debug)]
pub(crate) struct Usage {
    /// The record that refers to the bodies, where it is in a file.
    database: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Locked, from the first body on.
    lock: Option<File>,
    /// Folders that were made durable.
    durable: HashSet<PathBuf>,
}

impl Usage {
    pub(crate) fn new(database: Option<PathBuf>) -> Self {
        Self { database, state: Mutex::default() }
    }

    /// Before the first body: takes part in the use of the store, and notes for which record.
    pub(crate) fn begin(&self, base: &Path) -> Result<(), PayloadError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.lock.is_some() {
            return Ok(());
        }
        create_durable(base)?;
        let (path, file) = lock_file(base)?;
        match elspeth_faults::io(Call::Lock, &path).and_then(|()| file.lock_shared()) {
            // Where files cannot be locked nobody becomes a keeper, so nothing is removed.
            Err(error) if error.kind() != ErrorKind::Unsupported => {
                return Err(io_error("lock", &path, error));
            }
            Ok(()) | Err(_) => {}
        }
        if let Some(database) = &self.database {
            note(base, database)?;
        }
        state.lock = Some(file);
        Ok(())
    }

    /// Does `work` for a folder, unless this process did it before.
    pub(crate) fn once(
        &self,
        folder: &Path,
        work: impl FnOnce() -> Result<(), PayloadError>,
    ) -> Result<(), PayloadError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.durable.contains(folder) {
            work()?;
            state.durable.insert(folder.to_path_buf());
        }
        Ok(())
    }
}

fn lock_file(base: &Path) -> Result<(PathBuf, File), PayloadError> {
    let path = base.join(LOCK);
    let file = elspeth_faults::io(Call::Open, &path)
        .and_then(|()| File::options().create(true).append(true).open(&path));
    file.map(|file| (path.clone(), file)).map_err(|source| io_error("open", &path, source))
}

/// Notes that the record in the file `database` refers to bodies of the store.
fn note(base: &Path, database: &Path) -> Result<(), PayloadError> {
    let database = resolved(database)?;
    let path = note_of(base, &database);
    if path.exists() {
        return sync_folder(&base.join(DATABASES));
    }
    let folder = base.join(DATABASES);
    create_durable(&folder)?;
    write_file(&folder, &path, database.as_os_str().as_encoded_bytes())
        .map_err(|source| io_error("write", &path, source))?;
    sync_folder(&folder)
}

fn note_of(base: &Path, database: &Path) -> PathBuf {
    let name = ADDRESS.hash(database.as_os_str().as_encoded_bytes()).to_string();
    base.join(DATABASES).join(&name[..16])
}

/// The path by which a file is known, whatever the working directory. A database on a server has its URL instead.
fn resolved(path: &Path) -> Result<PathBuf, PayloadError> {
    if path.to_str().is_some_and(|text| text.starts_with(SERVER)) {
        return Ok(path.to_owned());
    }
    fs::canonicalize(path)
        .or_else(|_| std::path::absolute(path))
        .map_err(|source| io_error("find", path, source))
}

/// A record whose bodies are, or were, in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotedRecord {
    /// Its database.
    pub database: PathBuf,
    /// The file that says so. Whoever deletes it says that the record is gone for good.
    pub note: PathBuf,
}

/// The only user of a store, who may remove bodies.
#[derive(Debug)]
pub struct StoreKeeper {
    store: FilesystemStore,
    _lock: File,
}

impl StoreKeeper {
    pub(crate) fn of(store: FilesystemStore) -> Result<Option<Self>, PayloadError> {
        let (path, file) = lock_file(store.base())?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { store, _lock: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(io_error("lock", &path, source)),
        }
    }

    /// The records that bodies were put for, but for the one in `own`.
    ///
    /// # Errors
    /// [`PayloadError::Io`].
    pub fn other_records(&self, own: &Path) -> Result<Vec<NotedRecord>, PayloadError> {
        let own = resolved(own)?;
        let folder = self.store.base().join(DATABASES);
        let mut found = Vec::new();
        for name in names_in(&folder)? {
            let note = folder.join(&name);
            if name.as_encoded_bytes().starts_with(UNFINISHED.as_bytes()) {
                continue;
            }
            let text = fs::read(&note).map_err(|source| io_error("read", &note, source))?;
            let database = path_of_bytes(text);
            if database != own {
                found.push(NotedRecord { database, note });
            }
        }
        found.sort_by(|a, b| a.database.cmp(&b.database));
        Ok(found)
    }

    /// Removes bodies; with each its length, if it was there. They do not come back after a power loss.
    ///
    /// # Errors
    /// [`PayloadError::Io`].
    pub fn remove(&self, hashes: &[ContentHash]) -> Result<Vec<(ContentHash, Option<u64>)>, PayloadError> {
        let mut removed = Vec::new();
        let mut changed = HashSet::new();
        for hash in hashes {
            let path = self.store.path_of(*hash);
            removed.push((*hash, remove_file(&path)?));
            // Also where it was gone: the one who removed it may not have come so far.
            changed.extend(path.parent().filter(|folder| folder.is_dir()).map(Path::to_path_buf));
        }
        changed.iter().try_for_each(|folder| sync_folder(folder))?;
        Ok(removed)
    }

    /// Removes what processes left that ended while they wrote a body; how many files.
    ///
    /// # Errors
    /// [`PayloadError::Io`].
    pub fn sweep(&self) -> Result<usize, PayloadError> {
        let mut removed = 0;
        for first in folders_in(self.store.base())? {
            for folder in folders_in(&first)?.into_iter().chain([first]) {
                for name in names_in(&folder)? {
                    if name.as_encoded_bytes().starts_with(UNFINISHED.as_bytes()) {
                        removed += usize::from(remove_file(&folder.join(name))?.is_some());
                    }
                }
            }
        }
        Ok(removed)
    }
}

/// Its length, if it was there.
fn remove_file(path: &Path) -> Result<Option<u64>, PayloadError> {
    let length = match fs::symlink_metadata(path) {
        Ok(found) => found.len(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(io_error("remove", path, source)),
    };
    match fs::remove_file(path) {
        Ok(()) => Ok(Some(length)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(io_error("remove", path, source)),
    }
}

/// None, when there is no such folder.
fn names_in(folder: &Path) -> Result<Vec<OsString>, PayloadError> {
    let failed = |source| io_error("list", folder, source);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(failed(source)),
    };
    entries.map(|entry| entry.map(|found| found.file_name()).map_err(failed)).collect()
}

fn folders_in(folder: &Path) -> Result<Vec<PathBuf>, PayloadError> {
    let names = names_in(folder)?;
    Ok(names.into_iter().map(|name| folder.join(name)).filter(|path| path.is_dir()).collect())
}

#[cfg(unix)]
fn path_of_bytes(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt as _;
    OsString::from_vec(bytes).into()
}

#[cfg(not(unix))]
fn path_of_bytes(bytes: Vec<u8>) -> PathBuf {
    String::from_utf8_lossy(&bytes).into_owned().into()
}
