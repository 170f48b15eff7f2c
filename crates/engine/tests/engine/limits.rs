//! How long a rate limit keeps rows and batches waiting, as the record has it.

use elspeth_contracts::{ErrorReason, FailureKind, NodeStateRecord, Step};
use elspeth_engine::{EpochWork, Pipeline};
use elspeth_graph::OutputMode;
use elspeth_graph::spec::TriggerDecl;
use elspeth_plugin::{TransformContext, TransformOutput, TransformResult};
use elspeth_value::{Row, Value};

use crate::support::waiting::{Batched, limited};
use crate::support::{Setup, numbers, pipeline, run};

/// Fails once for the second row.
fn busy_once(row: Row, context: &TransformContext<'_>) -> TransformResult {
    if row.get("n") == Some(&Value::Int(1)) && context.attempt == 0 {
        return Err(ErrorReason::new(FailureKind::TransformError, "busy").retryable());
    }
    Ok(TransformOutput::Unchanged(row))
}

fn states_at(epochs: &[EpochWork], step: Step) -> Vec<&NodeStateRecord> {
    epochs.iter().flat_map(|epoch| &epoch.decided.states).filter(|state| state.step == step).collect()
}

fn named(pipeline: &Pipeline, node: &str) -> Step {
    pipeline.graph.named(node).expect("the graph has this node").step
}

/// Whole seconds, rounded.
fn seconds(states: &[&NodeStateRecord]) -> Vec<i64> {
    states.iter().map(|state| (state.waited_us + 500_000) / 1_000_000).collect()
}

#[test]
fn a_row_that_a_rate_limit_kept_waiting_says_how_long_in_its_last_attempt() {
    // Two calls are free, then a place comes every half minute. The retry's own wait of up to a second is none of it.
    let setup = Setup { workers: 1, attempts: 2, per_minute: Some(2), ..Setup::default() };
    let pipeline = pipeline(&setup, busy_once);
    let (epochs, end) = run(&pipeline, numbers(4));
    end.unwrap();
    let states = states_at(&epochs, named(&pipeline, "work"));
    let attempts: Vec<_> = states.iter().map(|state| state.attempt).collect();
    assert_eq!(attempts, [0, 0, 1, 0, 0]);
    let waited = seconds(&states);
    assert_eq!((waited[0], waited[1]), (0, 0), "{waited:?}");
    assert!((29..=30).contains(&waited[2]), "{waited:?}");
    assert_eq!((waited[3], waited[4]), (30, 30), "{waited:?}");
    assert!(states.iter().all(|state| state.duration_us == 0), "waiting is no part of the work");
    let parity = states_at(&epochs, named(&pipeline, "parity"));
    assert!(parity.iter().all(|state| state.waited_us == 0), "the gate asks no service");
}

#[test]
fn members_of_a_batch_say_how_long_its_flush_was_kept_waiting() {
    for mode in [OutputMode::Transform, OutputMode::Passthrough] {
        let trigger = TriggerDecl { count: Some(2), timeout: None, condition: None };
        let work = |members: &mut dyn Iterator<Item = Row>,
                    _: &elspeth_plugin::BatchContext<'_>,
                    out: &mut dyn elspeth_plugin::BatchOutput| {
            members.for_each(|row| out.emit(row));
            Ok(())
        };
        let pipeline = limited(Batched { work, trigger, mode }, 1).pipeline;
        let (epochs, end) = run(&pipeline, numbers(6));
        end.unwrap();
        let states = states_at(&epochs, named(&pipeline, "batch"));
        assert_eq!(seconds(&states), [0, 0, 60, 60, 60, 60], "{mode:?}");
    }
}
