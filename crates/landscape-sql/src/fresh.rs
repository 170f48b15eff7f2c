//! The file of a new database, made under another name before it has its own.
//!
//! That a database keeps a write-ahead log stands in its first page. SQLite writes that page as it writes any other without
//! a log: with a journal beside it, for which the disk is waited for four times; then it makes one table after the other.
//! Here all that is a file which is there whole or not at all, and is waited for once; that it has its name, with the
//! log's own.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use elspeth_contracts::disk_advice;
use elspeth_faults::{Act, Call, around};
use elspeth_landscape::LandscapeError;

use crate::schema;

/// What SQLite asks of a database file, before the user's mask.
const MODE: u32 = 0o644;

/// Makes the file where there is nothing. Where another process was faster, or the folder does not let us, that is left to
/// SQLite, which knows what to do or what to say.
pub(crate) fn publish(path: &Path) -> Result<(), LandscapeError> {
    if path.symlink_metadata().is_ok() {
        return Ok(());
    }
    let written = schema::file_of_tables().and_then(|file| write(path, &file));
    written.or_else(|error| match error.kind() {
        ErrorKind::AlreadyExists
        | ErrorKind::NotFound
        | ErrorKind::PermissionDenied
        | ErrorKind::InvalidInput
        | ErrorKind::Unsupported => Ok(()),
        _ => Err(LandscapeError::Store {
            context: format!("creating audit database {}", path.display()),
            message: match disk_advice(&error) {
                Some(advice) => format!("{error}; {advice}"),
                None => error.to_string(),
            },
            retryable: false,
        }),
    })
}

fn write(path: &Path, tables: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let unfinished = unfinished(path);
    clean(folder, &unfinished)?;
    elspeth_faults::io(Call::Create, path)?;
    let mut file = tempfile::Builder::new()
        .prefix(&unfinished)
        .permissions(Permissions::from_mode(MODE))
        .tempfile_in(folder)?;
    elspeth_faults::write_all(file.as_file_mut(), tables, path)?;
    elspeth_faults::io(Call::Sync, path).and_then(|()| file.as_file().sync_all())?;
    around(Act::MakeDatabase, || {
        elspeth_faults::io(Call::Rename, path)?;
        file.persist_noclobber(path).map(drop).map_err(|refused| refused.error)
    })
}

/// How the file begins before it has its name.
fn unfinished(path: &Path) -> OsString {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".new-");
    name
}

/// Removes what a process left that ended in between. Where that was still at work, it leaves the rest to SQLite.
fn clean(folder: &Path, unfinished: &OsString) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(unfinished.as_encoded_bytes()) {
            around(Act::MakeDatabase, || fs::remove_file(entry.path()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_unfinished_goes_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        for name in [".audit.db.new-abc", ".audit.db", ".other.db.new-abc", "audit.db.new-abc"] {
            fs::write(place(name), "").unwrap();
        }
        publish(&place("audit.db")).unwrap();
        let mut left: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, [".audit.db", ".other.db.new-abc", "audit.db", "audit.db.new-abc"]);
        let mode = place("audit.db").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o600, 0o600);
    }

    #[test]
    fn what_is_there_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.db");
        fs::write(&path, "something").unwrap();
        publish(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"something");
    }
}
