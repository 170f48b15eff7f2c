//! How large a database is, with and without the bodies of rows.

use serde::Serialize;

use crate::error::Error;
use crate::sqlite::Connection;

#[derive(Debug, Serialize)]
pub(crate) struct Pages {
    /// The whole file.
    database_bytes: i64,
    /// Pages of the table `bodies` and its index; unpacked bodies are what may be purged.
    body_bytes: i64,
}

impl Pages {
    /// Counts the pages of a database at rest.
    pub(crate) fn of(database: &Connection) -> Result<Self, Error> {
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")?;
        let size = database.number("PRAGMA page_size")?;
        let count = database.number("PRAGMA page_count")?;
        let bodies = database.number(
            "SELECT coalesce(sum(pgsize), 0) FROM dbstat
             WHERE name IN (SELECT name FROM sqlite_schema WHERE tbl_name = 'bodies')",
        )?;
        Ok(Self { database_bytes: size * count, body_bytes: bodies })
    }
}
