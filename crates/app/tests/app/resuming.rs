//! Runs that stop before their end, and go on.
#![expect(clippy::unwrap_used, reason = "what fails here fails its test, with the place")]

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use elspeth_app::{
    AppError, DatabaseChoice, EnvChoice, ResumeChoice, RunReport, RunStatus, SettingsChoice, resumable,
};
use elspeth_contracts::RunId;

use crate::support::{Quiet, Scratch};

/// Every third row fails; one row at a time becomes durable.
const FAILING: &str = r#"
source:
  plugin: csv
  on_success: numbers
  options:
    path: $DIR/in.csv
    on_validation_failure: discard
    schema: {mode: fixed, fields: ["n: int"]}
transforms:
  - name: invert
    plugin: field_mapper
    input: numbers
    on_success: inverted
    on_error: failed
    options: {computed: {inverse: "60 // (row['n'] % 3)"}}
aggregations:
  - name: pairs
    plugin: batch_stats
    input: inverted
    on_success: sums
    on_error: discard
    trigger: {count: 2}
    options: {value_field: inverse}
sinks:
  sums: {plugin: csv, on_write_failure: discard, options: {path: $DIR/sums.csv}}
  failed: {plugin: json, on_write_failure: discard, options: {path: $DIR/failed.jsonl}}
landscape: {url: "sqlite:///$DIR/audit.db"}
checkpoint: {frequency: every_row}
"#;

fn with_budget(budget: &str) -> String {
    format!("{FAILING}failure_budget: {budget}\n")
}

fn numbers(count: u32) -> String {
    (1..=count).map(|n| format!("{n}\n")).fold("n\n".to_owned(), |text, line| text + &line)
}

/// A folder with a run of twenty rows that stopped at its third failure, and what it would have been without.
fn stopped() -> (Scratch, RunReport) {
    let scratch = Scratch::new();
    scratch.write("in.csv", numbers(20));
    let report = scratch.run(&with_budget("{max_failed_rows: 2}")).unwrap();
    (scratch, report)
}

fn choice(scratch: &Scratch) -> ResumeChoice {
    ResumeChoice {
        run: "latest".to_owned(),
        settings: None,
        database: scratch.database(),
        env: EnvChoice::NoDotenv,
        accept_changed_source: false,
    }
}

fn resume(choice: &ResumeChoice) -> Result<RunReport, AppError> {
    elspeth_app::resume(resumable(choice)?, Arc::new(AtomicBool::new(false)), &mut Quiet)
}

fn with_settings(scratch: &Scratch, text: &str) -> ResumeChoice {
    ResumeChoice { settings: Some(scratch.settings(text)), ..choice(scratch) }
}

fn undisturbed(rows: u32) -> (Scratch, RunReport) {
    let scratch = Scratch::new();
    scratch.write("in.csv", numbers(rows));
    let report = scratch.run(FAILING).unwrap();
    (scratch, report)
}

fn assert_same_outputs(scratch: &Scratch, other: &Scratch) {
    for name in ["sums.csv", "failed.jsonl"] {
        assert_eq!(scratch.read(name), other.read(name), "{name}");
    }
    assert!(!scratch.files().iter().any(|name| name.ends_with(".partial")));
}

#[test]
fn a_run_stops_when_more_rows_fail_than_may_and_goes_on_when_more_may() {
    let (scratch, report) = stopped();
    assert_eq!((report.run.status, report.run.exit_code), (RunStatus::Failed, Some(1)));
    let error = report.error.unwrap();
    assert!(error.contains("3 of ") && error.contains("at most 2 may (max_failed_rows)"), "{error}");
    assert!(!scratch.files().contains(&"sums.csv".to_owned()), "nothing is published");

    let again = resume(&choice(&scratch)).unwrap();
    assert_eq!(again.run.status, RunStatus::Failed, "the budget is still spent");

    let report = resume(&with_settings(&scratch, &with_budget("{max_failed_rows: 20}"))).unwrap();
    let (expected, whole) = undisturbed(20);
    assert_eq!(report.run.status, RunStatus::Completed);
    assert_eq!((report.run.rows, report.run.destinations), (whole.run.rows, whole.run.destinations));
    assert_same_outputs(&scratch, &expected);
    let resumed: Vec<_> = report.resumptions.iter().map(|r| r.other_settings).collect();
    assert_eq!(resumed, [false, true]);
    assert_eq!(report.error, None);
}

