//! Runs that are stopped from outside, and go on.
#![expect(clippy::unwrap_used, reason = "what fails here fails its test, with the place")]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::Cli;

/// More rows than a run gets through before it can be stopped: each is an epoch.
const ROWS: u32 = 20_000;

const SETTINGS: &str = "
source:
  plugin: csv
  on_success: kept
  options: {path: many.csv, on_validation_failure: discard, schema: {mode: fixed, fields: ['n: int']}}
sinks:
  kept: {plugin: csv, on_write_failure: discard, options: {path: kept.csv}}
landscape: {url: 'sqlite:///audit.db'}
";

/// A run that has begun, with what it says.
struct Running {
    process: Child,
    says: BufReader<ChildStderr>,
}

fn begin(cli: &Cli) -> Running {
    let numbers: String = (0..ROWS).map(|n| format!("{n}\n")).collect();
    cli.write("many.csv", &format!("n\n{numbers}"));
    cli.write("quick.yaml", SETTINGS);
    cli.write("slow.yaml", &format!("{SETTINGS}checkpoint: {{frequency: every_row}}\n"));
    let mut command = cli.command(&["run", "-s", "slow.yaml", "-x"]);
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let says = BufReader::new(process.stderr.take().unwrap());
    let mut running = Running { process, says };
    running.until("started");
    running
}

impl Running {
    /// Reads on until it says that; all lines up to there.
    fn until(&mut self, word: &str) -> String {
        let mut said = String::new();
        while !said.contains(word) {
            assert_ne!(self.says.read_line(&mut said).unwrap(), 0, "it never said `{word}`: {said}");
        }
        said
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Its exit code, if it had one, and what it printed.
    fn end(mut self) -> (Option<i32>, String) {
        let mut out = String::new();
        self.process.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        (self.process.wait().unwrap().code(), out)
    }
}

/// The rest of the run, and its output.
fn assert_goes_on(cli: &Cli) {
    let said = cli.say(&["resume", "latest", "-s", "quick.yaml", "-d", "audit.db", "-x"]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    let kept = std::fs::read_to_string(cli.path("kept.csv")).unwrap();
    assert_eq!(kept, std::fs::read_to_string(cli.path("many.csv")).unwrap());
    let status = cli.json(&["status", "latest", "-d", "audit.db", "--json"]);
    assert_eq!(
        (status["status"].as_str(), status["rows"]["processed"].as_u64()),
        (Some("completed"), Some(ROWS.into()))
    );
    assert_eq!(status["resumptions"].as_array().map(Vec::len), Some(1));
}

#[test]
fn the_first_signal_lets_the_run_finish_what_is_under_way() {
    for signal in [Signal::INT, Signal::TERM] {
        let cli = Cli::triage();
        let mut running = begin(&cli);
        running.signal(signal);
        running.until("stopping: what is under way is finished first");
        let (code, out) = running.end();
        assert_eq!(code, Some(3), "{out}");
        assert!(out.contains("interrupted") && out.contains("go on with it:  elspeth resume"), "{out}");
        let listed = cli.json(&["runs", "-d", "audit.db", "--json"]);
        assert_eq!(listed[0]["status"], "interrupted");
        let view = cli.json(&["resume", "latest", "-d", "audit.db", "--json"]);
        assert_eq!(view["unwritten"].as_array().map(Vec::len), Some(0), "{view}");
        assert_goes_on(&cli);
    }
}

#[test]
fn the_second_signal_stops_at_once_and_costs_nothing() {
    let cli = Cli::triage();
    let running = begin(&cli);
    running.signal(Signal::INT);
    running.signal(Signal::TERM);
    let (code, _) = running.end();
    assert_eq!(code, Some(3));
    assert_goes_on(&cli);
}

#[test]
fn a_killed_run_goes_on() {
    let cli = Cli::triage();
    let running = begin(&cli);
    running.signal(Signal::KILL);
    assert_eq!(running.end().0, None);
    let listed = cli.json(&["runs", "-d", "audit.db", "--json"]);
    assert_eq!(listed[0]["status"], "running");
    assert!(!cli.path("kept.csv").exists(), "an output has its name only when it is whole");
    let told = cli.say(&["status", "latest", "-d", "audit.db"]).out;
    assert!(told.contains("its process is gone") && told.contains("elspeth resume"), "{told}");
    assert_goes_on(&cli);
}

#[test]
fn a_live_run_is_not_taken_over() {
    let cli = Cli::triage();
    let running = begin(&cli);
    let said = cli.say(&["resume", "latest", "-d", "audit.db", "-x"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("is being written by"), "{}", said.err);
    running.signal(Signal::KILL);
    drop(running.end());
}

#[test]
fn nobody_needs_to_read_what_a_run_says() {
    let cli = Cli::triage();
    let mut command = cli.command(&["run", "-s", "triage.yaml", "-x"]);
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop((process.stdout.take(), process.stderr.take()));
    assert_eq!(process.wait().unwrap().code(), Some(0));
}

#[test]
fn where_a_run_would_go_on_is_told() {
    let cli = Cli::triage();
    let settings = include_str!("data/triage.yaml");
    cli.write(
        "strict.yaml",
        &format!("{settings}failure_budget: {{max_failed_rows: 0}}\ncheckpoint: {{frequency: every_row}}\n"),
    );
    let said = cli.say(&["run", "-s", "strict.yaml", "-x"]);
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    for part in ["failed in ", "at most 0 may (max_failed_rows)", "\ngo on with it:  elspeth resume "] {
        assert!(said.out.contains(part), "{part}: {}", said.out);
    }
    // How far it got beyond the row that failed depends on how quick its threads are.
    let told = cli.say(&["resume", "latest", "-s", "strict.yaml"]).out;
    for part in
        ["(failed) can go on", "strict.yaml (given)", "rows in ", "it failed: 1 of ", "nothing was done; "]
    {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn a_source_that_never_begins_does_not_keep_a_run_from_being_stopped() {
    let cli = Cli::triage();
    assert!(Command::new("mkfifo").arg(cli.path("many.csv")).status().unwrap().success());
    cli.write("quick.yaml", SETTINGS);
    let mut command = cli.command(&["run", "-s", "quick.yaml", "-x"]);
    let process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // Comes back when the other end is being opened, too.
    let silent = std::fs::OpenOptions::new().write(true).open(cli.path("many.csv")).unwrap();
    let pid = i32::try_from(process.id()).ok().and_then(Pid::from_raw).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    let output = process.wait_with_output().unwrap();
    drop(silent);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("stopped while the source was being opened; nothing was recorded"), "{said}");
}
