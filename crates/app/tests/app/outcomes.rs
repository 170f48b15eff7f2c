//! What becomes of rows that do not go the straight way.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, LazyLock, Mutex, OnceLock};
use std::time::{Duration, Instant};

use elspeth_app::{Progress, RunId, RunObserver};
use elspeth_canonical::HashVersion;
use elspeth_contracts::{EpochNo, ErrorReason, FailureKind};
use elspeth_plugin::{
    OptionError, PluginKind, Produced, ReadProgress, Refusal, Sink, SinkContext, SinkError, SinkPosition,
    SinkRow, Source, SourceError, SourceIdentity, SourceItem, SourcePosition, Transform, TransformContext,
    TransformOutput, TransformResult, Written,
};
use elspeth_value::{Contract, Row, Value};

use crate::support::{Scratch, TRIAGE, TRIAGE_CSV};

/// Refuses rows whose `id` is even.
struct Picky {
    rows: u64,
}

impl Sink for Picky {
    fn contract(&self) -> Contract {
        Contract::observed()
    }

    fn open(&mut self, _context: &SinkContext, _position: Option<&SinkPosition>) -> Result<(), SinkError> {
        Ok(())
    }

    fn write(&mut self, _epoch: EpochNo, rows: &[SinkRow<'_>]) -> Result<Written, SinkError> {
        let even = |row: &Row| matches!(row.get("id"), Some(Value::Int(id)) if id % 2 == 0);
        let refused: Vec<_> = rows
            .iter()
            .enumerate()
            .filter(|(_, row)| even(row.row))
            .map(|(index, _)| Refusal {
                index,
                reason: ErrorReason::new(FailureKind::SinkRefused, "even ids are taken"),
            })
            .collect();
        self.rows += (rows.len() - refused.len()) as u64;
        Ok(Written { refused, position: SinkPosition(serde_json::json!(self.rows)), produced: None })
    }

    fn publish(&mut self) -> Result<Option<Produced>, SinkError> {
        Ok(None)
    }
}

#[test]
fn a_row_that_its_sink_refuses_goes_to_the_failsink_with_its_origin() {
    let scratch = Scratch::new();
    scratch.write("in.csv", "id,name,score\n1,a,60\n2,b,70\n3,c,80\n4,d,10\n");
    let mut registry = elspeth_app::registry();
    let json = registry.info(PluginKind::Sink, "json").unwrap().clone();
    registry
        .add_sink(elspeth_plugin::PluginInfo { name: "picky", ..json }, |_| Ok(Box::new(Picky { rows: 0 })));
    let settings = TRIAGE.replace(
        "approved: {plugin: csv, on_write_failure: discard",
        "approved: {plugin: picky, on_write_failure: failed",
    );
    let report = scratch.run_with(&settings, registry).unwrap();
    assert_eq!(report.run.rows.diverted, 1);
    assert_eq!(report.run.destinations["approved"], 2);
    assert_eq!(report.run.destinations["failed"], 1);
    let failed = scratch.read("failed.csv");
    assert!(failed.contains("__diverted_from") && failed.contains("even ids are taken"), "{failed}");
    let token = scratch.explain_json(1)["tokens"][0].clone();
    assert_eq!(token["outcome"]["outcome"], "diverted");
    assert_eq!(token["outcome"]["sink"], "failed");
    let states: Vec<_> =
        token["states"].as_array().unwrap().iter().map(|s| s["status"].as_str().unwrap()).collect();
    assert_eq!(states, ["completed", "completed", "completed", "failed", "completed"]);
}

static CALLS: AtomicU32 = AtomicU32::new(0);

/// Busy the first two times that it is asked about a row, then at ease; about `Bob` always busy.
struct Service;

impl Transform for Service {
    fn output_contract(&self, input: &Contract) -> Result<Contract, Vec<OptionError>> {
        Ok(input.clone())
    }

