//! How far the export of a run got that its settings ask for.

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
    set.map(|_| ()).map_err(|error| error.told(context()))
}
