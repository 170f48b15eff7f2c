//! The journal beside a record: always what the record says, however a run stopped.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use elspeth_app::{
    AppError, EnvChoice, ExportChoice, ExportFormat, Progress, ResumeChoice, RunId, RunObserver, RunReport,
    RunStatus, resumable,
};
use serde_json::Value;

use crate::support::{Quiet, Scratch};

/// Rows that are refused, rows that fail, batches; two rows to an epoch.
const SETTINGS: &str = r#"
source:
  plugin: csv
  on_success: numbers
  options:
    path: $DIR/in.csv
    on_validation_failure: refused
    schema: {mode: fixed, fields: ["n: int"]}
transforms:
  - name: invert
    plugin: field_mapper
    input: numbers
    on_success: inverted
    on_error: discard
    options: {computed: {inverse: "60 // (row['n'] % 3)"}}
aggregations:
  - name: pairs
    plugin: batch_stats
    input: inverted
    on_success: sums
    on_error: discard
    trigger: {count: 3}
    options: {value_field: inverse}
sinks:
  sums: {plugin: csv, on_write_failure: discard, options: {path: $DIR/sums.csv}}
  refused: {plugin: json, on_write_failure: discard, options: {path: $DIR/refused.jsonl}}
landscape: {url: "sqlite:///$DIR/audit.db", dump_to_jsonl: true}
checkpoint: {frequency: every_n, checkpoint_interval: 2}
"#;

const JOURNAL: &str = "audit.journal.jsonl";

/// Records that no chain covers, or that have another form in a journal.
const NOT_IN_JOURNALS: [&str; 9] = [
    "run",
    "epoch",
    "checkpoint",
    "sink_position",
    "sink_intent",
    "resumption",
    "purge",
    "purge_file",
    "registry_entry",
];

/// Stops a run after some epochs.
struct Stopper {
    stop: Arc<AtomicBool>,
    after: u32,
}

impl RunObserver for Stopper {
    fn started(&mut self, _run_id: RunId) {}
    fn progress(&mut self, _progress: Progress) {
        self.after = self.after.saturating_sub(1);
        self.stop.store(self.after == 0, Ordering::Relaxed);
    }
}

fn scratch() -> Scratch {
    let scratch = Scratch::new();
    let numbers: String =
        (1..=20).map(|n| if n == 7 { "x\n".to_owned() } else { format!("{n}\n") }).collect();
    scratch.write("in.csv", "n\n".to_owned() + &numbers);
    scratch
}

fn run_until(scratch: &Scratch, epochs: u32) -> RunReport {
    let prepared = elspeth_app::prepare(&scratch.settings(SETTINGS)).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let mut stopper = Stopper { stop: Arc::clone(&stop), after: epochs };
    elspeth_app::run(prepared, stop, &mut stopper).unwrap()
}

fn resume(scratch: &Scratch, run: &str) -> Result<RunReport, AppError> {
    let choice = ResumeChoice {
        run: run.to_owned(),
        settings: None,
        database: scratch.database(),
        env: EnvChoice::NoDotenv,
        accept_changed_source: false,
    };
    elspeth_app::resume(resumable(&choice)?, Arc::new(AtomicBool::new(false)), &mut Quiet)
}

fn kind(line: &str) -> String {
    line.split('"').nth(3).unwrap().to_owned()
}

/// The part of a run in the journal: the last one.
fn part(scratch: &Scratch, run: &str) -> Vec<String> {
    let text = scratch.read(JOURNAL);
    let begins = |line: &str| line.starts_with("{\"record\":\"run\"");
    let mut part: Vec<String> = Vec::new();
    let mut ours = false;
    for line in text.lines() {
        if begins(line) {
            ours = line.contains(run);
            if ours {
                part.clear();
            }
        }
        if ours {
            part.push(line.to_owned());
        }
    }
    assert!(text.ends_with('\n'), "the last line is whole");
    part
}

