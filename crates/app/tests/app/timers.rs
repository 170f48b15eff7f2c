//! A timeout by the real clock, with a source that says nothing while it fires.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, Mode, mkfifoat};
use serde_json::{Value as Json, json};

use crate::support::Scratch;

const SETTINGS: &str = r"
source:
  plugin: $SOURCE
  on_success: visits
  options:
    path: $DIR/$INPUT
    on_validation_failure: discard
    schema: {mode: fixed, fields: ['minutes: int']}
aggregations:
  - name: recent
    plugin: batch_stats
    input: visits
    on_success: figures
    on_error: discard
    trigger: {timeout_seconds: 0.5}
    options: {schema: {mode: observed}, value_field: minutes, compute_mean: false}
sinks:
  figures: {plugin: json, on_write_failure: discard, options: {path: $DIR/out/figures.jsonl}}
landscape:
  url: sqlite:///$DIR/audit.db
";

/// What is written to the pipe at once, and what after the first batch came out.
struct Input {
    plugin: &'static str,
    file: &'static str,
    first: &'static str,
    last: &'static str,
}

/// Writes the first rows, then nothing until their batch is in the sink's file; whether it came while the pipe was open.
fn feed(mut pipe: File, scratch: &Scratch, input: &Input) -> bool {
    pipe.write_all(input.first.as_bytes()).unwrap();
    // A timer that does not fire must fail the test, not hang it.
    let patience = Instant::now() + Duration::from_secs(20);
    let mut flushed = false;
    while !flushed && Instant::now() < patience {
        thread::sleep(Duration::from_millis(10));
        flushed = staged(scratch).contains("\"batch_size\":3");
    }
    pipe.write_all(input.last.as_bytes()).unwrap();
    flushed
}

/// What the sink has written and not yet published.
fn staged(scratch: &Scratch) -> String {
    let files = scratch.files();
    let partial = files.iter().find(|name| name.starts_with("out/") && name.ends_with(".partial"));
    partial.map(|name| scratch.read(name)).unwrap_or_default()
}

fn batch_of(scratch: &Scratch, row: u64) -> Json {
    scratch.explain_json(row)["tokens"][0]["batches"][0].clone()
}

fn flushes_while_the_pipe_is_silent(input: &Input) {
    let scratch = Scratch::new();
    let path = scratch.path(input.file);
    mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
    // Open for both, so that a run that never reads it does not keep the writer waiting.
    let pipe = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let settings = SETTINGS.replace("$SOURCE", input.plugin).replace("$INPUT", input.file);
    thread::scope(|scope| {
        let writer = scope.spawn(|| feed(pipe, &scratch, input));
        let report = scratch.run(&settings).unwrap();
        assert!(writer.join().unwrap(), "the batch came out while the source was silent");
        assert_eq!(report.run.destinations["figures"], 2);
    });
    let figures: Vec<Json> =
        scratch.read("out/figures.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let stats = |count, sum| json!({"count": count, "sum": sum, "batch_size": count});
    assert_eq!(figures, [stats(3, 6), stats(1, 10)]);
    for (row, batch, trigger) in [(0, 0, "timeout"), (2, 0, "timeout"), (3, 1, "end_of_source")] {
        let member = batch_of(&scratch, row);
        assert_eq!((&member["batch"], &member["trigger"]), (&json!(batch), &json!(trigger)), "{member}");
    }
}

#[test]
fn a_batch_of_json_lines_is_flushed_by_its_timeout_while_the_pipe_is_silent() {
    flushes_while_the_pipe_is_silent(&Input {
        plugin: "json",
        file: "in.jsonl",
        first: "{\"minutes\":1}\n{\"minutes\":2}\n{\"minutes\":3}\n",
        last: "{\"minutes\":10}\n",
    });
}

#[test]
fn a_batch_of_csv_rows_is_flushed_by_its_timeout_while_the_pipe_is_silent() {
    flushes_while_the_pipe_is_silent(&Input {
        plugin: "csv",
        file: "in.csv",
        first: "minutes\n1\n2\n3\n",
        last: "10\n",
    });
}
