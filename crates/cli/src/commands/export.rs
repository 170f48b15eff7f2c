use elspeth_app::{
    AppError, ExportChoice, ExportFormat, ExportReport, KindCount, ProvenanceChoice, ProvenanceForm,
};

use super::{OK, database_choice, env_choice};
use crate::args::{ExportArgs, ExportFormatArg};
use crate::output::{self, grouped, table};

/// What was asked for does not go together.
const USAGE: u8 = 2;

pub(super) fn export(args: &ExportArgs) -> Result<u8, AppError> {
    match args.format {
        ExportFormatArg::Json => records(args, ExportFormat::Json),
        ExportFormatArg::Csv => records(args, ExportFormat::Csv),
        ExportFormatArg::Prov => provenance(args, ProvenanceForm::Prov),
        ExportFormatArg::OpenLineage => provenance(args, ProvenanceForm::OpenLineage),
    }
}

fn records(args: &ExportArgs, format: ExportFormat) -> Result<u8, AppError> {
    let choice = ExportChoice {
        run: args.run.clone(),
        output: args.output.clone(),
        format,
        bodies: args.bodies,
        sign: args.sign.then(|| env_choice(&args.database.env)),
    };
    let report = elspeth_app::export(&database_choice(&args.database), &choice)?;
    if args.json.json { output::json(&report) } else { output::text(&text(&report)) }.map(|()| OK)
}

fn provenance(args: &ExportArgs, form: ProvenanceForm) -> Result<u8, AppError> {
    let asked = [("--bodies", args.bodies), ("--sign", args.sign)];
    if let Some((option, _)) = asked.into_iter().find(|(_, is_asked)| *is_asked) {
        eprintln!(
            "error: {option} is for exports of records\n\nexport with `--format json` or `--format csv`, which can be verified"
        );
        return Ok(USAGE);
    }
    let choice = ProvenanceChoice { run: args.run.clone(), output: args.output.clone(), form };
    let report = elspeth_app::export_provenance(&database_choice(&args.database), &choice)?;
    if args.json.json {
        output::json(&report)?;
    } else {
        output::text(&format!("exported run {}\n\nfile  {}\n", report.run_id, report.file.display()))?;
    }
    Ok(OK)
}

fn text(report: &ExportReport) -> String {
    let total: u64 = report.counts.iter().map(|count| count.count).sum();
    let mut out = format!("exported run {}: {} records\n", report.run_id, grouped(total));
    out.push_str(&counts(&report.counts));
    out.push_str(&format!("\nrecords   {}\n", report.records.display()));
    out.push_str(&format!("manifest  {}\n", report.manifest.display()));
    if let Some(key) = &report.signed_by {
        out.push_str(&format!("signed by {key}\n"));
    }
    if !report.bodies {
        out.push_str("\nwithout the bodies of rows; `--bodies` takes them along\n");
    }
    out
}

/// How many records there are of each kind.
pub(super) fn counts(counts: &[KindCount]) -> String {
    let line = |count: &KindCount| vec![format!("  {}", count.record), grouped(count.count)];
    table(&counts.iter().map(line).collect::<Vec<_>>())
}
