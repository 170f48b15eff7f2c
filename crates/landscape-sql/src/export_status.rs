//! How far the export of a run got that its settings ask for.

use std::time::Duration;

use elspeth_contracts::{ExportStatus, RunStatus};
use elspeth_landscape::{LandscapeError, RunRecord};

use crate::db::{Connection, values};

/// Only a completed run is exported, which is nobody's any more.
const SET: &str = "UPDATE runs SET export_status = ?1 WHERE run_no = ?2 AND status = ?3";

pub(crate) fn set(
    connection: &Connection,
    location: &str,
    run: &RunRecord,
    status: ExportStatus,
) -> Result<(), LandscapeError> {
    let values = values![status.code(), run.run_no, RunStatus::Completed.code()];
    let set = connection.db().execute(SET, values);
    let context = || format!("noting the export of run {} in audit database {location}", run.run_id);
    set.map_err(|error| error.told(context()))?;
    if let Connection::Sqlite { connection, .. } = connection {
        fold_log(connection);
    }
    Ok(())
}

/// Empties the write-ahead log, which readers that are open could not when they close the database as the last ones. Where it
/// cannot be done now, it is done by whoever writes next; nobody is waited for.
fn fold_log(connection: &rusqlite::Connection) {
    let _ = connection.busy_timeout(Duration::ZERO);
    let _ = connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
}
