//! The short summary at the end of a run, and the plan before one.

use elspeth_app::{Prepared, RunReport};

use crate::output::{grouped, table};

/// Where rows went, why some failed, how long it took, and how to ask more.
pub(crate) fn of_run(report: &RunReport) -> String {
    let mut out = headline(report);
    out.push_str(&table(&where_rows_went(report)));
    out.push_str(&failures(report));
    if let Some(error) = &report.error {
        out.push_str(&format!("\nthe run failed: {error}\n"));
    }
    if report.run.rows.processed > 0 {
        let row = report.example_row.unwrap_or(0);
        out.push_str(&format!(
            "\nwhy?  elspeth explain -r {} --row {row} -d {}\n",
            report.run.run_id, report.run.database
        ));
    }
    out
}

fn headline(report: &RunReport) -> String {
    let (id, status) = (&report.run.run_id, &report.run.status);
    let seconds = report.run.duration_seconds;
    #[expect(clippy::cast_precision_loss, reason = "shown rounded")]
    let rate = if seconds > 0.0 { report.run.rows.processed as f64 / seconds } else { 0.0 };
    format!("run {id} {status} in {seconds:.2} s ({rate:.0} rows/s)\n")
}

fn where_rows_went(report: &RunReport) -> Vec<Vec<String>> {
    let line = |label: String, count: u64| vec![format!("  {label}"), format!("{:>12}", grouped(count))];
    let mut rows = vec![line("rows in".to_owned(), report.run.rows.processed)];
    for (sink, count) in &report.run.destinations {
        rows.push(line(format!("-> {sink}"), *count));
    }
    if report.discarded > 0 {
        rows.push(line("discarded (recorded)".to_owned(), report.discarded));
    }
    if report.unfinished > 0 {
        rows.push(line("unfinished".to_owned(), report.unfinished));
    }
    rows
}

fn failures(report: &RunReport) -> String {
    if report.failures.is_empty() {
        return String::new();
    }
    let mut out = "\nfailures\n".to_owned();
    for failure in &report.failures {
        let to = &failure.destination;
        out.push_str(&format!(
            "  {:>8}  {} {} -> {to}, such as: {}\n",
            grouped(failure.count),
            failure.node,
            failure.kind,
            failure.example
        ));
    }
    out.push_str(&format!("  see them:  elspeth errors {} -d {}\n", report.run.run_id, report.run.database));
    out
}

/// What a run would do.
pub(crate) fn of_plan(prepared: &Prepared) -> String {
    let plan = prepared.plan();
    let mut out = format!("{} would run:\n", plan.settings_path);
    for node in &plan.nodes {
        out.push_str(&format!("  {:<12} {} ({})\n", node.node_type, node.name, node.plugin));
    }
    out.push_str(&format!("record: {}\n", plan.database));
    out.push_str(&format!("\nnothing was run; `elspeth run -s {} -x` runs it\n", plan.settings_path));
    out
}
