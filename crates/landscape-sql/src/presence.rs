//! Whether the file that a connection writes to is still the one under its name.
//!
//! A file that was deleted can be written to as long as it is open; SQLite does not mind, and neither would anybody notice.

use std::fs;
use std::path::Path;

/// What tells a file from another under its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Presence(Option<FileId>);

#[cfg(unix)]
type FileId = [u64; 2];
#[cfg(not(unix))]
type FileId = ();

impl Presence {
    /// Of the file that is there now.
    pub(crate) fn of(path: &Path) -> Self {
        Self(fs::metadata(path).ok().map(|about| id(&about)))
    }

    /// Whether it is there still. Where that cannot be asked the next write will tell.
    pub(crate) fn lasts(self, path: &Path) -> bool {
        match fs::metadata(path) {
            Ok(about) => self.0 == Some(id(&about)),
            Err(error) => error.kind() != std::io::ErrorKind::NotFound,
        }
    }
}

#[cfg(unix)]
fn id(about: &fs::Metadata) -> FileId {
    use std::os::unix::fs::MetadataExt as _;
    [about.dev(), about.ino()]
}

#[cfg(not(unix))]
fn id(_: &fs::Metadata) -> FileId {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_file_under_the_name_is_not_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&path, "").unwrap();
        let presence = Presence::of(&path);
        fs::write(&path, "longer").unwrap();
        assert!(presence.lasts(&path));
        fs::write(&other, "longer").unwrap();
        fs::rename(&other, &path).unwrap();
        assert!(!presence.lasts(&path));
        fs::remove_file(&path).unwrap();
        assert!(!presence.lasts(&path));
    }
}
