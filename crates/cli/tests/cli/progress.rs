//! How a run shows that it gets on. Its source is a pipe with rows for as long as a test wants them, so that it takes as long as that.
#![expect(clippy::unwrap_used, reason = "what fails here fails its test, with the place")]

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::support::{Cli, keys};
use crate::terminal::Terminal;

const SETTINGS: &str = "
source:
  plugin: csv
  on_success: kept
  options: {path: pipe.csv, on_validation_failure: discard, schema: {mode: fixed, fields: ['n: int']}}
sinks:
  kept: {plugin: csv, on_write_failure: discard, options: {path: kept.csv}}
landscape: {url: 'sqlite:///audit.db'}
";

/// After this the rows end by themselves, so that a run that tells nothing ends too, and its test fails.
const LONGEST: Duration = Duration::from_secs(20);

/// What writes rows into the pipe.
struct Rows {
    enough: Arc<AtomicBool>,
    writer: JoinHandle<u64>,
}

impl Rows {
    fn begin(cli: &Cli) -> Self {
        assert!(Command::new("mkfifo").arg(cli.path("pipe.csv")).status().unwrap().success());
        cli.write("piped.yaml", SETTINGS);
        let (path, enough) = (cli.path("pipe.csv"), Arc::new(AtomicBool::new(false)));
        let seen = Arc::clone(&enough);
        let writer = std::thread::spawn(move || {
            // Opened as soon as the run opens it; full as long as the run does not read.
            let mut pipe = File::options().write(true).open(path).unwrap();
            pipe.write_all(b"n\n").unwrap();
            let mut rows = 0;
            let begun = Instant::now();
            while !seen.load(Ordering::Relaxed) && begun.elapsed() < LONGEST {
                writeln!(pipe, "{rows}").unwrap();
                rows += 1;
            }
            rows
        });
        Self { enough, writer }
    }

    /// Ends the pipe; how many rows went into it.
    fn end(self) -> u64 {
        self.enough.store(true, Ordering::Relaxed);
        self.writer.join().unwrap()
    }
}

/// The number before a word.
fn number(text: &str, word: &str) -> u64 {
    let digits = text.split(word).next().unwrap().split_whitespace().last().unwrap();
    digits.replace(',', "").parse().unwrap_or_else(|e| panic!("{digits}: {e} in {text}"))
}

#[test]
fn progress_is_an_event_with_rows_rate_and_seconds_once_a_second() {
    let cli = Cli::triage();
    let rows = Rows::begin(&cli);
    let mut command = cli.command(&["run", "-s", "piped.yaml", "-x", "--json"]);
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let events = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut events = events.map(|line| serde_json::from_str::<Json>(&line.unwrap()).unwrap());
    let started = events.next().unwrap();
    assert_eq!((started["event"].as_str(), keys(&started)), (Some("run_started"), vec!["event", "run_id"]));
    let told: Vec<Json> = events.by_ref().take(2).collect();
    let of = |event: &Json, key: &str| event[key].as_f64().unwrap();
    for event in &told {
        assert_eq!(event["event"], "progress");
        assert_eq!(keys(event), ["elapsed_seconds", "event", "rate", "rows"]);
        assert!(event["rows"].is_u64() && of(event, "elapsed_seconds") > 0.0, "{event}");
        let rate = of(event, "rows") / of(event, "elapsed_seconds");
        assert!((of(event, "rate") - rate).abs() < 1e-6 * rate, "{event}");
    }
    assert!(of(&told[1], "rows") > of(&told[0], "rows"), "{told:?}");
    // An epoch takes 250 ms at most, and each could be told.
    assert!(of(&told[1], "elapsed_seconds") - of(&told[0], "elapsed_seconds") > 0.5, "{told:?}");
    let rows = rows.end();
    let last = events.last().unwrap();
    assert_eq!(
        (last["event"].as_str(), last["rows"]["processed"].as_u64()),
        (Some("run_completed"), Some(rows))
    );
    assert_eq!(process.wait().unwrap().code(), Some(0));
}

#[test]
fn without_a_terminal_progress_is_plain_lines() {
    let cli = Cli::triage();
    let rows = Rows::begin(&cli);
    let mut command = cli.command(&["run", "-s", "piped.yaml", "-x"]);
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map(Result::unwrap);
    let started = lines.next().unwrap();
    assert!(started.starts_with("run ") && started.ends_with(" started"), "{started}");
    let told = lines.next().unwrap();
    assert!(
        number(&told, " rows, ") > 0 && number(&told, " rows/s") > 0 && told.ends_with(" rows/s"),
        "{told}"
    );
    assert!(!told.contains('\u{1b}') && !told.contains('\r'), "{told:?}");
    let rows = rows.end();
    assert_eq!(lines.find(|line| !line.ends_with(" rows/s")), None);
    let mut out = String::new();
    process.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    assert_eq!(number(out.split("rows in").nth(1).unwrap(), "\n"), rows, "{out}");
    assert_eq!(process.wait().unwrap().code(), Some(0));
}

#[test]
fn on_a_terminal_progress_is_a_bar_that_is_gone_at_the_end() {
    let cli = Cli::triage();
    let rows = Rows::begin(&cli);
    let mut terminal = Terminal::of(&cli.command(&["run", "-s", "piped.yaml", "-x"]), (24, 80));
    let rows_of = |drawn: &str| {
        let line = drawn.lines().find(|line| line.contains(" rows/s  "))?;
        Some(number(line, " rows  "))
    };
    terminal.until_it("a bar", |drawn| rows_of(drawn).is_some());
    let first = rows_of(&terminal.screen.screen().contents());
    terminal.until_it("a bar that gets on", |drawn| rows_of(drawn) > first);
    rows.end();
    terminal.until("why?  elspeth explain");
    let drawn = terminal.screen.screen().contents();
    assert!(drawn.contains(" completed in ") && !drawn.contains(" rows/s  "), "{drawn}");
    assert_eq!(terminal.end(), Some(0));
}

#[test]
fn spans_on_standard_output_stay_out_of_json() {
    let cli = Cli::triage();
    let spans = "telemetry: {enabled: true, exporters: [{name: console, options: {format: pretty, output: stdout}}]}\n";
    cli.write("spans.yaml", &format!("{}{spans}", SETTINGS.replace("pipe.csv", "rows.csv")));
    cli.write("rows.csv", "n\n1\n");
    let said = cli.say(&["run", "-s", "spans.yaml", "-x", "--json"]);
    assert!(said.out.lines().all(|line| serde_json::from_str::<Json>(line).is_ok()), "{}", said.out);
    assert!(said.err.contains(" ms elspeth."), "{}", said.err);
    let said = cli.say(&["run", "-s", "spans.yaml", "-x"]);
    assert!(said.out.contains(" ms elspeth.") && !said.err.contains(" ms "), "{}{}", said.out, said.err);
}
