//! How much memory a batch needs that is flushed at the end of the source: of the binary itself, which tells the allocator
//! what to give back.
#![expect(clippy::unwrap_used, reason = "what fails here fails its test, with the place")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use wait4::Wait4 as _;

/// Members of two batches, both of more than what is kept in memory of rows and arrivals.
const MEMBERS: [u64; 2] = [40_000, 140_000];

/// Bytes for each member more. It needs 190 to 270 of records (its states at the aggregation and at the sink, its outcome), and what the
/// allocator keeps. When rows and arrivals were in memory it needed 1,100.
const EACH: u64 = 500;

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

/// Runs it over that many rows, and tells the most memory that took, in bytes.
fn run(folder: &Path, mode: &str, rows: u64) -> u64 {
    let mut csv = "id,name,category,amount\n".to_owned();
    for id in 0..rows {
        writeln!(csv, "{id},Name of number {id},category {},{}.25", id % 7, id % 1_000).unwrap();
    }
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("in.csv"), &csv).unwrap();
    let settings = SETTINGS.replace("$DIR", &folder.display().to_string()).replace("$MODE", mode);
    fs::write(folder.join("settings.yaml"), settings).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_elspeth"));
    command
        .args(["run", "-s", "settings.yaml", "-x"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let ended = command.spawn().unwrap().wait4().unwrap();
    assert!(ended.status.success(), "{:?}", ended.status);
    let out = fs::read_to_string(folder.join("out.csv")).unwrap();
    assert_eq!(out.lines().count() as u64, rows + 1);
    ended.rusage.maxrss
}

fn stays_within_its_bound(mode: &str) {
    let folder = tempfile::tempdir().unwrap();
    let before = run(&folder.path().join("first"), mode, MEMBERS[0]);
    let after = run(&folder.path().join("second"), mode, MEMBERS[1]);
    let each = after.saturating_sub(before) / (MEMBERS[1] - MEMBERS[0]);
    println!("{mode}: {before} and {after} bytes, {each} for each member");
    assert!(each < EACH, "{before} and {after} bytes, {each} for each member");
}

#[test]
fn a_large_batch_that_is_passed_on_stays_within_its_bound() {
    stays_within_its_bound("passthrough");
}

#[test]
fn a_large_batch_of_which_new_rows_are_made_stays_within_its_bound() {
    stays_within_its_bound("transform");
}
