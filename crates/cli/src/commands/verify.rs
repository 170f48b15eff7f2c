use elspeth_app::{AppError, CheckResult, TrustChoice, Verification, VerifyChoice, VerifyStatus, printable};

use super::{OK, database_choice};
use crate::args::VerifyArgs;
use crate::output::{self, grouped, table};

/// Not everything can be told.
const INCOMPLETE: u8 = 1;
/// A record is not what was written.
const TAMPERED: u8 = 5;

pub(super) fn verify(args: &VerifyArgs) -> Result<u8, AppError> {
    let choice = args.run.clone().map_or(VerifyChoice::All, VerifyChoice::One);
    let trust = TrustChoice { keys: args.keys.clone(), since: args.since.clone() };
    let found = elspeth_app::verify(&database_choice(&args.database), &choice, &trust)?;
    show(&found, args.json.json)
}

/// Prints what was found, and gives the exit code.
pub(super) fn show(found: &[Verification], json: bool) -> Result<u8, AppError> {
    if json {
        found.iter().try_for_each(output::json)?;
    } else if found.is_empty() {
        output::text("no run is recorded there")?;
    } else {
        output::text(&found.iter().map(text).collect::<Vec<_>>().join("\n"))?;
    }
    Ok(found.iter().map(|verification| exit_code(verification.status)).max().unwrap_or(OK))
}

/// What a status ends with.
pub(super) const fn exit_code(status: VerifyStatus) -> u8 {
    match status {
        VerifyStatus::Ok => OK,
        VerifyStatus::Incomplete => INCOMPLETE,
        VerifyStatus::Tampered => TAMPERED,
    }
}

fn text(verification: &Verification) -> String {
    let mut out = match verification.run_id {
        Some(run) => format!("run {run}: {} records\n", grouped(verification.records)),
        None => "a run whose own record cannot be read\n".to_owned(),
    };
    let lines: Vec<_> = verification.checks.iter().map(line).collect();
    out.push_str(&table(&lines));
    let roots = [("content root", &verification.content_root), ("record root", &verification.record_root)];
    for (name, root) in roots {
        out.push_str(&root.as_ref().map(|root| format!("  {name:<12}  {root}\n")).unwrap_or_default());
    }
    out.push_str(&verdict(verification));
    out
}

fn line(check: &CheckResult) -> Vec<String> {
    vec![format!("  {}", check.name), check.status.as_str().to_owned(), check.detail.clone()]
}

fn verdict(verification: &Verification) -> String {
    match (verification.status, &verification.first_bad) {
        (VerifyStatus::Ok, _) => "ok: the record is what was written\n".to_owned(),
        (VerifyStatus::Incomplete, _) => {
            "incomplete: nothing is wrong as far as can be told, but not everything can\n".to_owned()
        }
        (VerifyStatus::Tampered, Some(bad)) => {
            format!("TAMPERED: {}\n", printable(&format!("{} {}: {}", bad.table, bad.id, bad.what)))
        }
        (VerifyStatus::Tampered, None) => "TAMPERED\n".to_owned(),
    }
}
