//! The file of a new database, made under another name before it has its own.
//!
//! That a database keeps a write-ahead log stands in its first page. SQLite writes that page as it writes any other without
//! a log: with a journal beside it, for which the disk is waited for four times; then it makes one table after the other.
//! Here all that is a file which is there whole or not at all, and is waited for once; that it has its name, with the
//! log's own.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use elspeth_faults::Call;

use crate::schema;

/// How such files begin before they have their name.
const UNFINISHED: &str = ".elspeth-new-";
/// What SQLite asks of a database file, before the user's mask.
const MODE: u32 = 0o644;

/// Makes the file where there is nothing. Where the folder does not let us, or another process was faster, that is left to
/// SQLite, which knows what to do or what to say.
pub(crate) fn publish(path: &Path) {
    if path.symlink_metadata().is_err() {
        let _ = schema::file_of_tables().and_then(|file| write(path, &file));
    }
}

fn write(path: &Path, tables: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    elspeth_faults::io(Call::Create, path)?;
    let mut file = tempfile::Builder::new()
        .prefix(UNFINISHED)
        .permissions(Permissions::from_mode(MODE))
        .tempfile_in(folder)?;
    elspeth_faults::write_all(file.as_file_mut(), tables, path)?;
    elspeth_faults::io(Call::Sync, path).and_then(|()| file.as_file().sync_all())?;
    elspeth_faults::io(Call::Rename, path)?;
    file.persist_noclobber(path).map(drop).map_err(|refused| refused.error)
}
