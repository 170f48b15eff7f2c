//! Nodes that wait across rows: their timers, their plugins' lies, and what they keep for a later start.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use elspeth_contracts::{
    BatchStatus, ErrorReason, FailureKind, Micros, NodeStateStatus, Outcome, RowIndex, TokenKey, TriggerType,
};
use elspeth_engine::{EngineError, EpochWork, Start, drive};
use elspeth_expr::{Expr, Root};
use elspeth_graph::OutputMode;
use elspeth_graph::spec::TriggerDecl;
use elspeth_payload::{FilesystemStore, LARGE_BODY};
use elspeth_plugin::{
    BatchContext, BatchOutput, ReadProgress, Source, SourceError, SourceIdentity, SourceItem, SourcePosition,
};
use elspeth_testkit::ManualClock;
use elspeth_value::{Contract, Row, Value};

use crate::support::waiting::{Batched, batched, forked};
use crate::support::{Memory, numbers};

/// Gives its rows at once, then nothing until it is let go.
struct Slow {
    rows: Memory,
    gate: Receiver<()>,
}

impl Source for Slow {
    fn contract(&self) -> Contract {
        self.rows.contract()
    }

    fn open(
        &mut self,
        version: elspeth_canonical::HashVersion,
        position: Option<&SourcePosition>,
    ) -> Result<(), SourceError> {
        self.rows.open(version, position)
    }

    fn read(&mut self, max: usize, items: &mut Vec<SourceItem>) -> Result<ReadProgress, SourceError> {
        if self.rows.next == self.rows.rows.len() {
            // A timer that does not fire must fail the test, not hang it.
            let let_go = self.gate.recv_timeout(Duration::from_secs(20));
            return let_go.map(|()| ReadProgress::End).map_err(|_| SourceError::new("no timer fired"));
        }
        self.rows.read(max, items).map(|_| ReadProgress::More)
    }

    fn position(&self) -> SourcePosition {
        self.rows.position()
    }

    fn identity(&self) -> SourceIdentity {
        self.rows.identity()
    }
}

/// Drives rows through a pipeline whose source then waits. Once every row was decided the clock goes on by `wait`, and the
/// source ends when an epoch without rows has come of that.
fn run_waiting(
    pipeline: &crate::support::waiting::Waiting,
    rows: Vec<SourceItem>,
    wait: Duration,
) -> Vec<EpochWork> {
    let (open, gate) = channel();
    let expected = rows.len();
    let source = Slow { rows: Memory { rows, next: 0, chunk: 3 }, gate };
    let mut epochs: Vec<EpochWork> = Vec::new();
    let mut seen = 0;
    drive(&pipeline.pipeline, Box::new(source), Start::default(), &Arc::default(), |work| {
        seen += work.decided.rows.len();
        if work.decided.rows.is_empty() {
            let _ = open.send(());
        } else if seen == expected {
            pipeline.clock.advance(u64::try_from(wait.as_micros()).expect("tests wait for seconds"));
        }
        epochs.push(work);
        true
    })
    .expect("the source does not fail");
    epochs
}

pub(crate) fn sum(
    members: &mut dyn Iterator<Item = Row>,
    _context: &BatchContext<'_>,
    out: &mut dyn BatchOutput,
) -> Result<(), ErrorReason> {
    let mut total = 0;
    for row in members {
        if let Some(Value::Int(n)) = row.get("n") {
            total += n;
        }
    }
    out.emit(Row::from_pairs([("sum".into(), Value::Int(total))]));
    Ok(())
}

fn unchanged(
    members: &mut dyn Iterator<Item = Row>,
    _context: &BatchContext<'_>,
    out: &mut dyn BatchOutput,
) -> Result<(), ErrorReason> {
    members.for_each(|row| out.emit(row));
    Ok(())
}

pub(crate) fn trigger(count: Option<u64>, timeout: Option<u64>) -> TriggerDecl {
    TriggerDecl { count, timeout: timeout.map(Duration::from_secs), condition: None }
}

/// What arrived at a sink, by the field of that name.
pub(crate) fn arrived(
    epochs: &[EpochWork],
    pipeline: &crate::support::waiting::Waiting,
    sink: &str,
    field: &str,
) -> Vec<i64> {
    let step = pipeline.pipeline.graph.named(sink).expect("the graph has this sink").step;
    let work = epochs.iter().flat_map(|epoch| &epoch.sinks).filter(|work| work.sink == step);
    work.flat_map(|work| &work.arrivals)
        .map(|arrival| match arrival.row.get(field) {
            Some(Value::Int(n)) => *n,
            other => panic!("{field} is {other:?}"),
        })
        .collect()
}

