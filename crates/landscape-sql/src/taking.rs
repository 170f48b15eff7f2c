//! Records of an imported run on their way into a database.

use crate::db::{Db, DbError};
use crate::insert::{Inserts, Table};
use crate::postgres::Bulk;

/// Takes records one after the other.
pub(crate) enum Records {
    Sqlite(Inserts),
    Postgres(Bulk),
}

impl Records {
    pub(crate) fn new(db: Db<'_>, run_no: i64) -> Self {
        match db {
            Db::Sqlite(_) => Self::Sqlite(Inserts::new(run_no)),
            Db::Postgres(_) => Self::Postgres(Bulk::new(run_no)),
        }
    }

    pub(crate) fn add<T: Table>(&mut self, db: Db<'_>, table: T, record: &T::Record) -> Result<(), DbError> {
        match (self, db) {
            (Self::Sqlite(inserts), Db::Sqlite(connection)) => {
                Ok(inserts.all(connection, table, std::slice::from_ref(record))?)
            }
            (Self::Postgres(bulk), Db::Postgres(session)) => Ok(bulk.add(session, table, record)?),
            (Self::Sqlite(_), Db::Postgres(_)) | (Self::Postgres(_), Db::Sqlite(_)) => {
                unreachable!("an import has one connection")
            }
        }
    }

    /// Sends what waits, if anything does.
    pub(crate) fn flush(&mut self, db: Db<'_>) -> Result<(), DbError> {
        match (self, db) {
            (Self::Postgres(bulk), Db::Postgres(session)) => Ok(bulk.flush(session)?),
            (Self::Sqlite(_) | Self::Postgres(_), _) => Ok(()),
        }
    }
}
