use elspeth_app::{AppError, ImportReport, VerifyStatus, shell_word};

use super::export::counts;
use super::{OK, database_choice, env_choice};
use crate::args::ImportArgs;
use crate::output::{self, grouped};

pub(super) fn import(args: &ImportArgs) -> Result<u8, AppError> {
    let report =
        elspeth_app::import(&database_choice(&args.database), &args.path, &env_choice(&args.database.env))?;
    if args.json.json { output::json(&report) } else { output::text(&text(&report)) }.map(|()| OK)
}

fn text(report: &ImportReport) -> String {
    let total: u64 = report.counts.iter().map(|count| count.count).sum();
    let (run, database) = (&report.run_id, &report.database);
    let mut out = format!("imported run {run} into {database}: {} records\n", grouped(total));
    out.push_str(&counts(&report.counts));
    if let Some(store) = &report.payload_store {
        out.push_str(&format!("\nlarge bodies are in {}\n", store.display()));
    }
    if report.verified == VerifyStatus::Tampered {
        out.push_str("\nits record is not what was written\n");
    }
    out.push_str(&format!("\nverify it: elspeth verify {run} -d {}\n", shell_word(database)));
    out
}
