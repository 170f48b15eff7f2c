//! Folders that survive a power loss.

use std::path::Path;

use elspeth_contracts::create_folders;
use elspeth_faults::Call;

use crate::PayloadError;
use crate::filesystem::io_error;

/// Creates a folder and those above it. Each is durable in the one above it when this returns: those that were missing,
/// and the folder itself in any case, since another process may have made it just now.
pub(crate) fn create_durable(folder: &Path) -> Result<(), PayloadError> {
    let made = elspeth_faults::io(Call::CreateFolder, folder)
        .and_then(|()| create_folders(folder))
        .map_err(|source| io_error("create", folder, source))?;
    match made.as_slice() {
        [] => folder.parent().into_iter().try_for_each(sync_folder),
        made => made.iter().try_for_each(|folder| sync_folder(folder)),
    }
}

/// A new name is durable only when its folder is.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), PayloadError> {
    let shown = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    elspeth_faults::io(Call::Sync, shown)
        .and_then(|()| elspeth_contracts::sync_folder(shown))
        .map_err(|source| io_error("make durable", shown, source))
}