/// The journal tells what the record does: the same lines, closed by its chain, ended as it is.
fn check(scratch: &Scratch, run: &str) {
    let output = scratch.path(&format!("export-{run}-{}", scratch.files().len()));
    let choice = ExportChoice {
        run: run.to_owned(),
        output: output.clone(),
        format: ExportFormat::Json,
        bodies: false,
        sign: None,
    };
    elspeth_app::export(&scratch.database(), &choice).unwrap();
    let exported: Vec<String> =
        fs::read_to_string(output.join("records.jsonl")).unwrap().lines().map(str::to_owned).collect();
    let journal = part(scratch, run);
    let sorted = |lines: &[String], left_out: &[&str]| {
        let mut lines: Vec<_> =
            lines.iter().filter(|line| !left_out.contains(&kind(line).as_str())).cloned().collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&journal, &["run", "link", "sealed"]), sorted(&exported, &NOT_IN_JOURNALS));
    let of = |lines: &[String], name: &str| -> Vec<Value> {
        let lines = lines.iter().filter(|line| kind(line) == name);
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let links = of(&journal, "link");
    let halves: Vec<_> = links.iter().map(|link| (link["epoch"].clone(), link["half"].clone())).collect();
    let epochs = of(&exported, "epoch");
    let expected: Vec<(Value, Value)> = epochs
        .iter()
        .flat_map(|epoch| {
            ["decided", "acted"].map(|half| (epoch["epoch"].clone(), Value::from(half))).into_iter()
        })
        .collect();
    assert_eq!(halves[0], (Value::Null, Value::from("registered")));
    assert_eq!(halves[1..=expected.len()], expected);
    for (epoch, link) in epochs.iter().zip(links.iter().filter(|link| link["half"] == "decided")) {
        assert_eq!((&epoch["chain_hash"], &epoch["decided_at"]), (&link["chain"], &link["committed_at"]));
    }
    for (epoch, link) in epochs.iter().zip(links.iter().filter(|link| link["half"] == "acted")) {
        assert_eq!((&epoch["acted_chain"], &epoch["acted_at"]), (&link["chain"], &link["committed_at"]));
    }
    let last = of(&exported, "checkpoint").pop().unwrap();
    let state: Value = serde_json::from_str(last["hash_state"].as_str().unwrap()).unwrap();
    assert_eq!(links.last().unwrap()["chain"], state["acts"]["chain"]);
    let (ended, run) = (of(&journal, "sealed"), &of(&exported, "run")[0]);
    for field in ["status", "completed_at", "content_root", "record_root", "source_identity"] {
        assert_eq!(ended[0][field], run[field], "{field}");
    }
    assert_eq!((ended.len(), kind(journal.last().unwrap()).as_str()), (1, "sealed"));
}

#[test]
fn a_journal_is_the_record() {
    let scratch = scratch();
    let report = scratch.run(SETTINGS).unwrap();
    assert_eq!((report.run.status, report.warnings.len()), (RunStatus::Completed, 0));
    check(&scratch, &report.run.run_id.to_string());
}

#[test]
fn a_resumed_run_completes_its_journal_wherever_that_ended() {
    let whole = {
        let scratch = scratch();
        run_until(&scratch, 4);
        fs::metadata(scratch.path(JOURNAL)).unwrap().len()
    };
    for part in 0..24 {
        let scratch = scratch();
        let report = run_until(&scratch, 4);
        assert_eq!(report.run.status, RunStatus::Interrupted);
        let run = report.run.run_id.to_string();
        check(&scratch, &run);
        let journal = OpenOptions::new().write(true).open(scratch.path(JOURNAL)).unwrap();
        journal.set_len(whole * part / 23).unwrap();
        let report = resume(&scratch, &run).unwrap();
        assert_eq!((report.run.status, report.warnings), (RunStatus::Completed, Vec::new()), "{part}");
        check(&scratch, &run);
    }
}

