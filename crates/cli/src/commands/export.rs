use elspeth_app::{AppError, ExportChoice, ExportFormat, ExportReport, KindCount};

use super::{OK, database_choice, env_choice};
use crate::args::{ExportArgs, ExportFormatArg};
use crate::output::{self, grouped, table};

pub(super) fn export(args: &ExportArgs) -> Result<u8, AppError> {
    let format = match args.format {
        ExportFormatArg::Json => ExportFormat::Json,
        ExportFormatArg::Csv => ExportFormat::Csv,
    };
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
