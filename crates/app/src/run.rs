use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use elspeth_orchestrator::RunObserver;

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
    let (plan, guard) = prepared.into_plan()?;
    let report = block_on(async {
        let writer = database.writer().await?;
        let end = elspeth_orchestrator::run(plan, Box::new(writer), stop, observer).await?;
        let reader = Reader { store: Box::new(database.reader().await?), location };
        let record = reader.run(&end.run_id.to_string()).await?;
        let mut report = report::report(&reader, &record).await?;
        if let Some(error) = end.error.filter(elspeth_orchestrator::RunError::is_ours) {
            report.run.exit_code = Some(AppError::Run(error).exit_code());
        }
        Ok::<_, AppError>(report)
    })?;
    let losses = telemetry::losses(guard);
    report.map(|report| RunReport { warnings: losses, ..report })
}
