//! The short summary at the end of a run, and the plan before one.

use elspeth_app::{
    FailureGroup, Prepared, ResumeView, ResumptionView, RunReport, RunStatus, printable, shell_word,
};

use crate::output::{grouped, table};

/// Where rows went, why some failed, how long it took, and how to ask more.
pub(crate) fn of_run(report: &RunReport) -> String {
    let mut out = headline(report);
    out.push_str(&resumptions(report));
    out.push_str(&table(&where_rows_went(report)));
    out.push_str(&failures(report));
    if let Some(error) = &report.error {
        out.push_str(&format!("\nthe run failed: {}\n", printable(error)));
    }
    if report.is_purged() {
        out.push_str(
            "\nthe values of its rows were purged; hashes, lineage and decisions are as they were\n",
        );
    } else if report.resumable {
        let (id, database) = (&report.run.run_id, shell_word(&report.run.database));
        if report.run.status == RunStatus::Running {
            out.push_str("\nits process is gone\n");
        }
        out.push_str(&format!("\ngo on with it:  elspeth resume {id} -d {database} -x\n"));
    }
    if report.run.rows.processed > 0 {
        let row = report.example_row.unwrap_or(0);
        out.push_str(&format!(
            "\nwhy?  elspeth explain -r {} --row {row} -d {}\n",
            report.run.run_id,
            shell_word(&report.run.database)
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

fn resumptions(report: &RunReport) -> String {
    let line = |resumption: &ResumptionView| {
        let mut line = format!("resumed at {}, with row {}", resumption.resumed_at, resumption.from_row);
        if resumption.other_settings {
            line.push_str(", with other settings");
        }
        if resumption.accepted_changed_source {
            line.push_str(", in a source that had changed");
        }
        line + "\n"
    };
    report.resumptions.iter().map(line).collect()
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
        let FailureGroup { node, kind, destination, example, .. } = failure;
        let what = format!("{node} {kind} -> {destination}, such as: {example}");
        out.push_str(&format!("  {:>8}  {}\n", grouped(failure.count), printable(&what)));
    }
    out.push_str(&format!(
        "  see them:  elspeth errors {} -d {}\n",
        report.run.run_id,
        shell_word(&report.run.database)
    ));
    out
}

/// Where a run would go on, and what is unfinished.
pub(crate) fn of_resumable(view: &ResumeView) -> String {
    let mut out = format!("run {} ({}) can go on\n", view.run_id, view.status);
    let settings = if view.settings_from_record { "of the record" } else { "given" };
    let mut lines = vec![
        vec!["  settings".to_owned(), format!("{} ({settings})", view.settings_path)],
        vec!["  decided".to_owned(), format!("{} rows in {} epochs", grouped(view.rows), view.epochs)],
    ];
    for unwritten in &view.unwritten {
        let what = format!("{} rows, decided but not yet written", grouped(unwritten.rows));
        lines.push(vec![format!("  -> {}", unwritten.sink), what]);
    }
    for open in &view.open {
        let what = match open.merges {
            0 => format!("an open batch of {} rows", grouped(open.tokens)),
            merges => {
                format!("{} merges, {} of their branches have come", grouped(merges), grouped(open.tokens))
            }
        };
        lines.push(vec![format!("  {}", open.node), what]);
    }
    for sink in &view.published {
        lines.push(vec![format!("  -> {sink}"), "has its final name".to_owned()]);
    }
    out.push_str(&table(&lines));
    if let Some(error) = &view.error {
        out.push_str(&format!("\nit failed: {}\n", printable(error)));
    }
    let next = format!("elspeth resume {} -d {} -x", view.run_id, shell_word(&view.database));
    out.push_str(&format!("\nnothing was done; `{next}` goes on with row {}\n", view.rows));
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
    out.push_str(&format!(
        "\nnothing was run; `elspeth run -s {} -x` runs it\n",
        shell_word(&plan.settings_path)
    ));
    out
}
