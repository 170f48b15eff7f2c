use elspeth_app::{AppError, CopyReport, DatabaseChoice, shell_word};

use super::env_choice;
use super::export::counts;
use super::import::{exit_code, warning};
use crate::args::CopyArgs;
use crate::output::{self, grouped};

pub(super) fn copy(args: &CopyArgs) -> Result<u8, AppError> {
    let place = |database: &String| DatabaseChoice::Location(database.clone());
    let report =
        elspeth_app::copy(&args.run, (&place(&args.from), &place(&args.to)), &env_choice(&args.env))?;
    if args.json.json { output::json(&report) } else { output::text(&text(&report)) }?;
    Ok(exit_code(report.verified))
}

fn text(report: &CopyReport) -> String {
    let total: u64 = report.counts.iter().map(|count| count.count).sum();
    let (run, database) = (&report.run_id, &report.database);
    let mut out = format!("copied run {run} into {database}: {} records\n", grouped(total));
    out.push_str(&counts(&report.counts));
    out.push_str(warning(report.verified));
    out.push_str(&format!("\nverify it: elspeth verify {run} -d {}\n", shell_word(database)));
    out
}
