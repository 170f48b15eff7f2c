use elspeth_landscape::{FailureReport, failures};

use crate::store::{block_on, open_reader};
use crate::{AppError, DatabaseChoice};

/// The failures of a run: counted, and the first `limit` of them one by one.
///
/// # Errors
/// [`AppError`] when there is no such database or run, or the record contradicts itself.
pub fn errors(database: &DatabaseChoice, run: &str, limit: u64) -> Result<FailureReport, AppError> {
    block_on(async {
        let reader = open_reader(database).await?;
        let run = reader.run(run).await?;
        let bodies = reader.body_store(&run);
        Ok(failures(reader.store.as_ref(), bodies.as_ref(), &run, limit).await?)
    })?
}
