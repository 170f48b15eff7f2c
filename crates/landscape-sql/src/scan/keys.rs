//! Numbers in keys, read as what may be something else: the records of a table that no range finds.

use elspeth_landscape::LandscapeError;

use super::Scan;
use super::cells::Cells;
use crate::db::{Bind, Row, values};
use crate::error::WriteFailed;

impl Scan {
    /// A number that is a part of a table's key. What is no number there is behind all of them, where no range finds it.
    pub(super) fn part_of_key(
        &self,
        (sql, table): (&str, &'static str),
        values: &[&dyn Bind],
    ) -> Result<Option<i64>, LandscapeError> {
        let read = |row: &Row<'_>| Ok(Cells::new(row, self.run_id, (table, 1)).maybe_int(0)?);
        let found = self.connection.db().first(sql, values, read);
        Ok(found.map_err(|error: WriteFailed| self.failed(error))?.flatten())
    }

    /// The first number of a run in a table after `after`, by the index or key that every table has.
    pub(super) fn next_run(&self, table: &'static str, after: i64) -> Result<Option<i64>, LandscapeError> {
        let sql = format!("SELECT min(run_no) AS run_no FROM {table} WHERE run_no > ?");
        self.part_of_key((&sql, table), values![after])
    }
}
