//! The write-ahead log, made durable while the next epoch is already being staged.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use elspeth_contracts::disk_advice;
use elspeth_faults::{Act, Call, around, io};
use elspeth_landscape::{Durability, LandscapeError};
use rusqlite::Connection;

use crate::connect::log_of;

/// What `PRAGMA synchronous` says of FULL.
const FULL: i64 = 2;

/// The log of a database of which one connection commits without waiting for the disk; who has to wait does so here.
///
/// With `synchronous = NORMAL` a commit writes to the log and leaves it to the next synchronisation of that file to make it
/// durable; everything else is as with FULL. Each commit is checked against all before it in the log, so that none survives
/// a power failure without them. Why this is not left to SQLite is told in `docs/adr/0014-sinks-behind.md`.
pub(crate) struct Log {
    file: Arc<File>,
    path: PathBuf,
}

impl Log {
    /// Lets a connection commit without waiting. `None`, where it never waits, or where the log cannot be opened: then it
    /// goes on as it was.
    pub(crate) fn relieve(connection: &Connection, database: &Path) -> rusqlite::Result<Option<Self>> {
        let synchronous: i64 = connection.query_row("PRAGMA synchronous", (), |row| row.get(0))?;
        let path = log_of(database);
        let file = File::options().read(true).write(true).open(&path);
        let Some(file) = file.ok().filter(|_| synchronous == FULL) else { return Ok(None) };
        connection.execute_batch("PRAGMA synchronous = NORMAL")?;
        Ok(Some(Self { file: Arc::new(file), path }))
    }

    /// Lets a connection wait again for each commit.
    pub(crate) fn burden(self, connection: &Connection) -> rusqlite::Result<()> {
        connection.execute_batch("PRAGMA synchronous = FULL")
    }

    /// Of all that was committed so far.
    pub(crate) fn durability(&self) -> Durability {
        let (file, path) = (Arc::clone(&self.file), self.path.clone());
        Durability::once(move || {
            let synchronised = around(Act::SyncLog, || io(Call::Sync, &path).and_then(|()| file.sync_data()));
            synchronised.map_err(|error| LandscapeError::Store {
                context: format!("making the log {} durable", path.display()),
                message: match disk_advice(&error) {
                    Some(advice) => format!("{error}; {advice}"),
                    None => error.to_string(),
                },
                retryable: false,
            })
        })
    }
}
