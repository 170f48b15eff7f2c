//! The workspace on disk: where it is, and which files belong to it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// The root folder of the workspace.
pub(crate) struct Workspace {
    root: PathBuf,
}

/// Folders that hold nothing of ours: build output, version control, and what runs leave behind.
const FOREIGN: [&str; 6] = ["target", ".git", "state", ".elspeth", "out", "node_modules"];

impl Workspace {
    /// Finds the root: cargo tells where this package lies, one level below it.
    pub(crate) fn find() -> Result<Self, Error> {
        let package = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = package.parent().unwrap_or(&package).to_path_buf();
        if root.join("layers.toml").is_file() {
            Ok(Self { root })
        } else {
            Err(Error::format(root.display().to_string(), "no layers.toml; start it as `cargo xtask`"))
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    pub(crate) fn read(&self, relative: &str) -> Result<String, Error> {
        let path = self.path(relative);
        fs::read_to_string(&path).map_err(Error::io(&path))
    }

    /// All files of the workspace, relative to the root with `/` between parts, in order.
    pub(crate) fn files(&self) -> Result<Vec<String>, Error> {
        let mut found = Vec::new();
        collect(&self.root, "", &mut found)?;
        found.sort();
        Ok(found)
    }
}

fn collect(folder: &Path, prefix: &str, found: &mut Vec<String>) -> Result<(), Error> {
    for entry in fs::read_dir(folder).map_err(Error::io(folder))? {
        let entry = entry.map_err(Error::io(folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type().map_err(Error::io(folder))?;
        let relative = format!("{prefix}{name}");
        if kind.is_dir() && !FOREIGN.contains(&name.as_str()) {
            collect(&entry.path(), &format!("{relative}/"), found)?;
        } else if kind.is_file() {
            found.push(relative);
        }
    }
    Ok(())
}
