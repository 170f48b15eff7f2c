//! Whole runs with transforms of your own: one that computes, one that waits as for a service.
//!
//! The program registers both beside the built-in plugins, runs a settings file with each, with the whole record on, and tells how many
//! rows a second went through.
//!
//! ```sh
//! cargo run --release -p elspeth-app --example own_transforms -- busy 2 20000
//! cargo run --release -p elspeth-app --example own_transforms -- waiting 64 6400
//! ```
//!
//! Without arguments both work on a few rows. `cargo xtask bench --concurrency` runs it with many.

use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use elspeth_app::{EnvChoice, Progress, RunId, RunObserver, RunStatus, SettingsChoice};
use elspeth_contracts::Determinism;
use elspeth_plugin::{
    OptionError, PluginInfo, PluginKind, Transform, TransformContext, TransformOutput, TransformResult,
};
use elspeth_value::{Contract, Row, Value};

/// CPU time that `busy` takes for a row.
const WORK: Duration = Duration::from_micros(20);
/// How long `waiting` waits.
const WAIT: Duration = Duration::from_millis(20);

/// Computes something for as many rounds as take [`WORK`] on this machine.
struct Busy {
    rounds: u64,
}

impl Transform for Busy {
    fn output_contract(&self, input: &Contract) -> Result<Contract, Vec<OptionError>> {
        Ok(input.clone())
    }

    fn process(&self, mut row: Row, _context: &TransformContext<'_>) -> TransformResult {
        row.set("sum", Value::Int(sum(self.rounds)));
        Ok(TransformOutput::One(row))
    }
}

/// Waits, as for the answer of a service.
struct Waiting;

impl Transform for Waiting {
    fn output_contract(&self, input: &Contract) -> Result<Contract, Vec<OptionError>> {
        Ok(input.clone())
    }

    fn process(&self, row: Row, _context: &TransformContext<'_>) -> TransformResult {
        std::thread::sleep(WAIT);
        Ok(TransformOutput::Unchanged(row))
    }
}

/// Never inlined, so that what is measured is what is done.
#[inline(never)]
fn sum(rounds: u64) -> i64 {
    (0..rounds).fold(0, |sum, n| black_box(sum ^ n.wrapping_mul(0x9E37_79B9))).cast_signed()
}

/// How many rounds take [`WORK`]; the shortest of many tries, so that other programs do not count.
fn calibrated() -> u64 {
    const ROUNDS: u64 = 10_000;
    let took = (0..200).map(|_| {
        let started = Instant::now();
        black_box(sum(ROUNDS));
        started.elapsed().as_nanos()
    });
    let ns = took.min().unwrap_or(1).max(1);
    u64::try_from(u128::from(ROUNDS) * WORK.as_nanos() / ns).unwrap_or(ROUNDS)
}

fn info(name: &'static str, summary: &'static str) -> PluginInfo {
    PluginInfo {
        kind: PluginKind::Transform,
        name,
        version: "1.0.0",
        determinism: Determinism::Deterministic,
        summary,
        options_schema: serde_json::json!({"type": "object", "additionalProperties": true}).into(),
        example: "",
        resumable: false,
        idempotent: false,
    }
}

fn busy(options: &serde_json::Value) -> Result<Arc<dyn Transform>, Vec<OptionError>> {
    let rounds = options.get("rounds").and_then(serde_json::Value::as_u64);
    let rounds = rounds.ok_or_else(|| vec![OptionError::new("rounds", "must be a number")])?;
    Ok(Arc::new(Busy { rounds }))
}

fn waiting(_options: &serde_json::Value) -> Result<Arc<dyn Transform>, Vec<OptionError>> {
    Ok(Arc::new(Waiting))
}

/// What one run is to do.
struct Job {
    transform: String,
    workers: usize,
    rows: usize,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let jobs = match arguments.as_slice() {
        [] => ["busy", "waiting"].map(|name| Job { transform: name.to_owned(), workers: 8, rows: 40 }).into(),
        [transform, workers, rows] => {
            vec![Job { transform: transform.clone(), workers: workers.parse()?, rows: rows.parse()? }]
        }
        _ => return Err("give the transform (busy or waiting), workers and rows; or nothing".into()),
    };
    for job in jobs {
        let folder = tempfile::tempdir()?;
        let took = run(&job, folder.path())?;
        let Job { transform, workers, rows } = job;
        println!("{transform} {workers} {rows} {:.6}", took.as_secs_f64());
    }
    Ok(())
}

fn run(job: &Job, folder: &Path) -> Result<Duration, Box<dyn std::error::Error>> {
    let path = write(job, folder)?;
    let mut registry = elspeth_app::registry();
    registry.add_transform(info("busy", "Computes."), busy);
    registry.add_transform(info("waiting", "Waits."), waiting);
    let started = Instant::now();
    let settings = SettingsChoice { path, env: EnvChoice::NoDotenv };
    let prepared = elspeth_app::prepare_with(&settings, registry)?;
    let report = elspeth_app::run(prepared, Arc::new(AtomicBool::new(false)), &mut Silent)?;
    let took = started.elapsed();
    match report.run.status {
        RunStatus::Completed => Ok(took),
        status => Err(format!("the run ended as {status:?}").into()),
    }
}

/// The input and the settings; gives back the path of these.
fn write(job: &Job, folder: &Path) -> std::io::Result<PathBuf> {
    let rows = (1..=job.rows).fold("id,amount\n".to_owned(), |mut text, id| {
        writeln!(text, "{id},{}.25", id % 1000).expect("a String takes all text");
        text
    });
    fs::write(folder.join("in.csv"), rows)?;
    let (Job { transform, workers, .. }, at, rounds) = (job, folder.display(), calibrated());
    let settings = format!(
        "source:
  plugin: csv
  on_success: rows
  options:
    path: '{at}/in.csv'
    on_validation_failure: discard
    schema: {{mode: fixed, fields: [\"id: int\", \"amount: float\"]}}
transforms:
  - name: work
    plugin: {transform}
    input: rows
    on_success: done
    on_error: discard
    options: {{rounds: {rounds}}}
sinks:
  done:
    plugin: csv
    on_write_failure: discard
    options: {{path: '{at}/out.csv', schema: {{mode: observed}}}}
landscape:
  url: 'sqlite:///{at}/audit.db'
payload_store:
  base_path: '{at}/payloads'
concurrency:
  max_workers: {workers}
"
    );
    let path = folder.join("settings.yaml");
    fs::write(&path, settings)?;
    Ok(path)
}

/// Wants to know nothing on the way.
struct Silent;

impl RunObserver for Silent {
    fn started(&mut self, _run_id: RunId) {}

    fn progress(&mut self, _progress: Progress) {}
}