#[test]
fn a_share_of_failures_is_judged_at_the_end_of_a_short_run() {
    let scratch = Scratch::new();
    scratch.write("in.csv", numbers(9));
    let report = scratch.run(&with_budget("{max_failed_ratio: 0.3}")).unwrap();
    assert_eq!((report.run.status, report.run.rows.processed), (RunStatus::Failed, 9));
    let report = resume(&with_settings(&scratch, &with_budget("{max_failed_ratio: 0.34}"))).unwrap();
    assert_eq!(report.run.status, RunStatus::Completed);
    assert_same_outputs(&scratch, &undisturbed(9).0);
}

#[test]
fn what_is_unfinished_is_told_without_doing_anything() {
    let (scratch, report) = stopped();
    let before = scratch.files();
    let view = resumable(&choice(&scratch)).unwrap().view;
    assert_eq!(view.run_id, report.run.run_id.to_string());
    assert_eq!((view.status, view.settings_from_record), (RunStatus::Failed, true));
    assert_eq!((view.rows, view.epochs), (report.run.rows.processed, report.epochs));
    assert!(view.error.unwrap().contains("rows failed"));
    let waiting: Vec<_> = view.open.iter().map(|open| (open.node.as_str(), open.tokens)).collect();
    let unwritten: u64 = view.unwritten.iter().map(|unwritten| unwritten.rows).sum();
    assert!(waiting.iter().all(|open| *open == ("pairs", 1)), "{waiting:?}");
    assert!(unwritten <= 2);
    assert_eq!(scratch.files(), before);
}

/// Each makes the run go on from elsewhere, with other decisions, or with another past.
const ALTERATIONS: [(&str, &str); 8] = [
    (
        "checkpoints",
        "UPDATE checkpoints SET source_position = replace(source_position, '\"line\":', '\"line\":1')",
    ),
    ("checkpoints", "UPDATE checkpoints SET buffers = replace(buffers, '1', '2')"),
    ("checkpoints", "UPDATE checkpoints SET hash_state = replace(hash_state, 'a', 'b')"),
    ("checkpoints", "DELETE FROM checkpoints WHERE epoch = (SELECT min(epoch) FROM checkpoints)"),
    ("sink_positions", "UPDATE sink_positions SET position = replace(position, '\"rows\":', '\"rows\":1')"),
    (
        "checkpoints",
        "UPDATE epochs SET continuation = zeroblob(32) WHERE epoch = (SELECT max(epoch) FROM epochs)",
    ),
    ("token_outcomes", "UPDATE token_outcomes SET sink = 5 WHERE sink IS NOT NULL"),
    ("runs", "UPDATE runs SET source_identity = replace(source_identity, 'in.csv', 'on.csv')"),
];

#[test]
fn a_run_whose_record_was_altered_does_not_go_on_from_it() {
    let (scratch, _) = stopped();
    let path = scratch.path("audit.db");
    let honest = std::fs::read(&path).unwrap();
    for (table, alteration) in ALTERATIONS {
        std::fs::write(&path, &honest).unwrap();
        let record = rusqlite::Connection::open(&path).unwrap();
        record.execute_batch(alteration).unwrap();
        assert!(record.changes() > 0, "{alteration}");
        drop(record);
        let altered = std::fs::read(&path).unwrap();
        let refused = resume(&choice(&scratch)).unwrap_err();
        assert_eq!(refused.exit_code(), 4, "{alteration}: {refused}");
        assert!(refused.to_string().contains(table), "{alteration}: {refused}");
        assert!(std::fs::read(&path).unwrap() == altered, "{alteration}: nothing is done");
    }
    std::fs::write(&path, &honest).unwrap();
    let again = resume(&choice(&scratch)).unwrap();
    assert_eq!(again.run.status, RunStatus::Failed, "as it was, it goes on; the budget is still spent");
}

#[test]
fn a_completed_run_is_not_resumed() {
    let (scratch, _) = undisturbed(3);
    let refused = resume(&choice(&scratch)).unwrap_err();
    assert!(refused.to_string().contains("is completed, so there is nothing to resume"), "{refused}");
    assert_eq!(refused.exit_code(), 1);
}