    fn process(&self, row: Row, context: &TransformContext<'_>) -> TransformResult {
        CALLS.fetch_add(1, Ordering::Relaxed);
        if context.attempt < 2 || row.get("name") == Some(&Value::Str("Bob".into())) {
            return Err(ErrorReason::new(FailureKind::TransformError, "the service is busy").retryable());
        }
        Ok(TransformOutput::Unchanged(row))
    }
}

#[test]
fn retries_are_recorded_and_exhausted_ones_honour_on_error() {
    let scratch = Scratch::new();
    scratch.write("in.csv", "id,name,score\n1,Ada,60\n2,Bob,70\n");
    let mut registry = elspeth_app::registry();
    let passthrough = registry.info(PluginKind::Transform, "passthrough").unwrap().clone();
    registry.add_transform(elspeth_plugin::PluginInfo { name: "service", ..passthrough }, |_| {
        Ok(Arc::new(Service))
    });
    let settings = TRIAGE
        .replace("plugin: field_mapper", "plugin: service")
        .replace("    options:\n      mapping: {name: applicant}\n", "");
    let settings = format!(
        "{settings}retry: {{max_attempts: 3, initial_delay_seconds: 0.001, max_delay_seconds: 0.002}}\n"
    );
    let report = scratch.run_with(&settings, registry).unwrap();
    assert_eq!(CALLS.load(Ordering::Relaxed), 6);
    assert_eq!((report.run.destinations["approved"], report.run.destinations["failed"]), (1, 1));
    let attempts = |row| {
        let states = scratch.explain_json(row)["tokens"][0]["states"].clone();
        let of_service =
            states.as_array().unwrap().iter().filter(|s| s["node"] == "rename").cloned().collect::<Vec<_>>();
        of_service
            .iter()
            .map(|s| (s["attempt"].as_u64().unwrap(), s["status"].to_string()))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        attempts(0),
        [(0, "\"failed\"".into()), (1, "\"failed\"".into()), (2, "\"completed\"".into())]
    );
    assert_eq!(attempts(1).last().unwrap(), &(2, "\"failed\"".into()));
    let kinds: Vec<_> = report.failures.iter().map(|f| f.kind.as_str()).collect();
    assert!(kinds.contains(&"retries_exhausted"), "{kinds:?}");
}

/// A sink whose disk is full from its second epoch on.
struct FullDisk {
    writes: u32,
}

impl Sink for FullDisk {
    fn contract(&self) -> Contract {
        Contract::observed()
    }

    fn open(&mut self, _context: &SinkContext, _position: Option<&SinkPosition>) -> Result<(), SinkError> {
        Ok(())
    }

    fn write(&mut self, _epoch: EpochNo, _rows: &[SinkRow<'_>]) -> Result<Written, SinkError> {
        self.writes += 1;
        if self.writes > 1 {
            return Err(SinkError::new("no space left on device").with_help("make room, then resume the run"));
        }
        Ok(Written { refused: Vec::new(), position: SinkPosition(serde_json::json!(1)), produced: None })
    }

    fn publish(&mut self) -> Result<Option<Produced>, SinkError> {
        panic!("a run that failed must not publish");
    }
}

#[test]
fn a_sink_that_fails_ends_the_run_as_failed_with_its_record_whole() {
    let scratch = Scratch::new();
    let rows: String = (0..5_000).map(|i| format!("{i},n,{}\n", i % 100)).collect();
    scratch.write("in.csv", format!("id,name,score\n{rows}"));
    let mut registry = elspeth_app::registry();
    let json = registry.info(PluginKind::Sink, "json").unwrap().clone();
    registry.add_sink(elspeth_plugin::PluginInfo { name: "full", ..json }, |_| {
        Ok(Box::new(FullDisk { writes: 0 }))
    });
    let report = scratch
        .run_with(&TRIAGE.replace("approved: {plugin: csv", "approved: {plugin: full"), registry)
        .unwrap();
    assert_eq!((report.run.status.as_str(), report.run.exit_code), ("failed", Some(1)));
    assert!(report.error.as_ref().unwrap().contains("no space left"), "{:?}", report.error);
    assert!(report.run.rows.processed < 5_000);
    assert!(report.unfinished > 0, "decided rows whose sinks did not write are told apart");
    assert!(!scratch.files().contains(&"rejected.jsonl".to_owned()), "nothing is published");
    let kept = scratch.explain_json(0);
    assert_eq!(kept["tokens"][0]["outcome"]["outcome"], "routed");
}

#[test]
fn headers_can_be_given_back_as_they_were() {
    let scratch = Scratch::new();
    scratch.write("in.csv", TRIAGE_CSV.replacen("id,name,score", "ID,name,Score (%)", 1));
    let settings = TRIAGE
        .replace("path: $DIR/rejected.jsonl}", "path: $DIR/rejected.csv, headers: original}")
        .replace("rejected: {plugin: json", "rejected: {plugin: csv");
    scratch.run(&settings).unwrap();
    let head = scratch.read("rejected.csv").lines().next().unwrap().to_owned();
    assert_eq!(head, "ID,applicant,Score (%)");
}

/// Gives three rows, then waits for ever.
struct Stalled {
    given: bool,
}

impl Source for Stalled {
    fn contract(&self) -> Contract {
        Contract::observed()
    }

