//! Copying the write-ahead log into the database while a run goes on, so that the writer finds little left to copy.
//!
//! It is SQLite that copies, so that readers and a crash at any moment are looked after. The log is begun anew by the writer, when
//! it is long enough and all of it is in the database.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use elspeth_phases::{Phase, within};
use rusqlite::Connection;

use crate::connect::{self, Synchronous};
use crate::schema::PAGE_SIZE;

/// Pages in the log that are copied at once (4 MiB): some ten epochs of a small pipeline.
const PAGES: i64 = 512;

/// Says how many pages there are, and how many of them are copied.
const LOOK: &str = "PRAGMA wal_checkpoint(NOOP)";
/// Copies what no reader is in the way of.
const COPY: &str = "PRAGMA wal_checkpoint(PASSIVE)";

/// A thread that copies, with a connection of its own.
pub(crate) struct BackgroundFold {
    /// `None` once it is to end.
    commits: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl BackgroundFold {
    /// Tells the thread of a commit; begins it with the first one after which there is something to do.
    pub(crate) fn committed(folding: &mut Option<Self>, database: &Path, synchronous: Synchronous) {
        match folding {
            // It looks by itself how much there is; when it is busy it looks again afterwards.
            Some(Self { commits: Some(commits), .. }) => drop(commits.try_send(())),
            Some(Self { commits: None, .. }) => {}
            None if is_long(database) => *folding = Self::begin(database.to_owned(), synchronous),
            None => {}
        }
    }

    /// `None` where no thread can be made.
    fn begin(database: PathBuf, synchronous: Synchronous) -> Option<Self> {
        let (commits, inbox) = sync_channel(1);
        let fold = move || {
            // Where it fails, the writer does it all, as it does without this thread.
            let _ = within(Phase::Record, || fold(&connect::folder(&database, synchronous)?, &inbox));
        };
        let thread = std::thread::Builder::new().spawn(fold).ok()?;
        Some(Self { commits: Some(commits), thread: Some(thread) })
    }
}

impl Drop for BackgroundFold {
    /// Waits for what is being copied: nobody else can fold the log meanwhile.
    fn drop(&mut self) {
        self.commits = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn is_long(database: &Path) -> bool {
    let bytes = fs::metadata(connect::log_of(database)).map_or(0, |log| log.len());
    bytes > PAGES.unsigned_abs() * u64::from(PAGE_SIZE)
}

fn fold(connection: &Connection, commits: &Receiver<()>) -> rusqlite::Result<()> {
    let (mut look, mut copy) = (connection.prepare(LOOK)?, connection.prepare(COPY)?);
    while commits.recv().is_ok() {
        let left = look.query_row((), |row| Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?))?;
        if left >= PAGES {
            copy.query_row((), |_| Ok(()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn frames(connection: &Connection) -> (i64, i64) {
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(1)?, row.get(2)?));
        connection.query_row(LOOK, (), read).unwrap()
    }

    #[test]
    fn what_is_committed_is_copied_beside_the_writer_and_the_log_stays_the_writers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.db");
        let writer = connect::writer(&path, Duration::ZERO, Synchronous::Full).unwrap();
        writer.execute_batch("CREATE TABLE filler(bytes BLOB)").unwrap();
        let mut folding = None;
        let commit = |folding: &mut Option<BackgroundFold>| {
            writer.execute("INSERT INTO filler VALUES (zeroblob(65536))", ()).unwrap();
            BackgroundFold::committed(folding, &path, Synchronous::Full);
        };
        commit(&mut folding);
        assert!(folding.is_none(), "there is next to nothing in the log");
        // Nine pages each; the writer copies nothing by itself before it has 4,096.
        for _ in 0..400 {
            commit(&mut folding);
        }
        assert!(folding.is_some());
        drop(folding);
        let (logged, copied) = frames(&writer);
        assert!(logged > 3_600 && logged < 4_096, "{logged} pages are in the log");
        assert!(copied > 0, "nothing was copied of {logged} pages");
        let kept: i64 = writer.query_row("SELECT count(*) FROM filler", (), |row| row.get(0)).unwrap();
        assert_eq!(kept, 401);
    }
}
