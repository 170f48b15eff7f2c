//! An export that is one file of another form, without a manifest.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use elspeth_contracts::create_durable;

use super::ExportError;
use super::files::{Whole, folder};

/// A file that is to be.
pub(super) struct OneFile {
    folder: PathBuf,
    name: String,
}

/// Refuses a path at which something is, a link to nothing included.
///
/// # Errors
/// [`ExportError::Exists`].
pub fn unused(path: &Path) -> Result<(), ExportError> {
    match path.symlink_metadata() {
        Ok(_) => Err(ExportError::Exists(path.to_owned())),
        // Whatever else is wrong there is told when it is written to.
        Err(_) => Ok(()),
    }
}

/// Writes a small file that was not there before, such as a receipt; it appears when it is whole and durable. Creates its folder
/// where that does not exist.
///
/// # Errors
/// [`ExportError::Exists`] when something is there, [`ExportError::Io`].
pub fn write_new(path: &Path, text: &str) -> Result<(), ExportError> {
    OneFile::at(path)?.write(|file| file.write_all(text.as_bytes()))
}

impl OneFile {
    /// Creates its folder where that does not exist.
    pub(super) fn at(path: &Path) -> Result<Self, ExportError> {
        unused(path)?;
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            let what = "that is no name for a file".to_owned();
            return Err(ExportError::NoExport { path: path.to_owned(), what });
        };
        let into = folder(path.parent().unwrap_or(Path::new(""))).to_owned();
        create_durable(&into).map_err(ExportError::io("creating", &into))?;
        Ok(Self { folder: into, name: name.to_owned() })
    }

    /// The folder that it is in.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Puts what says so about the file.
    pub(super) fn io(&self) -> impl FnOnce(io::Error) -> ExportError + use<> {
        ExportError::io("writing", self.folder.join(&self.name))
    }

    /// Writes it; it appears when it is whole.
    pub(super) fn write(self, content: impl FnOnce(&mut Whole) -> io::Result<()>) -> Result<(), ExportError> {
        let mut out = Whole::create(&self.folder)?;
        content(&mut out).map_err(self.io())?;
        out.finish(&self.folder, self.name, false).map(|_| ())
    }
}

/// Where such a file is: at `path`, when its name ends in one of `endings`; else as `name` in the folder `path`.
#[must_use]
pub fn one_file(path: &Path, endings: &[&str], name: &str) -> PathBuf {
    let ending = path.extension().and_then(|ending| ending.to_str());
    let is_file = ending.is_some_and(|ending| endings.contains(&ending)) && !path.is_dir();
    if is_file { path.to_owned() } else { path.join(name) }
}
