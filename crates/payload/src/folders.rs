//! Folders that survive a power loss.

use std::fs;
#[cfg(unix)]
use std::fs::File;
use std::path::Path;

use elspeth_faults::Call;

use crate::PayloadError;
use crate::filesystem::io_error;

/// Creates a folder and those above it. Each is durable in the one above it when this returns: those that were missing,
/// and the folder itself in any case, since another process may have made it just now.
pub(crate) fn create_durable(folder: &Path) -> Result<(), PayloadError> {
    let missing = folder.ancestors().skip(1).take_while(|above| !is_there(above)).count();
    elspeth_faults::io(Call::CreateFolder, folder)
        .and_then(|()| fs::create_dir_all(folder))
        .map_err(|source| io_error("create", folder, source))?;
    folder.ancestors().skip(1).take(missing + 1).try_for_each(sync_folder)
}

fn is_there(folder: &Path) -> bool {
    folder.as_os_str().is_empty() || folder.is_dir()
}

/// A new name is durable only when its folder is.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), PayloadError> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    #[cfg(unix)]
    elspeth_faults::io(Call::Sync, folder)
        .and_then(|()| File::open(folder)?.sync_all())
        .map_err(|source| io_error("make durable", folder, source))?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}
