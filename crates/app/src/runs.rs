use elspeth_landscape::RunListing;

use crate::store::{block_on, open_reader};
use crate::{AppError, DatabaseChoice};

/// All runs of a database, newest first.
///
/// # Errors
/// [`AppError`] when there is no such database, or it cannot be read.
pub fn runs(database: &DatabaseChoice) -> Result<Vec<RunListing>, AppError> {
    block_on(async {
        let reader = open_reader(database).await?;
        Ok(reader.store.runs().await?.iter().map(RunListing::from).collect())
    })?
}