#[test]
fn a_source_that_changed_is_refused_with_the_difference_unless_that_is_accepted() {
    let change: [(&str, String, &str); 3] = [
        ("more rows", numbers(25), "the source's size was 53 bytes and is 68 bytes now"),
        (
            "other rows before",
            numbers(20).replacen('1', "4", 1),
            "has changed since it was read: the hash of its first",
        ),
        ("fewer bytes", numbers(2), "has changed since it was read: it has 6 bytes now, but"),
    ];
    for (what, content, difference) in change {
        let (scratch, _) = stopped();
        scratch.write("in.csv", content);
        let go_on = with_settings(&scratch, FAILING);
        let refused = resume(&go_on).unwrap_err();
        assert!(refused.to_string().contains(difference), "{what}: {refused}");
        let helps = refused.help().unwrap().contains("--accept-changed-source");
        assert_eq!(helps, what != "fewer bytes", "there is no place to go on from: {what}");
        let status = elspeth_app::status(&scratch.database(), "latest").unwrap();
        assert_eq!((status.run.status, status.resumptions.len()), (RunStatus::Failed, 0), "{what}");
        if what == "more rows" {
            let report = resume(&ResumeChoice { accept_changed_source: true, ..go_on }).unwrap();
            assert_eq!((report.run.status, report.run.rows.processed), (RunStatus::Completed, 25));
            assert!(report.resumptions[0].accepted_changed_source);
            assert_same_outputs(&scratch, &undisturbed(25).0);
        }
    }
}

#[test]
fn an_accepted_source_is_recorded_with_the_hash_of_what_was_read_then_and_now() {
    let changes = [("appended to", numbers(25), true), ("edited", numbers(20).replacen('1', "4", 1), false)];
    for (what, content, same_past) in changes {
        let (scratch, _) = stopped();
        scratch.write("in.csv", content);
        let go_on = ResumeChoice { accept_changed_source: true, ..with_settings(&scratch, FAILING) };
        assert_eq!(resume(&go_on).unwrap().run.status, RunStatus::Completed);
        let record = rusqlite::Connection::open(scratch.path("audit.db")).unwrap();
        let accepted: String =
            record.query_row("SELECT accepted_source FROM resumptions", [], |row| row.get(0)).unwrap();
        let accepted: serde_json::Value = serde_json::from_str(&accepted).unwrap();
        let (before, now) = (&accepted["recorded"], &accepted["found"]);
        assert!(before["read_bytes"].as_u64().unwrap() > 10, "{what}: {accepted}");
        assert_eq!(before["read_bytes"], now["read_bytes"], "{what}: {accepted}");
        assert!(before["content_hash"].is_string(), "{what}: {accepted}");
        assert_eq!(before["content_hash"] == now["content_hash"], same_past, "{what}: {accepted}");
    }
}

#[test]
fn a_file_that_ends_before_what_was_read_is_refused_with_advice_that_helps() {
    let (scratch, _) = stopped();
    scratch.write("in.csv", numbers(2));
    let go_on = ResumeChoice { accept_changed_source: true, ..with_settings(&scratch, FAILING) };
    let refused = resume(&go_on).unwrap_err();
    assert!(refused.to_string().contains("it has 6 bytes now, but"), "{refused}");
    assert_eq!(refused.help(), Some("put the file back as it was, or start a new run"));
}

#[test]
fn a_budget_that_is_spent_ends_the_run_before_anything_further_is_decided() {
    let (scratch, first) = stopped();
    let again = resume(&choice(&scratch)).unwrap();
    assert_eq!((again.run.status, again.run.exit_code), (RunStatus::Failed, Some(1)));
    assert_eq!(again.run.rows.processed, first.run.rows.processed);
    assert!(again.error.unwrap().contains("at most 2 may (max_failed_rows)"));
}

/// Each row goes two ways. Every third fails on both; of the others the one that comes second is late, if they are merged.
const FORKED: &str = r#"
source: {plugin: csv, on_success: rows, options: {path: $DIR/in.csv, on_validation_failure: discard, schema: {mode: fixed, fields: ["n: int"]}}}
gates:
  - {name: split, input: rows, condition: "True", routes: {"true": fork, "false": sums}, fork_to: [left, right]}
transforms:
  - {name: one, plugin: field_mapper, input: left, on_success: $ONE, on_error: discard, options: {computed: {inverse: "60 // $DIVISOR"}}}
  - {name: other, plugin: field_mapper, input: right, on_success: $OTHER, on_error: discard, options: {computed: {inverse: "60 // $DIVISOR"}}}
$MERGE
sinks:
  sums: {plugin: csv, on_write_failure: discard, options: {path: $DIR/sums.csv}}
landscape: {url: "sqlite:///$DIR/audit.db"}
checkpoint: {frequency: every_row}
"#;

#[test]
fn a_row_counts_once_for_the_budget_however_many_of_its_tokens_fail() {
    let forked = FORKED.replace("$ONE", "sums").replace("$OTHER", "sums").replace("$MERGE", "");
    let forked = forked.replace("$DIVISOR", "(row['n'] % 3)");
    let with = |most: u32| format!("{forked}failure_budget: {{max_failed_rows: {most}}}\n");
    let scratch = Scratch::new();
    scratch.write("in.csv", numbers(20));
    let stopped = scratch.run(&with(2)).unwrap();
    assert!(stopped.error.unwrap().contains("3 of "));
    let again = resume(&with_settings(&scratch, &with(5))).unwrap();
    assert!(again.error.unwrap().contains("6 of "));
    assert_eq!(resume(&with_settings(&scratch, &with(6))).unwrap().run.status, RunStatus::Completed);
}

