//! Records of a range of a table.
//!
//! Stepping through the records of a query crosses the border to SQLite several times for each value. SQLite hands an
//! aggregate function all values of a record at once, so such a function gathers them (`docs/performance.md`, "Verifying").

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use elspeth_contracts::RunId;
use elspeth_landscape::LandscapeError;
use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::params;
use rusqlite::types::{Null, ValueRef};

use super::cells::Cells;
use super::records::Ranged;
use crate::db::{Args, Db, DbError, Row, values};
use crate::error::WriteFailed;

type Records<R> = Result<Vec<R>, LandscapeError>;

/// Reads one table on one connection.
pub(super) struct Gathered<R: 'static> {
    ranged: &'static Ranged<R>,
    run: (RunId, i64),
    ordered: String,
    gathering: String,
    /// Where the function leaves what it gathered.
    gathered: Arc<Mutex<Records<R>>>,
    /// For how many records the function makes room.
    room: Arc<AtomicUsize>,
}

impl<R: Send> Gathered<R> {
    pub(super) fn new(db: Db<'_>, ranged: &'static Ranged<R>, run: (RunId, i64)) -> Result<Self, DbError> {
        let Ranged { name, key, columns, .. } = ranged;
        let (order, columns) = (columns[..*key].join(", "), columns.join(", "));
        let range = format!("run_no = ?1 AND {} BETWEEN ?2 AND ?3", ranged.columns[0]);
        let function = format!("gather_{name}");
        let gathered = Arc::new(Mutex::new(Ok(Vec::new())));
        let room = Arc::new(AtomicUsize::new(0));
        if let Db::Sqlite(connection) = db {
            let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY;
            let gather = Gather { ranged, run: run.0, gathered: gathered.clone(), room: room.clone() };
            let values = i32::try_from(ranged.columns.len() + 1).expect("a table has few columns");
            connection.create_aggregate_function(&*function, values, flags, gather)?;
        }
        Ok(Self {
            ranged,
            run,
            ordered: format!("SELECT {columns} FROM {name} WHERE {range} ORDER BY {order}"),
            // By the index that is the table itself, records come in the order of the key, whatever indexes somebody has added.
            gathering: format!(
                "SELECT {function}({columns}, run_no) FROM {name} INDEXED BY sqlite_autoindex_{name}_1 WHERE {range}"
            ),
            gathered,
            room,
        })
    }

    /// Reads every record of a range, in the order of the key.
    pub(super) fn read(
        &self,
        db: Db<'_>,
        (first, last): (i64, i64),
        out: &mut Vec<R>,
    ) -> Result<(), WriteFailed> {
        let Db::Sqlite(connection) = db else {
            return self.each(db, (first, last), |record| out.push(record));
        };
        let mut gathering = connection.prepare_cached(&self.gathering).map_err(DbError::from)?;
        let asked = gathering.query_row(params![self.run.1, first, last], |_| Ok(()));
        asked.map_err(DbError::from)?;
        let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        let mut records = std::mem::replace(&mut *gathered, Ok(Vec::new()))?;
        // The next range is of an epoch too, mostly, and has about as many.
        self.room.store(records.len(), Ordering::Relaxed);
        match out.is_empty() {
            true => *out = records,
            false => out.append(&mut records),
        }
        Ok(())
    }

    /// The same for what need not be quick and may be much.
    pub(super) fn each(
        &self,
        db: Db<'_>,
        (first, last): (i64, i64),
        mut each: impl FnMut(R),
    ) -> Result<(), WriteFailed> {
        db.each(&self.ordered, values![self.run.1, first, last], |row| {
            each(self.ranged.record(row, self.run.0)?);
            Ok(())
        })
    }
}

impl<R> Ranged<R> {
    fn record(&self, row: &Row<'_>, run: RunId) -> Result<R, LandscapeError> {
        (self.read)(&Cells::new(row, run, (self.name, self.key)))
    }

    /// A number that is no integer is as large as the run's, so that it is found with its records.
    #[cold]
    fn of_no_run(&self, row: &Row<'_>, run: RunId, found: ValueRef<'_>) -> LandscapeError {
        let cells = Cells::new(row, run, (self.name, self.key));
        cells.corrupt(format!("`run_no` is of another type ({})", found.data_type()))
    }
}