    fn open(&mut self, _version: HashVersion, _position: Option<&SourcePosition>) -> Result<(), SourceError> {
        Ok(())
    }

    fn read(&mut self, _max: usize, items: &mut Vec<SourceItem>) -> Result<ReadProgress, SourceError> {
        if self.given {
            loop {
                std::thread::park();
            }
        }
        self.given = true;
        let row = |id| {
            Row::from_pairs([
                ("id".into(), Value::Int(id)),
                ("name".into(), Value::Str("n".into())),
                ("score".into(), Value::Float(60.0)),
            ])
        };
        items.extend((0..3).map(|id| SourceItem::Valid(row(id))));
        Ok(ReadProgress::More)
    }

    fn position(&self) -> SourcePosition {
        SourcePosition(serde_json::json!(null))
    }

    fn identity(&self) -> SourceIdentity {
        SourceIdentity { location: "stalled".into(), size_bytes: None, read_bytes: 0, content_hash: None }
    }
}

/// Asks the run to stop as soon as it got on.
struct StopAtProgress(Arc<AtomicBool>);

impl RunObserver for StopAtProgress {
    fn started(&mut self, _run_id: RunId) {}

    fn progress(&mut self, _progress: Progress) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_run_whose_source_waits_for_input_can_be_stopped() {
    let scratch = Scratch::new();
    let mut registry = elspeth_app::registry();
    let csv = registry.info(PluginKind::Source, "csv").unwrap().clone();
    registry.add_source(elspeth_plugin::PluginInfo { name: "stalled", ..csv }, |_| {
        Ok(Box::new(Stalled { given: false }))
    });
    let settings =
        TRIAGE.replace("plugin: csv\n  on_success: scored", "plugin: stalled\n  on_success: scored");
    let stop = Arc::new(AtomicBool::new(false));
    let prepared = elspeth_app::prepare_with(&scratch.settings(&settings), registry).unwrap();
    let report = elspeth_app::run(prepared, Arc::clone(&stop), &mut StopAtProgress(stop)).unwrap();
    assert_eq!(report.run.status.as_str(), "interrupted");
    assert_eq!((report.run.rows.processed, report.unfinished), (3, 0));
}

/// Set by the first row that is decided.
static STOP: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);
/// Whether the run has said that it is stopping.
static STOPPING: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

/// Has the run stopped, and is not done with the row before that is said.
struct Thorough;

impl Transform for Thorough {
    fn output_contract(&self, input: &Contract) -> Result<Contract, Vec<OptionError>> {
        Ok(input.clone())
    }

