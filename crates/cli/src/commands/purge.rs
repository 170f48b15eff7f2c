use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use elspeth_app::{AppError, PurgeChoice, PurgeReport, PurgeRun, printable, printable_lines};

use super::{OK, database_choice, env_choice};
use crate::args::PurgeArgs;
use crate::output::{self, grouped, table};

/// Something is left for another purge.
const UNFINISHED: u8 = 1;
/// Nobody said that bodies may be deleted, and nobody can be asked.
const USAGE: u8 = 2;

pub(super) fn purge(args: &PurgeArgs) -> Result<u8, AppError> {
    let asking = !args.dry_run && !args.yes;
    if asking && !io::stdin().is_terminal() {
        eprintln!(
            "error: bodies are deleted for good, and there is no terminal on which to ask\n\n\
             add --yes to delete them, or --dry-run to see what would go"
        );
        return Ok(USAGE);
    }
    let env = env_choice(&args.database.env);
    let choice = PurgeChoice { older_than_days: args.older_than, run: args.run.clone(), env };
    let plan = elspeth_app::purge_plan(&database_choice(&args.database), &choice)?;
    if args.dry_run || plan.is_empty() {
        return say(&PurgeReport { dry_run: args.dry_run, ..plan.report().clone() }, args).map(|()| OK);
    }
    if asking && !confirmed(plan.report())? {
        eprintln!("nothing was deleted");
        return Ok(OK);
    }
    let report = elspeth_app::purge(plan)?;
    say(&report, args)?;
    Ok(if report.finished { OK } else { UNFINISHED })
}

fn say(report: &PurgeReport, args: &PurgeArgs) -> Result<(), AppError> {
    if args.json.json { output::json(report) } else { output::text(&text(report)) }
}

/// Asks on the terminal; only a yes is one.
fn confirmed(report: &PurgeReport) -> Result<bool, AppError> {
    let mut answer = String::new();
    eprint!("{}\ndelete them? [y/N] ", printable_lines(&text(report)));
    io::stderr()
        .flush()
        .and_then(|()| io::stdin().lock().read_line(&mut answer))
        .map_err(|e| AppError::Output(format!("cannot ask: {e}")))?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

fn text(report: &PurgeReport) -> String {
    let mut out = headline(report);
    if !report.runs.is_empty() {
        out.push_str(&table(&lines(&report.runs)));
    }
    for run in &report.runs {
        out.push_str(&notes(run, report.dry_run));
    }
    for skipped in &report.skipped {
        out.push_str(&format!(
            "\nkept: run {} ({}): {}\n",
            skipped.run_id,
            skipped.status,
            printable(&skipped.reason)
        ));
    }
    for waiting in &report.waiting {
        let store = waiting.payload_store.display();
        out.push_str(&format!("\nnot yet removed from {store}: {}\n", printable(&waiting.reason)));
    }
    out.push_str(&ending(report));
    out
}

fn headline(report: &PurgeReport) -> String {
    let database = &report.database;
    match (report.runs.len(), report.dry_run) {
        (0, _) => format!("nothing to purge in {database}\n"),
        (1, true) => format!("bodies of 1 run in {database} would go:\n"),
        (runs, true) => format!("bodies of {runs} runs in {database} would go:\n"),
        (1, false) => format!("purged 1 run in {database}:\n"),
        (runs, false) => format!("purged {runs} runs in {database}:\n"),
    }
}

fn lines(runs: &[PurgeRun]) -> Vec<Vec<String>> {
    let head = ["  RUN", "STATUS", "ENDED", "BYTES", "LARGE BODIES", "BYTES"].map(str::to_owned).to_vec();
    let line = |run: &PurgeRun| {
        vec![
            format!("  {}", run.run_id),
            run.status.to_string(),
            run.ended_at.clone(),
            grouped(run.block_bytes),
            grouped(run.large_bodies),
            grouped(run.large_bytes),
        ]
    };
    std::iter::once(head).chain(runs.iter().map(line)).collect()
}

fn notes(run: &PurgeRun, before: bool) -> String {
    let id = run.run_id;
    let mut out = String::new();
    if run.ends_resume {
        let tense = if before { "could not be resumed any more" } else { "cannot be resumed any more" };
        out.push_str(&format!("\nrun {id} is {}: it {tense}\n", run.status));
    }
    if run.begun_before {
        out.push_str(&format!("\nrun {id}: an earlier purge did not come to its end\n"));
    }
    if run.kept_bodies > 0 {
        let kept = grouped(run.kept_bodies);
        out.push_str(&format!("\nrun {id}: {kept} large bodies stay, since other runs refer to them\n"));
    }
    out
}

fn ending(report: &PurgeReport) -> String {
    match (report.runs.is_empty(), report.dry_run, report.finished) {
        (true, _, _) => String::new(),
        (false, true, _) => "\nhashes, lineage and decisions stay; the values do not come back\n".to_owned(),
        (false, false, true) => {
            "\nhashes, lineage and decisions are as they were; later runs use the space in the database\n"
                .to_owned()
        }
        (false, false, false) => "\nnot everything is gone yet: run `elspeth purge` again; \
            somebody uses the database or the payload store\n"
            .to_owned(),
    }
}
