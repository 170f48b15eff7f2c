use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A folder that disappears with the test.
#[derive(Debug)]
pub struct Scratch {
    folder: TempDir,
}

impl Scratch {
    /// A new empty folder.
    ///
    /// # Panics
    /// When the system has no place for one.
    #[expect(
        clippy::new_without_default,
        reason = "it creates something outside, which a default should not"
    )]
    #[must_use]
    pub fn new() -> Self {
        Self { folder: TempDir::new().expect("the system has a folder for temporary files") }
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The path of a name inside.
    #[must_use]
    pub fn join(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file inside, with the folders above it, and returns its path.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        let folder = path.parent().expect("a file inside a folder has a parent");
        fs::create_dir_all(folder).expect("a scratch folder can be written");
        fs::write(&path, content).expect("a scratch folder can be written");
        path
    }

    /// The names of what is inside, sorted.
    ///
    /// # Panics
    /// When the folder cannot be listed.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path()).expect("a scratch folder can be listed");
        let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
        let mut names: Vec<_> =
            entries.map(|entry| name(entry.expect("a scratch folder can be listed"))).collect();
        names.sort();
        names
    }

    /// The text of a file inside.
    ///
    /// # Panics
    /// When there is none, or when it is not UTF-8.
    #[must_use]
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.join(name))
            .unwrap_or_else(|error| panic!("cannot read scratch file {name}: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scratch_folder_keeps_files_and_disappears() {
        let scratch = Scratch::new();
        let path = scratch.write("a/b.txt", "text");
        assert_eq!(scratch.read("a/b.txt"), "text");
        assert_eq!(scratch.names(), ["a"]);
        drop(scratch);
        assert!(!path.exists());
    }
}
