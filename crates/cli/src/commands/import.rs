use elspeth_app::{AppError, ImportReport, VerifyStatus, shell_word};

use super::export::counts;
use super::{OK, database_choice, env_choice, verify};
use crate::args::ImportArgs;
use crate::output::{self, grouped};

pub(super) fn import(args: &ImportArgs) -> Result<u8, AppError> {
    let report =
        elspeth_app::import(&database_choice(&args.database), &args.path, &env_choice(&args.database.env))?;
    if args.json.json { output::json(&report) } else { output::text(&text(&report)) }?;
    Ok(exit_code(report.verified))
}

/// A run that is there and is not what was written is not done with. What cannot be told yet, as outputs that stayed where the
/// run was, is no error of an import.
pub(super) const fn exit_code(verified: VerifyStatus) -> u8 {
    match verified {
        VerifyStatus::Tampered => verify::exit_code(verified),
        VerifyStatus::Ok | VerifyStatus::Incomplete => OK,
    }
}

/// The warning, where there is one.
pub(super) const fn warning(verified: VerifyStatus) -> &'static str {
    match verified {
        VerifyStatus::Tampered => "\nTAMPERED: its record is not what was written\n",
        VerifyStatus::Ok | VerifyStatus::Incomplete => "",
    }
}

fn text(report: &ImportReport) -> String {
    let total: u64 = report.counts.iter().map(|count| count.count).sum();
    let (run, database) = (&report.run_id, &report.database);
    let mut out = format!("imported run {run} into {database}: {} records\n", grouped(total));
    out.push_str(&counts(&report.counts));
    if let Some(store) = &report.payload_store {
        out.push_str(&format!("\nlarge bodies are in {}\n", store.display()));
    }
    out.push_str(warning(report.verified));
    out.push_str(&format!("\nverify it: elspeth verify {run} -d {}\n", shell_word(database)));
    out
}
