//! What the engine delivers: epochs in order, whatever the workers, whatever the plugins do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::{Setup, numbers, pipeline, run, unchanged};
use elspeth_canonical::HashVersion;
use elspeth_contracts::{Clock, FailureKind, Micros, NodeStateStatus, Outcome, RowIndex};
use elspeth_engine::{EngineError, EpochWork};
use elspeth_plugin::{
    InvalidRecord, RawRecord, ReadProgress, Source, SourceError, SourceIdentity, SourceItem, SourcePosition,
    TransformContext, TransformOutput, TransformResult,
};
use elspeth_value::{Contract, Row, Value};

fn number(row: &Row) -> i64 {
    match row.get("n") {
        Some(Value::Int(n)) => *n,
        other => panic!("no number: {other:?}"),
    }
}

fn arrivals(epochs: &[EpochWork], pipeline: &elspeth_engine::Pipeline, sink: &str) -> Vec<i64> {
    let step = pipeline.graph.named(sink).expect("the graph has this sink").step;
    let works = epochs.iter().flat_map(|e| &e.sinks).filter(|w| w.sink == step);
    works.flat_map(|w| &w.arrivals).map(|a| number(&a.row)).collect()
}

#[test]
fn rows_arrive_in_source_order_and_every_epoch_is_within_its_bounds() {
    let pipeline = pipeline(&Setup::default(), unchanged);
    let (epochs, end) = run(&pipeline, numbers(57));
    let end = end.unwrap();
    assert_eq!((end.rows, end.exhausted), (57, true));
    assert!(epochs.iter().all(|e| !e.decided.rows.is_empty() && e.decided.rows.len() <= 10));
    let rows: Vec<_> = epochs.iter().flat_map(|e| &e.decided.rows).map(|r| r.row_index.get()).collect();
    assert_eq!(rows, (0..57).collect::<Vec<_>>());
    assert_eq!(arrivals(&epochs, &pipeline, "even"), (0..57).filter(|n| n % 2 == 0).collect::<Vec<_>>());
    assert_eq!(arrivals(&epochs, &pipeline, "odd"), (0..57).filter(|n| n % 2 == 1).collect::<Vec<_>>());
}

#[test]
fn the_content_leaves_are_the_same_for_any_number_of_workers_and_any_epoch_size() {
    let leaves = |workers, epoch_rows| {
        let pipeline =
            pipeline(&Setup { workers, epoch_rows, attempts: 1, per_minute: None }, failing_sometimes);
        let (epochs, end) = run(&pipeline, numbers(200));
        end.unwrap();
        epochs.into_iter().flat_map(|e| e.decided.row_leaves).collect::<Vec<_>>()
    };
    let one = leaves(1, 1_000);
    assert_eq!(one.len(), 200);
    for (workers, epoch_rows) in [(2, 1), (8, 7), (32, 64)] {
        assert!(one == leaves(workers, epoch_rows), "{workers} workers, epochs of {epoch_rows}");
    }
}

fn failing_sometimes(row: Row, _context: &TransformContext<'_>) -> TransformResult {
    match number(&row) % 5 {
        0 => panic!("cannot work on multiples of five"),
        1 => Err(elspeth_contracts::ErrorReason::new(FailureKind::TransformError, "one too many")),
        2 => Ok(TransformOutput::One(row)),
        3 => Ok(TransformOutput::Many(vec![row])),
        _ => Ok(TransformOutput::Unchanged(row)),
    }
}

#[test]
fn a_panicking_or_lying_transform_fails_only_its_rows() {
    let pipeline = pipeline(&Setup::default(), failing_sometimes);
    let (epochs, end) = run(&pipeline, numbers(20));
    end.unwrap();
    let kinds: Vec<_> =
        epochs.iter().flat_map(|e| &e.decided.transform_errors).map(|e| e.reason.kind).take(3).collect();
    assert_eq!(kinds, [FailureKind::PluginPanic, FailureKind::TransformError, FailureKind::PluginContract]);
    let failed = arrivals(&epochs, &pipeline, "failed");
    assert_eq!(failed, (0..20).filter(|n| [0, 1, 3].contains(&(n % 5))).collect::<Vec<_>>());
    let step = pipeline.graph.named("failed").unwrap().step;
    let works = epochs.iter().flat_map(|e| &e.sinks).filter(|w| w.sink == step);
    for arrival in works.flat_map(|w| &w.arrivals) {
        assert_eq!(arrival.outcome, Outcome::Routed);
        assert_eq!(arrival.error_at.map(|(step, _)| step), Some(pipeline.graph.named("work").unwrap().step));
    }
}

