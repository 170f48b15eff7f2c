//! The registry of a database, for verifiers.

use elspeth_contracts::RunId;
use elspeth_landscape::verify::{RegistryScan, StoredEntry};
use elspeth_landscape::{Corruption, LandscapeError};

use super::cells::Cells;
use crate::db::{Connection, Db, DbError};
use crate::error::WriteFailed;
use crate::schema;

/// All of it, as of one moment.
pub(super) struct LogScan {
    pub(super) connection: Connection,
    pub(super) location: String,
}

const ENTRIES: &str = "SELECT g.number, g.run_no, r.run_id, g.entry, g.peaks, h.note, h.size FROM registry g
    LEFT JOIN runs r ON r.run_no = g.run_no LEFT JOIN heads h ON h.size = g.number + 1 ORDER BY g.number";
const HEADS: &str = "SELECT count(*) FROM heads";
const UNENTERED: &str =
    "SELECT CASE typeof(run_id) WHEN 'text' THEN run_id ELSE 'number ' || run_no END FROM runs
    WHERE NOT EXISTS (SELECT 1 FROM registry g WHERE g.run_no = runs.run_no) ORDER BY run_no LIMIT 1";

impl LogScan {
    fn failed(&self, error: &DbError) -> LandscapeError {
        error.told(format!("verifying audit database {}", self.location))
    }
}

impl RegistryScan for LogScan {
    fn entries(&mut self, each: &mut dyn FnMut(StoredEntry)) -> Result<(), LandscapeError> {
        let read = self.connection.db().each(ENTRIES, &[], |row| {
            // Public ids of a run are not needed here.
            let cells = Cells::new(row, RunId::from_ulid(ulid::Ulid::nil()), ("registry", 1));
            let has_head = cells.maybe_int(6)?.is_some();
            each(StoredEntry {
                number: cells.int(0)?,
                run_no: cells.maybe_int(1)?,
                run_id: cells.maybe_text(2)?,
                text: cells.text(3)?,
                peaks: cells.bytes(4)?,
                head: if has_head { Some(cells.text(5)?) } else { None },
            });
            Ok::<(), WriteFailed>(())
        });
        read.map_err(|failed| failed.told(|| format!("verifying audit database {}", self.location)))
    }

    fn heads(&mut self) -> Result<u64, LandscapeError> {
        let count = self.connection.db().number(HEADS, &[]).map_err(|error| self.failed(&error))?;
        Ok(count.unwrap_or_default().cast_unsigned())
    }

    fn unentered(&mut self) -> Result<Option<String>, LandscapeError> {
        let found = self.connection.db().first(UNENTERED, &[], |row| row.get::<String>(0));
        found.map_err(|error| self.failed(&error))
    }

    /// On a server, who may change tables and views owns the database; nothing is looked at there.
    fn altered(&mut self) -> Result<Vec<Corruption>, LandscapeError> {
        match self.connection.db() {
            Db::Sqlite(connection) => {
                schema::altered(connection).map_err(|error| self.failed(&DbError::from(error)))
            }
            Db::Postgres(_) => Ok(Vec::new()),
        }
    }
}