#[test]
fn who_comes_too_late_for_a_merge_does_not_count_for_the_budget() {
    let merge = "coalesce:\n  - {name: either, branches: {left: done_left, right: done_right}, policy: first, merge: select, select_branch: left, on_success: sums}";
    let merged = FORKED.replace("$ONE", "done_left").replace("$OTHER", "done_right").replace("$MERGE", merge);
    let merged = merged.replace("$DIVISOR", "7") + "failure_budget: {max_failed_rows: 0}\n";
    let scratch = Scratch::new();
    scratch.write("in.csv", numbers(20));
    let report = scratch.run(&merged).unwrap();
    assert_eq!(report.run.status, RunStatus::Completed, "{:?}", report.error);
}

#[test]
fn another_pipeline_is_refused_and_another_way_to_run_it_is_not() {
    let (scratch, _) = stopped();
    for other in [
        FAILING.replace("count: 2", "count: 3"),
        FAILING.replace("60 //", "61 //"),
        format!("{FAILING}# other digest\n").replace("audit.db\"}", "audit.db\", hash: sha256}"),
    ] {
        let refused = resume(&with_settings(&scratch, &other)).unwrap_err();
        assert!(refused.to_string().contains("this run cannot go on"), "{refused}");
    }
    let workers = format!("{FAILING}concurrency: {{max_workers: 2}}\n");
    let report = resume(&with_settings(&scratch, &workers)).unwrap();
    assert_eq!(report.run.status, RunStatus::Completed);
}

#[test]
fn settings_of_the_record_need_no_file() {
    let (scratch, _) = stopped();
    let raised = with_settings(&scratch, &with_budget("{max_failed_rows: 3}"));
    assert_eq!(resume(&raised).unwrap().run.status, RunStatus::Failed);
    std::fs::remove_file(scratch.path("settings.yaml")).unwrap();
    let view = resumable(&choice(&scratch)).unwrap().view;
    assert!(view.settings_from_record);
}

#[test]
fn a_database_or_run_that_does_not_exist_is_told() {
    let (scratch, _) = stopped();
    let nowhere = DatabaseChoice::Location(scratch.path("none.db").display().to_string());
    assert!(resumable(&ResumeChoice { database: nowhere, ..choice(&scratch) }).is_err());
    let other = ResumeChoice { run: RunId::from_ulid(ulid::Ulid::nil()).to_string(), ..choice(&scratch) };
    assert!(resumable(&other).is_err());
    let no_file = SettingsChoice { path: scratch.path("none.yaml"), env: EnvChoice::NoDotenv };
    assert!(resumable(&ResumeChoice { settings: Some(no_file), ..choice(&scratch) }).is_err());
}

#[test]
fn large_bodies_stay_in_one_place() {
    let scratch = Scratch::new();
    let store = |name: &str| {
        let store = format!("payload_store: {{base_path: $DIR/{name}}}\n");
        FAILING.replace("[\"n: int\"]", "[\"n: int\", \"note: str\"]") + &store
    };
    let rows = |rows: u32| {
        let large = "x".repeat(100_000);
        (1..=rows).fold("n,note\n".to_owned(), |text, n| text + &format!("{n},{large}\n"))
    };
    scratch.write("in.csv", rows(12));
    let report = scratch.run(&(store("bodies") + "failure_budget: {max_failed_rows: 2}\n")).unwrap();
    assert_eq!(report.run.status, RunStatus::Failed);
    let elsewhere = resume(&with_settings(&scratch, &store("others"))).unwrap_err();
    assert!(elsewhere.to_string().contains("bodies` when the run began"), "{elsewhere}");
    std::fs::rename(scratch.path("bodies"), scratch.path("moved")).unwrap();
    let gone = resume(&with_settings(&scratch, &store("bodies"))).unwrap_err();
    assert_eq!(gone.exit_code(), 1);
    assert!(gone.to_string().contains("the payload store is not here"), "{gone}");
    std::fs::rename(scratch.path("moved"), scratch.path("bodies")).unwrap();
    let report = resume(&with_settings(&scratch, &store("bodies"))).unwrap();
    assert_eq!((report.run.status, report.run.rows.processed), (RunStatus::Completed, 12));
}