fn nesting(mut row: Row, _context: &TransformContext<'_>) -> TransformResult {
    let deep = (0..elspeth_value::MAX_NESTING + 100).fold(Value::Null, |inner, _| Value::List(vec![inner]));
    row.set("deep", deep);
    Ok(TransformOutput::One(row))
}

#[test]
fn an_output_without_canonical_form_fails_only_its_rows() {
    let pipeline = pipeline(&Setup::default(), nesting);
    let (epochs, end) = run(&pipeline, numbers(2));
    end.unwrap();
    assert_eq!(epochs[0].decided.transform_errors[0].reason.kind, FailureKind::Unhashable);
    assert_eq!(arrivals(&epochs, &pipeline, "failed"), [0, 1], "the rows as they came go to the error sink");
}

fn refused_by_the_service(row: Row, context: &TransformContext<'_>) -> TransformResult {
    if number(&row) == 3 && context.attempt < 2 || number(&row) == 4 {
        let reason = elspeth_contracts::ErrorReason::new(FailureKind::TransformError, "busy").retryable();
        return Err(reason);
    }
    Ok(TransformOutput::Unchanged(row))
}

#[test]
fn every_attempt_of_a_retried_row_is_a_node_state() {
    let pipeline = pipeline(&Setup { attempts: 3, ..Setup::default() }, refused_by_the_service);
    let (epochs, end) = run(&pipeline, numbers(6));
    end.unwrap();
    let work = pipeline.graph.named("work").unwrap().step;
    let states = |row: u64| -> Vec<_> {
        let all = epochs.iter().flat_map(|e| &e.decided.states);
        let row = RowIndex::new(row).unwrap();
        let token = elspeth_contracts::TokenKey::of_row(row, 0).unwrap();
        all.filter(|s| s.token == token && s.step == work).map(|s| (s.attempt, s.status)).collect()
    };
    use NodeStateStatus::{Completed, Failed};
    assert_eq!(states(2), [(0, Completed)]);
    assert_eq!(states(3), [(0, Failed), (1, Failed), (2, Completed)]);
    assert_eq!(states(4), [(0, Failed), (1, Failed), (2, Failed)]);
    assert_eq!(arrivals(&epochs, &pipeline, "failed"), [4]);
    let errors: Vec<_> = epochs.iter().flat_map(|e| &e.decided.transform_errors).collect();
    let last = errors.iter().rfind(|e| e.attempt == 2).unwrap();
    assert_eq!(last.reason.kind, FailureKind::RetriesExhausted);
    assert!(last.destination.is_some() && errors.iter().filter(|e| e.destination.is_some()).count() == 1);
}

#[test]
fn a_gate_that_cannot_be_evaluated_quarantines_its_row() {
    let pipeline = pipeline(&Setup::default(), unchanged);
    let rows = vec![SourceItem::Valid(Row::from_pairs([("other".into(), Value::Int(1))]))];
    let (epochs, end) = run(&pipeline, rows);
    end.unwrap();
    assert!(epochs[0].sinks.is_empty());
    let outcomes: Vec<_> = epochs[0].settled.iter().map(|(_, record)| record.outcome).collect();
    assert_eq!(outcomes, [Outcome::Quarantined]);
    assert_eq!(epochs[0].decided.transform_errors[0].reason.kind, FailureKind::GateError);
}

#[test]
fn a_refused_record_has_row_token_state_and_a_way_to_its_sink() {
    let pipeline = pipeline(&Setup::default(), unchanged);
    let reason = elspeth_contracts::ErrorReason::new(FailureKind::MalformedRecord, "no record").at_line(7);
    let raw = RawRecord::Opaque(Value::Str("garbage".into()));
    let (epochs, end) = run(&pipeline, vec![SourceItem::Invalid(InvalidRecord { raw, reason })]);
    end.unwrap();
    let decided = &epochs[0].decided;
    assert_eq!((decided.rows.len(), decided.rows[0].valid, decided.tokens.len()), (1, false, 1));
    assert_eq!(decided.validation_errors[0].reason.line, Some(7));
    let arrival = &epochs[0].sinks[0].arrivals[0];
    assert_eq!(arrival.outcome, Outcome::Quarantined);
    assert_eq!(arrival.row.get("raw"), Some(&Value::Str("garbage".into())));
    assert_eq!(decided.routing.len(), 1);
}