struct Gather<R: 'static> {
    ranged: &'static Ranged<R>,
    run: RunId,
    gathered: Arc<Mutex<Records<R>>>,
    room: Arc<AtomicUsize>,
}

/// Nothing sees the records of a panic: the query fails.
impl<R> Aggregate<AssertUnwindSafe<Records<R>>, Null> for Gather<R> {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<AssertUnwindSafe<Records<R>>> {
        Ok(AssertUnwindSafe(Ok(Vec::with_capacity(self.room.load(Ordering::Relaxed)))))
    }

    fn step(
        &self,
        context: &mut Context<'_>,
        records: &mut AssertUnwindSafe<Records<R>>,
    ) -> rusqlite::Result<()> {
        if let Ok(list) = &mut records.0 {
            let row = Row::Args(Args { context, columns: self.ranged.columns });
            let record = match context.get_raw(self.ranged.columns.len()) {
                ValueRef::Integer(_) => self.ranged.record(&row, self.run),
                other => Err(self.ranged.of_no_run(&row, self.run, other)),
            };
            match record {
                Ok(record) => list.push(record),
                Err(error) => records.0 = Err(error),
            }
        }
        Ok(())
    }

    fn finalize(
        &self,
        _: &mut Context<'_>,
        records: Option<AssertUnwindSafe<Records<R>>>,
    ) -> rusqlite::Result<Null> {
        let records = records.map_or_else(|| Ok(Vec::new()), |records| records.0);
        *self.gathered.lock().unwrap_or_else(PoisonError::into_inner) = records;
        Ok(Null)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use elspeth_contracts::TokenParentRecord;
    use proptest::prelude::*;
    use rusqlite::Connection;

    use super::*;
    use crate::connect;
    use crate::scan::records::TOKEN_PARENTS;

    fn database(folder: &tempfile::TempDir) -> Connection {
        let path = folder.path().join("audit.db");
        let connection = connect::writer(&path, Duration::ZERO, connect::Synchronous::Off).unwrap();
        connection.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
        connection
    }

    fn insert(connection: &Connection, run_no: i64, (token, ordinal, parent): (i64, i64, i64)) {
        let sql =
            "INSERT OR IGNORE INTO token_parents(run_no, token, ordinal, parent) VALUES (?1, ?2, ?3, ?4)";
        connection.execute(sql, params![run_no, token, ordinal, parent]).unwrap();
    }

    fn parents(connection: &Connection) -> Gathered<TokenParentRecord> {
        Gathered::new(connection.into(), &TOKEN_PARENTS, (RunId::from_ulid(Default::default()), 2)).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_gathered_is_what_a_query_gives_in_order(
            records in prop::collection::vec((1i64..4, (0i64..60, 0i64..4, 0i64..60)), 0..80),
            range in (0i64..60, 0i64..60),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let connection = database(&folder);
            connection.execute_batch("BEGIN").unwrap();
            records.iter().for_each(|(run_no, record)| insert(&connection, *run_no, *record));
            connection.execute_batch("COMMIT").unwrap();
            let parents = parents(&connection);
            let mut expected = Vec::new();
            let asked = parents.each((&connection).into(), range, |record| expected.push(record));
            prop_assert!(asked.is_ok());
            for before in [0, 1] {
                let mut found: Vec<_> = expected.iter().take(before).cloned().collect();
                prop_assert!(parents.read((&connection).into(), range, &mut found).is_ok());
                let before = before.min(expected.len());
                prop_assert_eq!(&found[before..], &expected[..]);
            }
        }
    }

    #[test]
    fn what_cannot_be_read_is_named_and_the_next_range_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let connection = database(&folder);
        for token in [3, 7] {
            insert(&connection, 2, (token, 0, 1));
        }
        connection.execute_batch("PRAGMA ignore_check_constraints = ON").unwrap();
        insert(&connection, 2, (5, 1 << 40, 1));
        let parents = parents(&connection);
        let mut found = Vec::new();
        let failed = parents.read((&connection).into(), (0, 100), &mut found).unwrap_err();
        let told = failed.told(String::new).to_string();
        assert!(told.contains("token_parents") && told.contains("`ordinal` is 1099511627776"), "{told}");
        assert!(found.is_empty());
        parents.read((&connection).into(), (6, 100), &mut found).unwrap();
        assert_eq!(found.iter().map(|record| record.token.get()).collect::<Vec<_>>(), [7]);
    }
}
