//! The workspace on disk: where it is, and which files belong to it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// The root folder of the workspace.
pub(crate) struct Workspace {
    root: PathBuf,
}

/// Folders that hold nothing of ours wherever they are: build output, version control, payload stores.
const FOREIGN: [&str; 3] = ["target", ".git", ".elspeth"];

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
        if kind.is_dir() && !is_foreign(&relative) {
            collect(&entry.path(), &format!("{relative}/"), found)?;
        // A second working tree has a file of this name instead of the folder.
        } else if kind.is_file() && relative != ".git" {
            found.push(relative);
        }
    }
    Ok(())
}

/// What runs leave behind is known by its place: a module may well be called `state`.
fn is_foreign(folder: &str) -> bool {
    let parts: Vec<&str> = folder.split('/').collect();
    match parts.as_slice() {
        [.., last] if FOREIGN.contains(last) => true,
        ["state"] | ["examples", _, "out" | "state"] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_files_are_found_but_those_of_builds_and_runs() {
        let root = tempfile::tempdir().unwrap();
        let ours =
            ["README.md", "crates/x/src/state/mod.rs", "examples/a/expected/out.csv", "xtask/src/out/b.rs"];
        let foreign = [
            "target/debug/a.rs",
            ".git/config",
            "state/audit.db",
            "examples/a/out/b.csv",
            ".elspeth/payloads/c",
        ];
        for file in ours.iter().chain(&foreign) {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let workspace = Workspace { root: root.path().to_path_buf() };
        assert_eq!(workspace.files().unwrap(), ours);
    }
}