#[test]
fn a_caller_that_wants_no_more_gets_no_more() {
    let pipeline = pipeline(&Setup::default(), unchanged);
    let source = crate::support::Memory { rows: numbers(1_000), next: 0, chunk: 10 };
    let mut delivered = 0;
    let end = elspeth_engine::drive(
        &pipeline,
        Box::new(source),
        elspeth_engine::Start::default(),
        &Arc::default(),
        |work| {
            delivered += work.decided.rows.len();
            delivered < 30
        },
    );
    assert_eq!(delivered, 30);
    assert!(!end.unwrap().exhausted);
}

/// Fails once, for a reason that passes, in the middle of its rows.
struct Flaky {
    inner: crate::support::Memory,
    failed: bool,
}

impl Source for Flaky {
    fn contract(&self) -> Contract {
        self.inner.contract()
    }

    fn open(&mut self, _version: HashVersion, position: Option<&SourcePosition>) -> Result<(), SourceError> {
        let next = position.and_then(|p| p.0.as_u64()).expect("it is opened again at a position");
        self.inner.next = usize::try_from(next).expect("a small number");
        Ok(())
    }

    fn read(&mut self, max: usize, items: &mut Vec<SourceItem>) -> Result<ReadProgress, SourceError> {
        let progress = self.inner.read(max, items)?;
        if self.inner.next > 9 && !self.failed {
            self.failed = true;
            return Err(SourceError { retryable: true, ..SourceError::new("connection lost") });
        }
        Ok(progress)
    }

    fn position(&self) -> SourcePosition {
        self.inner.position()
    }

    fn identity(&self) -> SourceIdentity {
        self.inner.identity()
    }
}

#[test]
fn a_source_that_fails_for_a_moment_is_read_again_from_where_it_was() {
    let read = |attempts| {
        let pipeline = pipeline(&Setup { attempts, ..Setup::default() }, unchanged);
        let source =
            Flaky { inner: crate::support::Memory { rows: numbers(20), next: 0, chunk: 3 }, failed: false };
        let mut rows = Vec::new();
        let mut attempts = 0;
        let end = elspeth_engine::drive(
            &pipeline,
            Box::new(source),
            elspeth_engine::Start::default(),
            &Arc::default(),
            |work| {
                rows.extend(work.decided.rows.iter().map(|r| r.row_index.get()));
                attempts = work.decided.operations.iter().map(|o| o.attempts).fold(attempts, u32::max);
                true
            },
        );
        (rows, attempts, end.err())
    };
    assert_eq!(read(2), ((0..20).collect(), 2, None));
    let (rows, _, error) = read(1);
    assert_eq!(rows, (0..9).collect::<Vec<_>>(), "what was read before is delivered");
    assert!(matches!(error, Some(elspeth_engine::EngineError::Source(e)) if e.message == "connection lost"));
}

/// Panics at one look, of a thread that is not the one that made it.
#[derive(Debug)]
struct Broken {
    made_by: std::thread::ThreadId,
    panicked: AtomicBool,
}

impl Clock for Broken {
    fn now(&self) -> Micros {
        Micros(0)
    }

    fn monotonic_us(&self) -> u64 {
        let elsewhere = std::thread::current().id() != self.made_by;
        assert!(!elsewhere || self.panicked.swap(true, Ordering::SeqCst), "this clock is broken");
        0
    }
}

#[test]
fn a_worker_that_panics_ends_the_engine() {
    let (end, ended) = std::sync::mpsc::channel();
    // A worker that is waited for must fail the test, not hang it.
    std::thread::spawn(move || {
        let mut pipeline = pipeline(&Setup::default(), unchanged);
        let made_by = std::thread::current().id();
        pipeline.clock = Arc::new(Broken { made_by, panicked: AtomicBool::new(false) });
        end.send(run(&pipeline, numbers(100)).1.err())
    });
    let error = ended.recv_timeout(std::time::Duration::from_secs(20)).expect("it ends");
    assert_eq!(error, Some(EngineError::WorkerLost("this clock is broken".to_owned())));
}
