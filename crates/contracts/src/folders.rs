use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Creates a folder and those above it that are missing. Gives the folders in which one was made, the innermost first: what was made
/// survives a power loss once each of them went through [`sync_folder`].
///
/// # Errors
/// One of them cannot be created.
pub fn create_folders(folder: &Path) -> io::Result<Vec<&Path>> {
    let missing = folder.ancestors().take_while(|folder| !is_there(folder)).count();
    fs::create_dir_all(folder)?;
    Ok(folder.ancestors().skip(1).take(missing).collect())
}

/// Opens a plain file for reading. Anything else at that place, such as a pipe, might never come to an end.
///
/// # Errors
/// Those of [`File::open`], and one where it is no plain file.
pub fn open_plain(path: &Path) -> io::Result<File> {
    match fs::metadata(path)?.is_file() {
        true => File::open(path),
        false => Err(io::Error::other("it is not a plain file")),
    }
}

/// Creates a folder and those above it that are missing, so that they survive a power loss.
///
/// # Errors
/// One of them cannot be created or made durable.
pub fn create_durable(folder: &Path) -> io::Result<()> {
    create_folders(folder)?.into_iter().try_for_each(sync_folder)
}

/// Makes the names in a folder durable; the empty path is the working directory. Where a file system has no such thing, its names
/// are as durable as they get.
///
/// # Errors
/// The folder cannot be opened, or its disk does not take what is to be kept.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        fs::File::open(folder)?.sync_all().or_else(|error| match error.kind() {
            io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput => Ok(()),
            _ => Err(error),
        })
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        Ok(())
    }
}

fn is_there(folder: &Path) -> bool {
    folder.as_os_str().is_empty() || folder.is_dir()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// A folder of its own, which goes with it.
    struct Scratch(PathBuf);

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn scratch(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("elspeth-folders-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("the system has a folder for temporary files");
        Scratch(path)
    }

    #[test]
    fn every_folder_in_which_one_was_made_is_told() {
        let scratch = scratch("told");
        let root = scratch.0.as_path();
        let (a, c) = (root.join("a"), root.join("a/b/c"));
        assert_eq!(create_folders(&c).unwrap(), [&*root.join("a/b"), &*a, root]);
        assert!(c.is_dir());
        assert_eq!(create_folders(&c).unwrap(), [] as [&Path; 0]);
        assert_eq!(create_folders(&a.join("d")).unwrap(), [&*a]);
        assert_eq!(create_folders(Path::new("")).unwrap(), [] as [&Path; 0]);
    }

    #[test]
    fn names_in_the_working_directory_are_made_durable_too() {
        sync_folder(Path::new("")).unwrap();
        assert_eq!(sync_folder(Path::new("no/such/folder")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_file_in_the_way_is_an_error() {
        let scratch = scratch("way");
        fs::write(scratch.0.join("a"), "").unwrap();
        assert!(create_durable(&scratch.0.join("a/b")).is_err());
        create_durable(&scratch.0.join("c/d")).unwrap();
        assert!(scratch.0.join("c/d").is_dir());
    }
}
