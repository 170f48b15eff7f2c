use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use elspeth_contracts::{IdSource, RandomIds, RunId, RunStatus};
use elspeth_landscape_sql::Landscape;
use elspeth_orchestrator::{RunEnd, RunError, RunObserver};

use crate::epilogue::{Completed, Epilogue};
use crate::journal::{Kept, keeping};
use crate::lease::Tenure;
use crate::store::{Reader, block_on, location};
use crate::{AppError, Prepared, RunReport, report, shell_word, telemetry};

/// Runs a prepared pipeline. `stop` asks it to finish what is under way and end as interrupted.
///
/// # Errors
/// [`AppError`] when the run could not begin, or its end could not be recorded. A run that began and failed is a report
/// with status `failed`.
pub fn run(
    mut prepared: Prepared,
    stop: Arc<AtomicBool>,
    observer: &mut dyn RunObserver,
) -> Result<RunReport, AppError> {
    prepared.preflight()?;
    let database = prepared.landscape(prepared.database())?;
    let location = location(prepared.database());
    let journal = prepared.journal(prepared.database());
    let epilogue = prepared.take_epilogue()?;
    let tenure = Tenure::begin();
    let (plan, guard) = prepared.into_plan(RandomIds.next_run_id(), &tenure, observer)?;
    let report = block_on(async {
        let (writer, kept) = keeping(database.writer().await?, journal.as_deref(), None)?;
        let run = elspeth_orchestrator::run(plan, writer, stop, observer);
        let (end, reader) = tokio::join!(run, database.reader_ahead());
        let end = end.map_err(|error| unended(error, &location))?;
        report_of(Ended { end, database: &database, location, kept, epilogue }, reader).await
    })?;
    let losses = telemetry::losses(guard);
    report.map(|report| report.warned(losses))
}

/// A run that ended, and where its record is.
pub(crate) struct Ended<'a> {
    pub(crate) end: RunEnd,
    pub(crate) database: &'a Landscape,
    pub(crate) location: String,
    pub(crate) kept: Option<Kept>,
    pub(crate) epilogue: Option<Epilogue>,
}

/// The report of a run that ended, from its record; by a reader that is open already, if there is one.
pub(crate) async fn report_of(
    Ended { end, database, location, kept, epilogue }: Ended<'_>,
    reader: Option<elspeth_landscape_sql::Reader>,
) -> Result<RunReport, AppError> {
    let exported = match epilogue.filter(|_| end.status == RunStatus::Completed) {
        Some(epilogue) => {
            epilogue.carry_out(Completed { run_id: end.run_id, database, location: &location }).await
        }
        None => None,
    };
    let store = match reader {
        Some(reader) => reader,
        None => database.reader().await?,
    };
    let reader = Reader { store: Box::new(store), location };
    let record = reader.run(&end.run_id.to_string()).await?;
    let mut report = report::report(&reader, &record).await?;
    if let Some(error) = end.error {
        if error.is_ours() {
            report.run.exit_code = Some(AppError::Run(error).exit_code());
        } else {
            report.help = Some(way_on(&error, report.run.run_id, &report.run.database));
        }
    }
    Ok(report.warned(kept.and_then(|kept| kept.warning())).warned(exported))
}

/// The error of a run that did not begin, or whose end is not recorded.
pub(crate) fn unended(error: RunError, location: &str) -> AppError {
    match &error {
        RunError::EndNotRecorded { run_id, .. } => {
            let help = way_on(&error, *run_id, location);
            AppError::Unrecorded { error: Box::new(error), help }
        }
        RunError::Source(_)
        | RunError::Act(_)
        | RunError::Bodies(_)
        | RunError::Record(_)
        | RunError::Changed { .. }
        | RunError::Limit { .. }
        | RunError::Budget { .. }
        | RunError::Plan(_)
        | RunError::Stopped
        | RunError::Internal(_) => AppError::Run(error),
    }
}

/// What to do about the error, and then.
fn way_on(error: &RunError, run_id: RunId, location: &str) -> String {
    if let RunError::Limit { help, .. } = error {
        // It would come to the same limit again.
        return (*help).to_owned();
    }
    let first = error.help().unwrap_or("mend that");
    let database = shell_word(location);
    format!("{first}; `elspeth resume {run_id} -d {database} -x` goes on with the run then")
}
