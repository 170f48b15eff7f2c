//! How much memory a batch needs that is flushed at the end of the source. In a program of its own, since it is told by the
//! most that a process ever had.
#![expect(clippy::unwrap_used, reason = "what fails here fails its test, with the place")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use elspeth_app::{EnvChoice, Progress, RunId, RunObserver, RunStatus, SettingsChoice};

/// Members of two batches, both of more than what is kept in memory of rows and arrivals.
const MEMBERS: [usize; 2] = [40_000, 140_000];

/// Bytes for each member more. It needs some 300 of records (its states at the aggregation and at the sink, its outcome), and what the
/// allocator keeps. When rows and arrivals were in memory it needed 1,100.
const EACH: usize = 800;

/// The most that a process ever had is of all its threads.
static ALONE: Mutex<()> = Mutex::new(());

const SETTINGS: &str = r#"
source:
  plugin: csv
  on_success: read
  options:
    path: $DIR/in.csv
    on_validation_failure: discard
    schema: {mode: fixed, fields: ["id: int", "name: str", "category: str", "amount: float"]}
aggregations:
  - name: all
    plugin: batch_replicate
    input: read
    on_success: out
    on_error: discard
    trigger: {count: 10000000}
    output_mode: $MODE
    options: {copies_field: copies}
sinks:
  out: {plugin: csv, on_write_failure: discard, options: {path: $DIR/out.csv}}
landscape: {url: "sqlite:///$DIR/audit.db", synchronous: off}
"#;

struct Quiet;

impl RunObserver for Quiet {
    fn started(&mut self, _run_id: RunId) {}
    fn progress(&mut self, _progress: Progress) {}
}

fn run(folder: &Path, mode: &str, rows: usize) {
    let mut csv = "id,name,category,amount\n".to_owned();
    for id in 0..rows {
        writeln!(csv, "{id},Name of number {id},category {},{}.25", id % 7, id % 1_000).unwrap();
    }
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("in.csv"), &csv).unwrap();
    drop(csv);
    let path = folder.join("settings.yaml");
    fs::write(&path, SETTINGS.replace("$DIR", &folder.display().to_string()).replace("$MODE", mode)).unwrap();
    let prepared = elspeth_app::prepare(&SettingsChoice { path, env: EnvChoice::NoDotenv }).unwrap();
    let report = elspeth_app::run(prepared, Arc::new(AtomicBool::new(false)), &mut Quiet).unwrap();
    assert_eq!(report.run.status, RunStatus::Completed);
    let out = fs::read_to_string(folder.join("out.csv")).unwrap();
    assert_eq!(out.lines().count(), rows + 1);
}

/// The most memory that this process has had, in bytes.
fn peak() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

fn stays_within_its_bound(mode: &str) {
    let _alone = ALONE.lock().unwrap();
    let folder = tempfile::tempdir().unwrap();
    run(&folder.path().join("first"), mode, MEMBERS[0]);
    let before = peak();
    run(&folder.path().join("second"), mode, MEMBERS[1]);
    let each = (peak() - before) / (MEMBERS[1] - MEMBERS[0]);
    println!("{mode}: {each} bytes for each member");
    assert!(each < EACH, "{each} bytes for each member");
}

#[test]
fn a_large_batch_that_is_passed_on_stays_within_its_bound() {
    stays_within_its_bound("passthrough");
}

#[test]
fn a_large_batch_of_which_new_rows_are_made_stays_within_its_bound() {
    stays_within_its_bound("transform");
}