#[test]
fn a_batch_is_flushed_by_its_timer_while_no_row_arrives() {
    let pipeline =
        batched(Batched { work: sum, trigger: trigger(None, Some(5)), mode: OutputMode::Transform });
    let epochs = run_waiting(&pipeline, numbers(4), Duration::from_secs(5));
    assert_eq!(arrived(&epochs, &pipeline, "out", "sum"), [6]);
    let timed = epochs.iter().find(|epoch| epoch.decided.rows.is_empty()).unwrap();
    assert_eq!(timed.decided.batches[0].trigger, Some(TriggerType::Timeout));
    let release = &timed.decided.releases[0];
    assert!(release.after && release.row == RowIndex::new(3).unwrap(), "it came after the last row");
    assert!(timed.decided.operations.is_empty(), "nothing was read for it");
}

#[test]
fn a_batch_is_flushed_by_a_condition_on_its_age_while_no_row_arrives() {
    let older = Expr::parse("row['batch_age_seconds'] > 0.3", Root::Row).unwrap();
    let trigger = TriggerDecl { condition: Some(older), ..trigger(None, None) };
    let mut waiting = batched(Batched { work: sum, trigger, mode: OutputMode::Transform });
    // Every look at the clock lets it go on, so that the condition is looked at before it is met, too.
    waiting.pipeline.clock = Arc::new(ManualClock::ticking(Micros(0), 20_000));
    let epochs = run_waiting(&waiting, numbers(4), Duration::ZERO);
    assert_eq!(arrived(&epochs, &waiting, "out", "sum"), [6]);
    let timed = epochs.iter().find(|epoch| epoch.decided.rows.is_empty()).unwrap();
    assert_eq!(timed.decided.batches[0].trigger, Some(TriggerType::Condition));
}

#[test]
fn a_timer_that_has_not_run_out_leaves_the_batch_to_the_end_of_the_source() {
    let pipeline =
        batched(Batched { work: sum, trigger: trigger(None, Some(5)), mode: OutputMode::Transform });
    let (epochs, end) = crate::support::run(&pipeline.pipeline, numbers(4));
    end.unwrap();
    assert_eq!(arrived(&epochs, &pipeline, "out", "sum"), [6]);
    assert_eq!(epochs.last().unwrap().decided.batches[0].trigger, Some(TriggerType::EndOfSource));
}

#[test]
fn a_failure_ends_the_engine_while_the_source_is_silent() {
    let mut waiting =
        batched(Batched { work: sum, trigger: trigger(None, Some(5)), mode: OutputMode::Transform });
    waiting.pipeline.bodies = FilesystemStore::new("/dev/null/no-folder");
    let (open, gate) = channel();
    let large = Row::from_pairs([("text".into(), Value::Str("x".repeat(LARGE_BODY + 1).into()))]);
    let source = Slow { rows: Memory { rows: vec![SourceItem::Valid(large)], next: 0, chunk: 3 }, gate };
    let end = drive(&waiting.pipeline, Box::new(source), Start::default(), &Arc::default(), |_| true);
    assert!(matches!(end.err(), Some(EngineError::Bodies(_))));
    open.send(()).expect("the source is still being read");
}

