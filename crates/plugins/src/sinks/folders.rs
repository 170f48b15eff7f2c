//! Where an output file goes: checked without changing anything before a run, made when it starts.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use elspeth_contracts::{create_folders, sync_folder};
use elspeth_faults::{Act, Call, around};
use elspeth_plugin::SinkError;

use super::staged_file::failed;

/// Links behind each other that are followed; systems follow no more either.
const LINKS: usize = 40;

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
        true => followed(target)?,
        false => target.to_owned(),
    };
    let about = fs::metadata(&target).map_err(|e| failed("look at", &target, &e))?;
    let shown = target.display();
    if about.is_dir() {
        let message = format!("cannot write `{shown}`: it is a folder");
        return Err(SinkError::new(message).with_help("name a file inside of it"));
    }
    if !about.is_file() {
        return Err(not_plain(&target));
    }
    Ok(target)
}

fn not_plain(target: &Path) -> SinkError {
    SinkError::new(format!("cannot write `{}`: it is not a plain file", target.display())).with_help(
        "outputs are completed beside their path and then renamed, which devices and pipes do not allow",
    )
}

/// What a link leads to.
fn followed(link: &Path) -> Result<PathBuf, SinkError> {
    let mut path = link.to_owned();
    for _ in 0..LINKS {
        // What is open in a process (`/dev/stdout`) has a name there, but another file under that name would not be it.
        if is_open_file(&path) {
            return Err(not_plain(link));
        }
        match fs::read_link(&path) {
            Ok(to) => path = parent_of(&path).join(to),
            Err(_) => break,
        }
    }
    fs::canonicalize(link).map_err(|e| {
        let failure = failed("follow the link", link, &e);
        match e.kind() {
            io::ErrorKind::NotFound => {
                failure.with_help("it leads to nothing; remove it, or make the file that it leads to")
            }
            _ => failure,
        }
    })
}

/// Whether it is in a folder that lists what a process has open.
fn is_open_file(path: &Path) -> bool {
    let Ok(folder) = fs::canonicalize(parent_of(path)) else { return false };
    folder == Path::new("/dev/fd") || (folder.starts_with("/proc") && folder.ends_with("fd"))
}

/// Whether the file `name`, beside `target`, and the folders that it needs can have their names, without changing anything.
///
/// # Errors
/// One of them is too long for its disk, or could be none anywhere.
pub(crate) fn check_names(target: &Path, name: &OsStr) -> Result<(), SinkError> {
    let target = resolve_target(target)?;
    let folder = parent_of(&target);
    let existing = nearest_existing(folder);
    let missing = folder.ancestors().take_while(|folder| **folder != existing).filter_map(Path::file_name);
    let within = missing.chain(target.file_name()).map(|name| existing.join(name));
    let refused = |path: &Path| {
        let error = fs::symlink_metadata(path).err()?;
        matches!(error.kind(), io::ErrorKind::InvalidFilename | io::ErrorKind::InvalidInput).then_some(error)
    };
    let shown = target.display();
    if let Some(error) = within.chain([target.clone()]).find_map(|path| refused(&path)) {
        return Err(
            SinkError::new(format!("cannot write `{shown}`: {error}")).with_help("choose another path")
        );
    }
    let beside = [existing.join(name), target.with_file_name(name)];
    match beside.iter().find_map(|path| refused(path)) {
        None => Ok(()),
        Some(error) => {
            let name = name.display();
            let message =
                format!("cannot write `{shown}`: until it is complete its name is `{name}`: {error}");
            Err(SinkError::new(message).with_help("choose a shorter name"))
        }
    }
}

/// Makes the folders that `target` needs, durably.
///
/// # Errors
/// One of them cannot be made.
pub(crate) fn create_parents(target: &Path) -> Result<(), SinkError> {
    let folder = parent_of(target);
    let made = elspeth_faults::io(Call::CreateFolder, folder)
        .and_then(|()| create_folders(folder))
        .map_err(|e| failed("create the folder", folder, &e))?;
    made.into_iter().try_for_each(sync)
}

/// Makes the entry of `path` in its folder durable.
///
/// # Errors
/// The folder cannot be synchronised.
pub(crate) fn sync_parent(path: &Path) -> Result<(), SinkError> {
    sync(parent_of(path))
}

fn sync(folder: &Path) -> Result<(), SinkError> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let synced =
        around(Act::SyncFolder, || elspeth_faults::io(Call::Sync, folder).and_then(|()| sync_folder(folder)));
    synced.map_err(|e| failed("synchronise the folder", folder, &e))
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
