//! How far the export of a run got that its settings ask for.

use std::path::Path;
use std::time::Duration;

use elspeth_contracts::{ExportStatus, RunStatus};
use elspeth_landscape::{LandscapeError, RunRecord};
use rusqlite::params;

use crate::connect::{self, Synchronous};
use crate::error::write_error;

/// Only a completed run is exported, which is nobody's any more.
const SET: &str = "UPDATE runs SET export_status = ?1 WHERE run_no = ?2 AND status = ?3";

pub(crate) fn set(
    path: &Path,
    patience: Duration,
    run: &RunRecord,
    status: ExportStatus,
) -> Result<(), LandscapeError> {
    let connection = connect::writer(path, patience, Synchronous::Full)?;
    let values = params![status.code(), run.run_no, RunStatus::Completed.code()];
    let set = connection.execute(SET, values);
    let context = || format!("noting the export of run {} in audit database {}", run.run_id, path.display());
    set.map(|_| ()).map_err(|error| write_error(context(), &error))
}
