//! A disk that is soon full.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::Ordering;

use super::{PG_SUPERUSER, PgCluster, User, note_skipped, run};

/// A database of a cluster on a disk of its own, which lies in memory. It goes with its value.
#[derive(Debug)]
pub struct SmallDisk {
    folder: PathBuf,
    url: String,
}

impl PgCluster {
    /// One of so many megabytes. `None`, where this process may not mount one; then the test is noted as skipped.
    ///
    /// # Panics
    /// When the server does not take the disk.
    pub fn small_disk(&self, megabytes: u32) -> Option<SmallDisk> {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let folder = self.folder.join(format!("disk{number}"));
        let owner = self.user.map(|User { uid, gid }| format!(",uid={uid},gid={gid}")).unwrap_or_default();
        let mounted =
            fs::create_dir(&folder).is_ok() && mount(&folder, &format!("size={megabytes}m,mode=700{owner}"));
        if !mounted {
            note_skipped("no disk may be mounted here");
            return None;
        }
        let (disk, name) = (format!("disk{number}"), format!("db{number}"));
        let small = SmallDisk { url: self.url_as(PG_SUPERUSER, &name), folder };
        self.psql("postgres", &format!("CREATE TABLESPACE {disk} LOCATION '{}'", small.folder.display()));
        self.psql("postgres", &format!("CREATE DATABASE {name} TABLESPACE {disk}"));
        Some(small)
    }
}

impl SmallDisk {
    /// The URL of the database.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Makes room: it has so many megabytes from now on.
    ///
    /// # Panics
    /// When that fails.
    pub fn grow(&self, megabytes: u32) {
        assert!(mount(&self.folder, &format!("remount,size={megabytes}m")), "the disk cannot be made larger");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Even while the server has files open there.
        run(Command::new("umount").arg("-l").arg(&self.folder));
    }
}

fn mount(folder: &std::path::Path, options: &str) -> bool {
    let mut command = Command::new("mount");
    command.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(folder);
    command.output().is_ok_and(|output| output.status.success())
}