#[test]
fn runs_follow_each_other_and_one_that_went_on_later_is_told_again() {
    let scratch = scratch();
    let first = run_until(&scratch, 3).run.run_id.to_string();
    let second = scratch.run(SETTINGS).unwrap().run.run_id.to_string();
    check(&scratch, &first);
    check(&scratch, &second);
    assert_eq!(resume(&scratch, &first).unwrap().run.status, RunStatus::Completed);
    check(&scratch, &first);
    check(&scratch, &second);
    let begins = scratch.read(JOURNAL).lines().filter(|line| kind(line) == "run").count();
    assert_eq!(begins, 3, "the first run is there twice, and its last part counts");
}

#[test]
fn what_is_no_journal_is_left_alone() {
    let scratch = scratch();
    scratch.write(JOURNAL, "my notes\n");
    let refused = scratch.run(SETTINGS).unwrap_err();
    assert!(refused.to_string().contains("the file is no journal"), "{refused}");
    assert_eq!(scratch.read(JOURNAL), "my notes\n");
    assert!(elspeth_app::runs(&scratch.database()).unwrap().is_empty(), "nothing was begun");
}

/// An export begins as a journal does.
#[test]
fn an_export_is_no_journal() {
    let scratch = scratch();
    let run = scratch.run(SETTINGS).unwrap().run.run_id.to_string();
    let (output, format) = (scratch.path("record.jsonl"), ExportFormat::Json);
    let choice = ExportChoice { run, output, format, bodies: false, sign: None };
    elspeth_app::export(&scratch.database(), &choice).unwrap();
    let exported = scratch.read("record.jsonl");
    let begins =
        exported.lines().map(kind).take_while(|kind| ["run", "node", "edge"].contains(&&**kind)).count();
    // Also one of which no more is left than a journal may begin with, and some of its next line.
    let whole: Vec<&str> = exported.split_inclusive('\n').collect();
    let cut = whole[..=begins].concat().trim_end().to_owned();
    for text in [exported.clone(), cut, exported.lines().skip(1).collect()] {
        scratch.write(JOURNAL, &text);
        let refused = scratch.run(SETTINGS).unwrap_err();
        assert!(refused.to_string().contains("the file is no journal"), "{refused}");
        assert_eq!(scratch.read(JOURNAL), text);
    }
    // That much a crash may have left of a first part.
    scratch.write(JOURNAL, whole[..begins].concat());
    let report = scratch.run(SETTINGS).unwrap();
    assert_eq!((report.run.status, report.warnings), (RunStatus::Completed, Vec::new()));
    check(&scratch, &report.run.run_id.to_string());
}

#[test]
fn a_journal_that_somebody_writes_is_nobody_elses() {
    let scratch = scratch();
    scratch.run(SETTINGS).unwrap();
    let held = OpenOptions::new().append(true).open(scratch.path(JOURNAL)).unwrap();
    held.lock().unwrap();
    let refused = scratch.run(SETTINGS).unwrap_err();
    assert!(refused.to_string().contains("another run is writing it"), "{refused}");
    held.unlock().unwrap();
    assert_eq!(scratch.run(SETTINGS).unwrap().run.status, RunStatus::Completed);
}

#[test]
fn a_journal_of_another_state_of_the_record_is_begun_anew() {
    let scratch = scratch();
    let run = run_until(&scratch, 2).run.run_id.to_string();
    let mut journal = OpenOptions::new().append(true).open(scratch.path(JOURNAL)).unwrap();
    let link = part(&scratch, &run).into_iter().rfind(|line| kind(line) == "link").unwrap();
    let mut link: Value = serde_json::from_str(&link).unwrap();
    link["chain"] = Value::from("0".repeat(64));
    writeln!(journal, "{link}").unwrap();
    assert_eq!(resume(&scratch, &run).unwrap().run.status, RunStatus::Completed);
    check(&scratch, &run);
}
