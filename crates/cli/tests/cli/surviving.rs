//! A run is killed at every point that it comes to, and resumed. `cargo xtask kill-test` does the same to pipelines of every
//! construct, at random and several times over.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Output;

use serde_json::Value as Json;

use crate::support::Cli;

/// What `elspeth-faults` listens to.
const FAULT: &str = "ELSPETH_FAULT";

fn perform(cli: &Cli, args: &[&str], fault: Option<&str>) -> Output {
    let mut command = cli.command(args);
    command
        .env("ELSPETH_CHECKPOINT__FREQUENCY", "every_n")
        .env("ELSPETH_CHECKPOINT__CHECKPOINT_INTERVAL", "1");
    command.env_remove(FAULT);
    if let Some(fault) = fault {
        command.env(FAULT, fault);
    }
    command.output().expect("the binary was built for this test")
}

const RUN: [&str; 4] = ["run", "-s", "triage.yaml", "-x"];
const RESUME: [&str; 5] = ["resume", "latest", "-s", "triage.yaml", "-x"];

/// No run is registered at these points, so that there is none to resume.
const NOTHING_YET: [&str; 5] = [
    "before-make-database",
    "after-make-database",
    "before-create-tables",
    "after-create-tables",
    "before-begin-run",
];
/// The first that is written is the file of the record.
const FIRST_WRITE: &str = "kill:half-written:1";
/// At these the run is completed.
const DONE: [&str; 3] = ["after-seal", "before-fold-log", "after-fold-log"];

/// What a run leaves: files by name, and what it says of itself.
#[derive(Debug, PartialEq)]
struct Left {
    files: BTreeMap<String, String>,
    status: Vec<Json>,
}

impl Left {
    fn by(cli: &Cli) -> Self {
        let status = cli.json(&["status", "latest", "-s", "triage.yaml", "--json"]);
        let status = ["status", "rows", "destinations", "content_root"].map(|key| status[key].clone());
        Self { files: files(&cli.path("out")), status: status.to_vec() }
    }
}

fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(folder).expect("the run made its folder");
    entries
        .map(|entry| entry.expect("the folder can be read"))
        .filter(|entry| !entry.file_name().to_string_lossy().starts_with("audit.db"))
        .map(|entry| {
            let text = std::fs::read_to_string(entry.path()).expect("outputs are text");
            (entry.file_name().to_string_lossy().into_owned(), text)
        })
        .collect()
}

/// How often a run does these depends on how quick its sinks are; but it does each.
const IN_OTHER_NUMBERS: [&str; 5] = ["stage-acted", "commit-a", "commit-ab", "commit-b", "log-sync"];

/// How often an undisturbed run comes to each point.
fn points(log: &str) -> BTreeMap<String, u32> {
    let mut points = BTreeMap::new();
    for name in log.lines().filter_map(|line| line.strip_prefix("point ")) {
        *points.entry(name.to_owned()).or_default() += 1;
    }
    points
}

/// What is committed is in the log; sinks act when the disk has it.
#[test]
fn sinks_act_on_nothing_that_is_not_durable() {
    let cli = Cli::triage();
    assert!(perform(&cli, &RUN, Some("count:points.log")).status.success());
    let log = std::fs::read_to_string(cli.path("points.log")).unwrap();
    let steps: Vec<&str> = log
        .lines()
        .filter_map(|line| line.strip_prefix("point "))
        .filter(|point| ["after-log-sync", "before-act"].contains(point))
        .collect();
    let (mut durable, mut acts) = (0, 0);
    for step in &steps {
        match *step {
            "before-act" => acts += 1,
            _ => durable += 1,
        }
        assert!(acts <= durable, "{steps:?}");
    }
    assert!(acts >= 3, "{steps:?}");
}

#[test]
fn promise_survive_any_stop() {
    let twin = Cli::triage();
    assert!(perform(&twin, &RUN, Some("count:points.log")).status.success());
    let expected = Left::by(&twin);
    let points = points(&std::fs::read_to_string(twin.path("points.log")).unwrap());
    let commits = ["commit-a", "commit-ab", "commit-b", "rename", "record-publication", "seal"];
    for edge in commits.iter().flat_map(|act| [format!("before-{act}"), format!("after-{act}")]) {
        assert!(points.contains_key(&edge), "this pipeline does not come to {edge}");
    }
    for (point, count) in points {
        for nth in if count > 1 { vec![1, count] } else { vec![1] } {
            let fault = format!("kill:{point}:{nth}");
            let cli = Cli::triage();
            let killed = perform(&cli, &RUN, Some(&fault));
            if nth > 1 && IN_OTHER_NUMBERS.iter().any(|act| point.ends_with(act)) && killed.status.success() {
                assert_eq!(Left::by(&cli), expected, "{fault} was not reached");
                continue;
            }
            assert_eq!(killed.status.signal(), Some(9), "{fault}: {killed:?}");
            let registered = !NOTHING_YET.contains(&point.as_str()) && fault != FIRST_WRITE;
            let resumed = perform(&cli, if registered { &RESUME[..] } else { &RUN[..] }, None);
            let said = String::from_utf8_lossy(&resumed.stderr).into_owned();
            let all_done = DONE.contains(&point.as_str());
            assert_eq!(resumed.status.success(), !all_done, "{fault}: {said}");
            assert_eq!(said.contains("is completed"), all_done, "{fault}: {said}");
            assert_eq!(Left::by(&cli), expected, "{fault}");
        }
    }
}

