use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use elspeth_app::{AppError, Diagnostic, Prepared, RunObserver, RunReport, printable, shell_word};
use serde_json::json;

use super::{OK, settings_choice};
use crate::args::RunArgs;
use crate::progress::{Console, JsonEvents};
use crate::{diagnostics, output, summary};

/// Completed, but rows failed, and `--strict` was given.
const STRICT: u8 = 6;
/// Stopped by a second signal.
const INTERRUPTED: i32 = 3;

pub(super) fn run(args: &RunArgs) -> Result<u8, AppError> {
    let prepared = elspeth_app::prepare(&settings_choice(&args.settings))?;
    if !args.execute {
        return plan(args, &prepared);
    }
    let warnings = prepared.warnings().to_vec();
    let act = |stop, observer: &mut dyn RunObserver| elspeth_app::run(prepared, stop, observer);
    perform((args.wants_json(), args.strict), &warnings, act)
}

/// Shows how a run gets on and how it ends; the exit code says that too.
pub(super) fn perform(
    (json, strict): (bool, bool),
    warnings: &[Diagnostic],
    act: impl FnOnce(Arc<AtomicBool>, &mut dyn RunObserver) -> Result<RunReport, AppError>,
) -> Result<u8, AppError> {
    let stop = stop_on_signals()?;
    let report = if json {
        let mut events = JsonEvents::new(warnings);
        let report = act(stop, &mut events)?;
        let mut event = serde_json::to_value(&report).map_err(|e| AppError::Output(e.to_string()))?;
        event["event"] = json!("run_completed");
        event["exit_code"] = json!(exit_code(&report, strict));
        output::json(&event).map_err(|error| untold(&error, &report))?;
        report
    } else {
        diagnostics::print_warnings(warnings);
        let mut console = Console::new();
        let report = act(stop, &mut console)?;
        console.finish();
        for warning in &report.warnings {
            output::note(&format!("warning: {}", printable(warning)));
        }
        output::text(&summary::of_run(&report)).map_err(|error| untold(&error, &report))?;
        report
    };
    if let Some(error) = &report.error {
        diagnostics::print_failure(error, report.help.as_deref());
    }
    Ok(exit_code(&report, strict))
}

/// The run ended, and nobody was told.
fn untold(error: &AppError, report: &RunReport) -> AppError {
    let (run_id, status, database) = (report.run.run_id, report.run.status, &report.run.database);
    AppError::Refused {
        message: format!("{error}; run {run_id} is recorded as {status}"),
        help: Some(format!("`elspeth status {run_id} -d {}` tells how it went", shell_word(database))),
    }
}

fn exit_code(report: &RunReport, strict: bool) -> u8 {
    let code = report.run.exit_code.unwrap_or(OK);
    if strict && code == OK && report.has_failures() { STRICT } else { code }
}

fn plan(args: &RunArgs, prepared: &Prepared) -> Result<u8, AppError> {
    if args.wants_json() {
        output::json(&prepared.plan())?;
    } else {
        diagnostics::print_warnings(prepared.warnings());
        output::text(&summary::of_plan(prepared))?;
    }
    Ok(OK)
}

/// The first SIGINT or SIGTERM asks the run to finish its epochs; the second ends the process at once, which is as
/// safe as a crash.
fn stop_on_signals() -> Result<Arc<AtomicBool>, AppError> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, INTERRUPTED, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
            .map_err(cannot_listen)?;
    }
    // A file that must not grow is an error with a path in it; without this it would end the process.
    let unread = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, unread).map_err(cannot_listen)?;
    Ok(stop)
}

fn cannot_listen(error: std::io::Error) -> AppError {
    AppError::Output(format!("cannot listen for signals: {error}"))
}
