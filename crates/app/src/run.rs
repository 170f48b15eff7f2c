use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use elspeth_contracts::{IdSource, RandomIds};
use elspeth_landscape_sql::SqliteLandscape;
use elspeth_orchestrator::{RunEnd, RunError, RunObserver};

use crate::store::{Reader, block_on, landscape, location};
use crate::{AppError, Prepared, RunReport, report, telemetry};

/// Runs a prepared pipeline. `stop` asks it to finish what is under way and end as interrupted.
///
/// # Errors
/// [`AppError`] when the run could not begin, or its end could not be recorded. A run that began and failed is a report
/// with status `failed`.
pub fn run(
    prepared: Prepared,
    stop: Arc<AtomicBool>,
    observer: &mut dyn RunObserver,
) -> Result<RunReport, AppError> {
    prepared.preflight()?;
    let database = landscape(prepared.database())?;
    let location = location(prepared.database());
    let (plan, guard) = prepared.into_plan(RandomIds.next_run_id())?;
    let report = block_on(async {
        let writer = database.writer().await?;
        let end = elspeth_orchestrator::run(plan, Box::new(writer), stop, observer).await?;
        report_of(Ended { end, database: &database, location }).await
    })?;
    let losses = telemetry::losses(guard);
    report.map(|report| RunReport { warnings: losses, ..report })
}

/// A run that ended, and where its record is.
pub(crate) struct Ended<'a> {
    pub(crate) end: RunEnd,
    pub(crate) database: &'a SqliteLandscape,
    pub(crate) location: String,
}

/// The report of a run that ended, from its record.
pub(crate) async fn report_of(Ended { end, database, location }: Ended<'_>) -> Result<RunReport, AppError> {
    let reader = Reader { store: Box::new(database.reader().await?), location };
    let record = reader.run(&end.run_id.to_string()).await?;
    let mut report = report::report(&reader, &record).await?;
    if let Some(error) = end.error.filter(RunError::is_ours) {
        report.run.exit_code = Some(AppError::Run(error).exit_code());
    }
    Ok(report)
}
