//! A timeout by the real clock, with a source that says nothing while it fires.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use elspeth_app::{Progress, RunId, RunObserver, RunStatus};
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

/// Tells of an epoch without rows, which only a timer makes before the source ends.
struct Watch {
    rows: u64,
    timer: Sender<()>,
}

impl RunObserver for Watch {
    fn started(&mut self, _run_id: RunId) {}

    fn progress(&mut self, progress: Progress) {
        if progress.rows == self.rows {
            // Nobody listens any more once the last row is written.
            let _ = self.timer.send(());
        }
        self.rows = progress.rows;
    }
}

/// Writes the first rows, then nothing until a timer has fired; whether it fired while the pipe was open.
fn feed(mut pipe: File, timer: &Receiver<()>, input: &Input) -> bool {
    pipe.write_all(input.first.as_bytes()).unwrap();
    // A timer that does not fire must fail the test, not hang it.
    let fired = timer.recv_timeout(Duration::from_secs(20)).is_ok();
    pipe.write_all(input.last.as_bytes()).unwrap();
    fired
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
    let (timer, fired) = channel();
    thread::scope(|scope| {
        let writer = scope.spawn(move || feed(pipe, &fired, input));
        let prepared =
            elspeth_app::prepare_with(&scratch.settings(&settings), elspeth_app::registry()).unwrap();
        let never = Arc::new(AtomicBool::new(false));
        let report = elspeth_app::run(prepared, never, &mut Watch { rows: 0, timer }).unwrap();
        assert!(writer.join().unwrap(), "the batch was flushed while the source was silent");
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

#[test]
fn everything_that_is_written_into_a_pipe_arrives() {
    let scratch = Scratch::new();
    let path = scratch.path("in.csv");
    mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
    let rows = (0..30_000).fold("minutes\n".to_owned(), |text, row| text + &format!("{row}\n"));
    let settings = SETTINGS.replace("$SOURCE", "csv").replace("$INPUT", "in.csv");
    thread::scope(|scope| {
        // It can be opened once somebody reads; who opened and closed it again would lose what was written until then.
        let writer =
            scope.spawn(move || OpenOptions::new().write(true).open(path)?.write_all(rows.as_bytes()));
        let report = scratch.run(&settings).unwrap();
        writer.join().unwrap().unwrap();
        assert_eq!(report.run.rows.processed, 30_000);
    });
}

#[test]
fn a_run_that_fails_while_the_pipe_is_silent_ends_at_once_and_says_why() {
    let scratch = Scratch::new();
    let path = scratch.path("in.csv");
    mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
    let mut pipe = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    // What is too large for an epoch's block goes into a folder that cannot be made.
    scratch.write("file", "");
    let settings = SETTINGS.replace("$SOURCE", "csv").replace("$INPUT", "in.csv");
    let settings = settings.replace("'minutes: int'", "'minutes: int', 'note: str'")
        + "payload_store: {base_path: $DIR/file/none}\n";
    let (ended, end) = channel();
    let writer = thread::spawn(move || {
        pipe.write_all(format!("minutes,note\n1,{}\n", "x".repeat(1 << 16)).as_bytes()).unwrap();
        // A run that does not end must fail the test, not hang it: the pipe is closed then.
        end.recv_timeout(Duration::from_secs(20)).is_ok()
    });
    let report = scratch.run(&settings).unwrap();
    ended.send(()).expect("the run ends while the pipe is open");
    assert!(writer.join().unwrap());
    assert_eq!(report.run.status, RunStatus::Failed);
    let error = report.error.expect("a run that failed says why").to_string();
    assert!(error.contains("file/none"), "{error}");
}