    fn process(&self, row: Row, _: &TransformContext<'_>) -> TransformResult {
        STOP.store(true, Ordering::Relaxed);
        drop(STOPPING.1.wait_while(STOPPING.0.lock().unwrap(), |told| !*told).unwrap());
        Ok(TransformOutput::Unchanged(row))
    }
}

struct Told(&'static (Mutex<bool>, Condvar));

impl RunObserver for Told {
    fn started(&mut self, _run_id: RunId) {}
    fn progress(&mut self, _progress: Progress) {}

    fn stopping(&mut self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
}

#[test]
fn what_is_being_decided_when_a_run_is_stopped_is_finished_first() {
    let scratch = Scratch::new();
    scratch.write("in.csv", TRIAGE_CSV);
    let mut registry = elspeth_app::registry();
    let passthrough = registry.info(PluginKind::Transform, "passthrough").unwrap().clone();
    let info = elspeth_plugin::PluginInfo { name: "thorough", ..passthrough };
    registry.add_transform(info, |_| Ok(Arc::new(Thorough)));
    let settings = TRIAGE
        .replace("plugin: field_mapper", "plugin: thorough")
        .replace("    options:\n      mapping: {name: applicant}\n", "");
    let prepared = elspeth_app::prepare_with(&scratch.settings(&settings), registry).unwrap();
    let report = elspeth_app::run(prepared, Arc::clone(&STOP), &mut Told(&STOPPING)).unwrap();
    assert_eq!((report.run.rows.processed, report.unfinished), (6, 0), "{:?}", report.error);
}

/// Set while what is left at the end of the source is decided.
static STOP_AT_END: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);
/// How long a run may take to show that it lives.
const LONGEST: Duration = Duration::from_secs(60);
/// The database of that run.
static DATABASE: OnceLock<PathBuf> = OnceLock::new();
/// Whether it has said that it is stopping.
static STOPPING_AT_END: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());
/// Whether it has ended.
static ENDED: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

/// Has the run stopped, and is not done with the row before the run has ended, or has shown that it lives after it said that it is
/// stopping: then it found that something is being decided, and waits.
struct Patient;

impl Patient {
    /// Epochs that are decided, those of them that are acted on, and the owner's last sign of life.
    fn seen() -> (i64, i64, String) {
        let query = "SELECT (SELECT count(*) FROM v_epochs), (SELECT count(acted_at) FROM v_epochs), heartbeat_at FROM v_runs";
        let database = rusqlite::Connection::open(DATABASE.get().unwrap()).unwrap();
        database.query_row(query, (), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap()
    }

    /// Whether the owner shows that it lives with nothing that it commits.
    fn is_waited_for(before: &mut (i64, i64, String)) -> bool {
        let now = Self::seen();
        let waits = (now.0, now.1) == (before.0, before.1) && now.0 == now.1 && now.2 != before.2;
        *before = now;
        waits
    }
}

impl Transform for Patient {
    fn output_contract(&self, input: &Contract) -> Result<Contract, Vec<OptionError>> {
        Ok(input.clone())
    }

    fn process(&self, row: Row, _: &TransformContext<'_>) -> TransformResult {
        STOP_AT_END.store(true, Ordering::Relaxed);
        drop(STOPPING_AT_END.1.wait_while(STOPPING_AT_END.0.lock().unwrap(), |told| !*told).unwrap());
        let mut before = Self::seen();
        let mut ended = ENDED.0.lock().unwrap();
        let begun = Instant::now();
        while !*ended && !Self::is_waited_for(&mut before) && begun.elapsed() < LONGEST {
            ended = ENDED.1.wait_timeout(ended, Duration::from_millis(20)).unwrap().0;
        }
        Ok(TransformOutput::Unchanged(row))
    }
}

const SUMMED: &str = r"
source:
  plugin: csv
  on_success: scores
  options: {path: $DIR/in.csv, on_validation_failure: discard, schema: {mode: fixed, fields: ['score: int']}}
aggregations:
  - {name: sums, plugin: batch_stats, input: scores, on_success: sum, on_error: discard,
     options: {schema: {mode: observed}, value_field: score}}
transforms:
  - {name: patient, plugin: patient, input: sum, on_success: out, on_error: discard}
sinks:
  out: {plugin: json, on_write_failure: discard, options: {path: $DIR/out.jsonl}}
landscape: {url: sqlite:///$DIR/audit.db}
";

#[test]
fn what_is_decided_at_the_end_of_the_source_is_finished_when_a_run_is_stopped() {
    let scratch = Scratch::new();
    scratch.write("in.csv", "score\n1\n2\n");
    let mut registry = elspeth_app::registry();
    let passthrough = registry.info(PluginKind::Transform, "passthrough").unwrap().clone();
    let info = elspeth_plugin::PluginInfo { name: "patient", ..passthrough };
    DATABASE.set(scratch.path("audit.db")).unwrap();
    registry.add_transform(info, |_| Ok(Arc::new(Patient)));
    let prepared = elspeth_app::prepare_with(&scratch.settings(SUMMED), registry).unwrap();
    let report = elspeth_app::run(prepared, Arc::clone(&STOP_AT_END), &mut Told(&STOPPING_AT_END)).unwrap();
    *ENDED.0.lock().unwrap() = true;
    ENDED.1.notify_all();
    assert_eq!(report.run.status.as_str(), "completed", "{:?}", report.error);
    assert_eq!(report.run.destinations["out"], 1);
}
