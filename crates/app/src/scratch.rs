//! A folder for what is needed for a moment and nobody else may read: values of rows are in it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use elspeth_contracts::open_plain;

const PREFIX: &str = "elspeth-copy-";
/// Locked as long as the folder's process is at work; it gets its name when it is.
const IN_USE: &str = "in-use";

/// A folder for this process's user alone, until dropped. What a process left that was killed goes with the next one.
pub(crate) struct Scratch {
    folder: tempfile::TempDir,
    _in_use: File,
}

impl Scratch {
    /// Makes one where the system keeps such things.
    pub(crate) fn new() -> io::Result<Self> {
        Self::among(&std::env::temp_dir())
    }

    fn among(others: &Path) -> io::Result<Self> {
        left(others).for_each(remove);
        let mut builder = tempfile::Builder::new();
        builder.prefix(PREFIX);
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let folder = builder.tempdir_in(others)?;
        let begun = folder.path().join("begun");
        let in_use = File::create(&begun)?;
        in_use.lock()?;
        fs::rename(begun, folder.path().join(IN_USE))?;
        Ok(Self { folder, _in_use: in_use })
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Folders of which no process is at work any more. One that was just made has nothing that could be locked, and stays.
fn left(among: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(among).into_iter().flatten().flatten();
    let named = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX));
    named.map(|entry| entry.path()).filter(|folder| {
        let in_use = open_plain(&folder.join(IN_USE));
        in_use.is_ok_and(|in_use| in_use.try_lock().is_ok())
    })
}

/// Others' folders, and what cannot be removed, stay where they are: whoever copies is not hindered by them.
fn remove(folder: PathBuf) {
    let _ = fs::remove_dir_all(folder);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_for_one_user_and_goes_with_its_process_or_with_the_next_one() {
        let place = tempfile::tempdir().unwrap();
        let names = || fs::read_dir(place.path()).unwrap().count();
        let scratch = Scratch::among(place.path()).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(scratch.folder.path()).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700);
        }
        fs::write(scratch.join("values"), "of rows").unwrap();
        let other = Scratch::among(place.path()).unwrap();
        assert!(scratch.join("values").exists(), "it is in use");
        drop(other);
        // As after a kill: the lock is gone, the folder is not.
        let Scratch { folder, _in_use } = scratch;
        let killed = folder.keep();
        drop(_in_use);
        fs::create_dir(place.path().join("elspeth-copy-new")).unwrap();
        let next = Scratch::among(place.path()).unwrap();
        assert!(!killed.exists());
        assert_eq!(names(), 2, "the new one, and one that may be somebody's who just made it");
        drop(next);
        assert_eq!(names(), 1);
    }
}
