//! Where an output file goes: checked without changing anything before a run, made when it starts.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use elspeth_faults::{Act, Call, around};
use elspeth_plugin::SinkError;

use super::staged_file::failed;

/// Whether `target` could be written, without changing anything.
///
/// # Errors
/// It is a folder or a device, or the folder that it would be in (or the nearest one that exists) cannot be written.
pub(crate) fn check_target(target: &Path) -> Result<(), SinkError> {
    let target = resolve_target(target)?;
    let folder = nearest_existing(parent_of(&target));
    let shown = folder.display();
    let about = fs::metadata(&folder).map_err(|e| failed("look at", &folder, &e))?;
    if !about.is_dir() {
        let message = format!("cannot write `{}`: `{shown}` is a file, not a folder", target.display());
        return Err(SinkError::new(message).with_help("choose another path"));
    }
    if !may_write(&folder, &about) {
        let message = format!("cannot write `{}`: the folder `{shown}` is not writable", target.display());
        return Err(SinkError::new(message)
            .with_help("let the user that runs elspeth write there, or choose another path"));
    }
    Ok(())
}

/// The file itself where `target` is a link to one, so that publishing replaces the file and not the link.
///
/// # Errors
/// It is a folder, a device, or a link to nothing.
pub(crate) fn resolve_target(target: &Path) -> Result<PathBuf, SinkError> {
    let Ok(about) = fs::symlink_metadata(target) else { return Ok(target.to_owned()) };
    let target = match about.is_symlink() {
        true => fs::canonicalize(target).map_err(|e| failed("follow the link", target, &e))?,
        false => target.to_owned(),
    };
    let about = fs::metadata(&target).map_err(|e| failed("look at", &target, &e))?;
    let shown = target.display();
    if about.is_dir() {
        let message = format!("cannot write `{shown}`: it is a folder");
        return Err(SinkError::new(message).with_help("name a file inside of it"));
    }
    if !about.is_file() {
        return Err(SinkError::new(format!("cannot write `{shown}`: it is not a plain file")).with_help(
            "outputs are completed beside their path and then renamed, which devices and pipes do not allow",
        ));
    }
    Ok(target)
}

/// Makes the folders that `target` needs, durably.
///
/// # Errors
/// One of them cannot be made.
pub(crate) fn create_parents(target: &Path) -> Result<(), SinkError> {
    let folder = parent_of(target);
    let existing = nearest_existing(folder);
    elspeth_faults::io(Call::CreateFolder, folder)
        .and_then(|()| fs::create_dir_all(folder))
        .map_err(|e| failed("create the folder", folder, &e))?;
    let mut made = folder;
    while made != existing {
        sync_parent(made)?;
        made = parent_of(made);
    }
    Ok(())
}

/// Makes the entry of `path` in its folder durable.
///
/// # Errors
/// The folder cannot be synchronised.
pub(crate) fn sync_parent(path: &Path) -> Result<(), SinkError> {
    let folder = parent_of(path);
    let synced = around(Act::SyncFolder, || {
        elspeth_faults::io(Call::Sync, folder).and_then(|()| File::open(folder)?.sync_all())
    });
    synced.or_else(|e| match e.kind() {
        // Some file systems have no fsync of folders; their renames are as durable as they get.
        io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput => Ok(()),
        _ => Err(failed("synchronise the folder", folder, &e)),
    })
}

fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn nearest_existing(folder: &Path) -> PathBuf {
    let mut folder = folder;
    while fs::symlink_metadata(folder).is_err() && folder != Path::new(".") && folder != Path::new("/") {
        folder = parent_of(folder);
    }
    folder.to_owned()
}

#[cfg(unix)]
fn may_write(folder: &Path, _about: &fs::Metadata) -> bool {
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK).is_ok()
}

#[cfg(not(unix))]
fn may_write(_folder: &Path, about: &fs::Metadata) -> bool {
    !about.permissions().readonly()
}