#[test]
fn a_merge_is_decided_by_its_timer_and_what_comes_later_is_late() {
    let pipeline = forked(Duration::from_secs(2));
    let epochs = run_waiting(&pipeline, numbers(1), Duration::from_secs(2));
    assert_eq!(arrived(&epochs, &pipeline, "out", "n"), [0]);
    let timed = epochs.iter().position(|epoch| epoch.decided.rows.is_empty()).unwrap();
    assert_eq!(arrived(&epochs[..=timed], &pipeline, "out", "n"), [0], "the merge did not wait for the end");
    let merged = &epochs[timed].decided;
    assert_eq!(merged.token_parents.len(), 1);
    assert!(merged.contexts[0].context.contains(r#""arrived":["quick"]"#), "{}", merged.contexts[0].context);
    let errors: Vec<_> = epochs.iter().flat_map(|epoch| &epoch.decided.transform_errors).collect();
    let kinds: Vec<_> = errors.iter().map(|error| error.reason.kind).collect();
    assert_eq!(kinds, [FailureKind::LateArrivalAfterMerge]);
    let outcomes: Vec<_> =
        epochs.iter().flat_map(|epoch| epoch.settled.iter()).map(|(_, record)| record.outcome).collect();
    assert_eq!(outcomes, [Outcome::Forked, Outcome::Coalesced, Outcome::Failed]);
}

#[test]
fn what_stays_open_is_kept_with_the_epoch_and_gone_at_the_end() {
    let pipeline =
        batched(Batched { work: sum, trigger: trigger(Some(4), None), mode: OutputMode::Transform });
    let (epochs, end) = crate::support::run(&pipeline.pipeline, numbers(6));
    end.unwrap();
    let kept: serde_json::Value = serde_json::from_str(&epochs[0].decided.buffers).unwrap();
    let node = &kept["nodes"][0];
    assert_eq!((node["batch"]["members"].as_u64(), node["batch"]["number"].as_u64()), (Some(2), Some(1)));
    assert_eq!(epochs.last().unwrap().decided.buffers, "");
    let members: Vec<_> = epochs[0].decided.batch_members.iter().map(|m| (m.batch_no, m.ordinal)).collect();
    assert_eq!(members, [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1)]);
}

/// Every way in which a plugin can break its word.
fn liar(
    members: &mut dyn Iterator<Item = Row>,
    context: &BatchContext<'_>,
    out: &mut dyn BatchOutput,
) -> Result<(), ErrorReason> {
    let reason = || ErrorReason::new(FailureKind::TransformError, "not this one");
    let rows: Vec<_> = members.collect();
    match context.batch_no {
        0 => out.emit(Row::from_pairs([])),
        1 => out.quarantine(17, reason()),
        2 => {
            out.quarantine(0, reason());
            out.quarantine(0, reason());
        }
        3 => panic!("lost my way"),
        4 => rows.iter().for_each(|_| out.emit(Row::from_pairs([("n".into(), Value::Float(f64::NAN))]))),
        _ => rows.into_iter().for_each(|row| out.emit(row)),
    }
    Ok(())
}

#[test]
fn a_lying_or_panicking_batch_plugin_fails_only_its_own_batch() {
    let pipeline =
        batched(Batched { work: liar, trigger: trigger(Some(2), None), mode: OutputMode::Passthrough });
    let (epochs, end) = crate::support::run(&pipeline.pipeline, numbers(12));
    end.unwrap();
    assert_eq!(arrived(&epochs, &pipeline, "failed", "n"), (0..10).collect::<Vec<_>>());
    assert_eq!(arrived(&epochs, &pipeline, "out", "n"), [10, 11]);
    let batches: Vec<_> = epochs.iter().flat_map(|epoch| &epoch.decided.batches).collect();
    let statuses: Vec<_> = batches.iter().map(|batch| batch.status).collect();
    use BatchStatus::{Completed, Failed};
    assert_eq!(statuses, [Failed, Failed, Failed, Failed, Failed, Completed]);
    let errors: Vec<_> = epochs.iter().flat_map(|epoch| &epoch.decided.transform_errors).collect();
    let kinds: Vec<_> = errors.iter().step_by(2).map(|error| error.reason.kind).collect();
    use FailureKind::{PluginContract, PluginPanic, Unhashable};
    assert_eq!(kinds, [PluginContract, PluginContract, PluginContract, PluginPanic, Unhashable]);
}

/// Takes the odd members out.
fn picky(
    members: &mut dyn Iterator<Item = Row>,
    _context: &BatchContext<'_>,
    out: &mut dyn BatchOutput,
) -> Result<(), ErrorReason> {
    for (position, row) in (0..).zip(members) {
        match row.get("n") {
            Some(Value::Int(n)) if n % 2 == 1 => {
                out.quarantine(position, ErrorReason::new(FailureKind::TransformError, "odd"));
            }
            _ => out.emit(row),
        }
    }
    Ok(())
}

#[test]
fn members_that_a_plugin_takes_out_fail_alone() {
    for mode in [OutputMode::Transform, OutputMode::Passthrough] {
        let pipeline = batched(Batched { work: picky, trigger: trigger(Some(4), None), mode });
        let (epochs, end) = crate::support::run(&pipeline.pipeline, numbers(4));
        end.unwrap();
        assert_eq!(arrived(&epochs, &pipeline, "out", "n"), [0, 2]);
        assert_eq!(arrived(&epochs, &pipeline, "failed", "n"), [1, 3]);
        let states: Vec<_> =
            epochs.iter().flat_map(|epoch| &epoch.decided.states).map(|s| s.status).collect();
        use NodeStateStatus::{Completed, Failed};
        assert_eq!(states, [Completed, Failed, Completed, Failed]);
    }
}

/// Fails twice for a reason that passes.
fn busy(
    members: &mut dyn Iterator<Item = Row>,
    context: &BatchContext<'_>,
    out: &mut dyn BatchOutput,
) -> Result<(), ErrorReason> {
    if context.attempt < 2 {
        members.next();
        return Err(ErrorReason::new(FailureKind::TransformError, "busy").retryable());
    }
    unchanged(members, context, out)
}

#[test]
fn a_retried_batch_sees_all_its_members_again_and_records_each_attempt() {
    let pipeline =
        batched(Batched { work: busy, trigger: trigger(Some(3), None), mode: OutputMode::Passthrough });
    let (epochs, end) = crate::support::run(&pipeline.pipeline, numbers(3));
    end.unwrap();
    assert_eq!(arrived(&epochs, &pipeline, "out", "n"), [0, 1, 2]);
    let attempts: Vec<_> = epochs[0].decided.batches.iter().map(|b| (b.attempt, b.status)).collect();
    use BatchStatus::{Completed, Failed};
    assert_eq!(attempts, [(0, Failed), (1, Failed), (2, Completed)]);
    let token = TokenKey::of_row(RowIndex::new(0).unwrap(), 0).unwrap();
    let state = epochs[0].decided.states.iter().find(|state| state.token == token).unwrap();
    assert_eq!(state.attempt, 2);
}
