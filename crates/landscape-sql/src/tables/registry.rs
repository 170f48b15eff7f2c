//! `registry` and `heads`: the append-only log of the database.

use elspeth_landscape::registry::{Entry, Log};
use elspeth_landscape::{Corruption, LandscapeError};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::error::WriteFailed;

pub(crate) struct Registry;

impl Registry {
    const LAST: &'static str = "SELECT number, peaks FROM registry ORDER BY number DESC LIMIT 1";
    const INSERT: &'static str = "INSERT INTO registry(number, run_no, entry, peaks) VALUES(?, ?, ?, ?)";

    /// Appends an entry, in the transaction that is open.
    pub(crate) fn append(
        connection: &Connection,
        run_no: Option<i64>,
        entry: &Entry,
    ) -> Result<(), WriteFailed> {
        let mut log = Self::log(connection)?;
        let (number, text) = (log.size().cast_signed(), entry.text()?);
        log.append(&text);
        let values = params![number, run_no, text, log.peaks()];
        connection.prepare_cached(Self::INSERT)?.execute(values)?;
        Ok(())
    }

    /// The log as far as it goes.
    fn log(connection: &Connection) -> Result<Log, WriteFailed> {
        let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?));
        let Some((last, peaks)) = connection.prepare_cached(Self::LAST)?.query_row((), read).optional()?
        else {
            return Ok(Log::empty());
        };
        let size = u64::try_from(last).ok().map(|last| last + 1);
        let log = size.and_then(|size| Log::from_stored(size, &peaks));
        Ok(log.ok_or_else(|| {
            let what = "`peaks` are not those of a log of that length".to_owned();
            LandscapeError::from(Corruption { table: "registry", id: format!("number {last}"), what })
        })?)
    }
}