/// Nothing is left to be read then.
#[test]
fn a_run_whose_outputs_are_published_is_sealed_though_its_source_is_gone() {
    let twin = Cli::triage();
    assert!(perform(&twin, &RUN, None).status.success());
    let read = |cli: &Cli| cli.json(&["status", "latest", "-s", "triage.yaml", "--json"])["source"].clone();
    for point in ["before-seal", "after-record-publication"] {
        let cli = Cli::triage();
        let killed = perform(&cli, &RUN, Some(&format!("kill:{point}:1")));
        assert_eq!(killed.status.signal(), Some(9), "{killed:?}");
        std::fs::remove_file(cli.path("in.csv")).expect("it is there");
        let resumed = perform(&cli, &RESUME, None);
        assert!(resumed.status.success(), "{point}: {resumed:?}");
        assert_eq!((Left::by(&cli), read(&cli)), (Left::by(&twin), read(&twin)), "{point}");
        assert_eq!(cli.say(&["verify", "latest", "-s", "triage.yaml"]).code, 0, "{point}");
    }
}

/// Each row that is decided and not acted on counts, however many were made of it.
#[test]
fn what_is_unfinished_is_told_of_a_run_that_was_killed() {
    let cli = Cli::triage();
    let killed = perform(&cli, &RUN, Some("kill:before-act:2"));
    assert_eq!(killed.status.signal(), Some(9), "{killed:?}");
    let status = cli.json(&["status", "latest", "-s", "triage.yaml", "--json"]);
    let database = rusqlite::Connection::open(cli.path("out/audit.db")).expect("it is there");
    let open = "SELECT count(*) FROM rows r WHERE NOT EXISTS
        (SELECT 1 FROM token_outcomes o WHERE o.token >> 20 = r.row_index)";
    let open: i64 = database.query_row(open, (), |row| row.get(0)).expect("it can be asked");
    assert!(open > 0);
    assert_eq!(status["unfinished"], open);
}

/// What was published was within the budget of then.
#[test]
fn a_run_whose_outputs_are_published_is_not_judged_by_a_smaller_budget() {
    let twin = Cli::triage();
    assert!(perform(&twin, &RUN, None).status.success());
    let cli = Cli::triage();
    let killed = perform(&cli, &RUN, Some("kill:after-record-publication:1"));
    assert_eq!(killed.status.signal(), Some(9), "{killed:?}");
    let settings = std::fs::read_to_string(cli.path("triage.yaml")).expect("it is there");
    cli.write("triage.yaml", &(settings + "failure_budget: {max_failed_rows: 0}\n"));
    let resumed = perform(&cli, &RESUME, None);
    assert!(resumed.status.success(), "{resumed:?}");
    assert_eq!(Left::by(&cli), Left::by(&twin));
}

/// A merge of branches that came with different rows, whose branches are lost one by one: what fails in one epoch came in
/// another.
const ACROSS: &str = r#"
source: {plugin: csv, on_success: rows, options: {path: numbers.csv, on_validation_failure: discard, schema: {mode: fixed, fields: ["n: int"]}}}
gates:
  - {name: split, input: rows, condition: "True", routes: {"true": fork, "false": gone}, fork_to: [quick, slow]}
  - {name: wanted, input: sat, condition: "row['n'] % 2 == 0", routes: {"true": slow_done, "false": gone}}
transforms:
  - {name: checked, plugin: passthrough, input: quick, on_success: quick_done, on_error: discard, options: {schema: {mode: observed}}}
aggregations:
  - {name: sitting, plugin: batch_replicate, input: slow, on_success: sat, on_error: gone, trigger: {count: 5}, output_mode: passthrough, options: {schema: {mode: observed}, copies_field: none, include_copy_index: false}}
coalesce:
  - {name: both, branches: {quick: quick_done, slow: slow_done}, policy: require_all, merge: union, on_success: merged}
sinks:
  merged: {plugin: json, on_write_failure: discard, options: {path: merged.jsonl, schema: {mode: observed}}}
  gone: {plugin: csv, on_write_failure: discard, options: {path: gone.csv, schema: {mode: observed}}}
landscape: {url: "sqlite:///across.db"}
"#;

/// What was decided and not acted on is where it was decided, though its outcomes are not recorded yet.
#[test]
fn a_killed_run_is_not_taken_for_tampered_with() {
    let cli = Cli::triage();
    cli.write("across.yaml", ACROSS);
    let numbers: String = (0..40).map(|n| format!("{n}\n")).collect();
    cli.write("numbers.csv", &format!("n\n{numbers}"));
    let run = ["run", "-s", "across.yaml", "-x"];
    for nth in 1..=8 {
        for name in ["across.db", "across.db-wal", "across.db-shm"] {
            let _ = std::fs::remove_file(cli.path(name));
        }
        let killed = perform(&cli, &run, Some(&format!("kill:after-file-sync:{nth}")));
        assert_eq!(killed.status.signal(), Some(9), "after-file-sync:{nth}");
        let said = cli.say(&["verify", "latest", "-d", "across.db"]);
        assert_eq!(said.code, 1, "after-file-sync:{nth}: {}", said.out);
        let resumed = perform(&cli, &["resume", "latest", "-s", "across.yaml", "-x"], None);
        assert!(
            resumed.status.success(),
            "after-file-sync:{nth}: {}",
            String::from_utf8_lossy(&resumed.stderr)
        );
        assert_eq!(cli.say(&["verify", "latest", "-d", "across.db"]).code, 0);
    }
}
