//! `landscape.export`: what follows a completed run.

use std::fs;

use elspeth_app::{
    AppError, DatabaseChoice, EnvChoice, RunReport, RunStatus, TrustChoice, VerifyChoice, VerifyStatus,
    import, verify,
};
use rusqlite::Connection;

use crate::support::Scratch;

const SETTINGS: &str = r#"
source:
  plugin: csv
  on_success: numbers
  options:
    path: $DIR/in.csv
    on_validation_failure: discard
    schema: {mode: fixed, fields: ["n: int"]}
transforms:
  - {name: pass, plugin: passthrough, input: numbers, on_success: out, on_error: discard}
sinks:
  out: {plugin: csv, on_write_failure: discard, options: {path: $DIR/out.csv}}
  record: $SINK
landscape: {url: "sqlite:///$DIR/audit.db", export: {enabled: true, sink: record, $EXPORT}$MORE}
"#;

const LINES: &str = "{plugin: json, on_write_failure: discard, options: {path: $DIR/record.jsonl}}";
const TABLE: &str = "{plugin: csv, on_write_failure: discard, options: {path: $DIR/record.csv}}";

fn settings(sink: &str, export: &str, more: &str) -> String {
    SETTINGS.replace("$SINK", sink).replace("$EXPORT", export).replace("$MORE", more)
}

fn scratch() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("in.csv", "n\n1\n2\nx\n4\n");
    scratch
}

fn run(scratch: &Scratch, text: &str) -> RunReport {
    scratch.run(text).unwrap_or_else(|error| match error {
        AppError::Settings(refused) => panic!("{:#?}", refused.errors),
        other => panic!("{other}"),
    })
}

fn export_status(scratch: &Scratch) -> String {
    let database = Connection::open(scratch.path("audit.db")).unwrap();
    let sql = "SELECT export_status FROM v_runs ORDER BY started_at DESC LIMIT 1";
    database.query_row(sql, (), |row| row.get(0)).unwrap()
}

/// What was exported is the record: it can be put into another database, and verifies there.
fn check(scratch: &Scratch, export: &str, report: &RunReport) {
    let into =
        DatabaseChoice::Location(scratch.path(&format!("{}.db", report.run.run_id)).display().to_string());
    let imported = import(&into, &scratch.path(export), &EnvChoice::NoDotenv).unwrap();
    assert_eq!(imported.run_id, report.run.run_id.to_string());
    assert_eq!(imported.record_root, report.run.record_root.map(|root| root.to_string()));
    for database in [&into, &scratch.database()] {
        for found in verify(database, &VerifyChoice::All, &TrustChoice::default()).unwrap() {
            assert_eq!(found.status, VerifyStatus::Ok, "{:#?}", found.checks);
        }
    }
}

#[test]
fn the_record_goes_to_a_sink_of_lines() {
    let scratch = scratch();
    let report = run(&scratch, &settings(LINES, "format: json", ""));
    assert_eq!((report.run.status, &report.warnings), (RunStatus::Completed, &Vec::new()));
    assert_eq!(export_status(&scratch), "completed");
    assert!(!report.run.destinations.contains_key("record") || report.run.destinations["record"] == 0);
    check(&scratch, "record.jsonl", &report);
}

#[test]
fn the_record_goes_to_a_folder_of_tables_and_the_next_one_in_its_place() {
    let scratch = scratch();
    let text = settings(TABLE, "format: csv", "");
    let report = run(&scratch, &text);
    assert_eq!((export_status(&scratch).as_str(), &report.warnings), ("completed", &Vec::new()));
    check(&scratch, "record", &report);
    assert!(!scratch.path("record.csv").exists(), "the sink itself writes nothing");
    assert!(scratch.path("record/validation_errors.csv").exists());
    scratch.write("in.csv", "n\n1\n2\n");
    let report = run(&scratch, &text);
    check(&scratch, "record", &report);
    assert!(!scratch.path("record/validation_errors.csv").exists(), "nothing of the first one is left");
}

#[test]
fn csv_is_what_is_exported_where_nothing_is_said() {
    let scratch = scratch();
    let report = run(&scratch, &settings(TABLE, "", "").replace("record, }", "record}"));
    check(&scratch, "record", &report);
}

#[test]
fn an_export_can_be_signed() {
    for (sink, format, export) in [(LINES, "json", "record.jsonl"), (TABLE, "csv", "record")] {
        let scratch = scratch();
        elspeth_app::generate_key("example.org/elspeth", &scratch.path("key")).unwrap();
        let export_as = format!("format: {format}, sign: true");
        let text = settings(sink, &export_as, ", signing: {key_file: $DIR/key}");
        let report = run(&scratch, &text);
        assert_eq!(report.warnings, Vec::<String>::new());
        check(&scratch, export, &report);
        let note = scratch.path(&export.replace("record.jsonl", "record.manifest.json.note"));
        let note = if note.is_dir() { note.join("manifest.json.note") } else { note };
        assert!(fs::read_to_string(&note).unwrap().contains("— example.org/elspeth "), "{}", note.display());
    }
}

#[test]
fn an_export_that_fails_leaves_the_run_as_it_is() {
    let scratch = scratch();
    let picky = "schema: {mode: fixed, fields: [\"n: int\"]}, validate_input: true";
    let picky = LINES.replace("record.jsonl", &format!("record.jsonl, {picky}"));
    let report = run(&scratch, &settings(&picky, "format: json", ""));
    assert_eq!(report.run.status, RunStatus::Completed);
    assert_eq!(export_status(&scratch), "failed");
    let [warning] = report.warnings.as_slice() else { panic!("{:?}", report.warnings) };
    assert!(warning.starts_with("the record was not exported: sink `record` refused record"), "{warning}");
    for found in verify(&scratch.database(), &VerifyChoice::All, &TrustChoice::default()).unwrap() {
        assert_eq!(found.status, VerifyStatus::Ok, "{:#?}", found.checks);
    }
}

#[test]
fn a_run_that_is_not_completed_is_not_exported() {
    let scratch = scratch();
    let text = settings(LINES, "format: json", "") + "failure_budget: {max_failed_rows: 0}\n";
    let report = run(&scratch, &text);
    assert_eq!((report.run.status, export_status(&scratch).as_str()), (RunStatus::Failed, "none"));
    assert!(!scratch.path("record.jsonl").exists());
}

#[test]
fn tables_go_into_a_folder_of_the_very_path_where_that_has_no_ending() {
    let scratch = scratch();
    let text = settings(&TABLE.replace("record.csv", "record"), "format: csv", "");
    for _ in 0..2 {
        let report = run(&scratch, &text);
        assert_eq!((export_status(&scratch).as_str(), &report.warnings), ("completed", &Vec::new()));
    }
}

#[test]
fn a_file_in_the_place_of_the_folder_of_tables_is_refused_before_the_first_row() {
    let scratch = scratch();
    scratch.write("record", "somebody's");
    let refused = scratch.run(&settings(TABLE, "format: csv", "")).unwrap_err();
    let AppError::Settings(refused) = refused else { panic!("{refused}") };
    let [error] = refused.errors.as_slice() else { panic!("{:#?}", refused.errors) };
    let expected = format!(
        "cannot write tables of the record into `{}`: it is a file",
        scratch.path("record").display()
    );
    assert_eq!((error.code, error.message.as_str()), ("unwritable-output", expected.as_str()));
    assert!(!scratch.path("audit.db").exists(), "nothing was begun");
}
