use std::collections::BTreeMap;
use std::sync::Arc;

use elspeth_contracts::{ErrorReason, FailureKind, Step};
use elspeth_graph::{ExecutionGraph, NodeSpec};
use elspeth_plugin::Transform;
use elspeth_value::Row;
use thiserror::Error;

use crate::{
    FailedAttempt, GateExecutor, Pause, RetryPolicy, Scratch, StepExecutor, TransformExecutor, Verdict,
    Visit, Visited,
};

/// Looks up the executor of a node and applies the node's policies around it.
pub struct Dispatcher {
    steps: Vec<Option<Box<dyn StepExecutor>>>,
    retry: RetryPolicy,
    pause: Arc<dyn Pause>,
}

/// A transform node of the graph came without its plugin instance: the caller's mistake.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("no plugin instance was given for the transform `{0}`")]
pub struct MissingPlugin(pub String);

impl Dispatcher {
    /// Executors for every node that single rows visit.
    ///
    /// # Errors
    /// [`MissingPlugin`] when `transforms` lacks one.
    pub fn new(
        graph: &ExecutionGraph,
        transforms: &BTreeMap<Step, Arc<dyn Transform>>,
        retry: RetryPolicy,
        pause: Arc<dyn Pause>,
    ) -> Result<Self, MissingPlugin> {
        let mut steps = Vec::with_capacity(graph.nodes().len());
        for node in graph.nodes() {
            steps.push(match &node.spec {
                NodeSpec::Source { .. }
                | NodeSpec::Aggregation { .. }
                | NodeSpec::Coalesce { .. }
                | NodeSpec::Sink { .. } => None,
                NodeSpec::Transform { on_success, .. } => {
                    let plugin =
                        transforms.get(&node.step).ok_or_else(|| MissingPlugin(node.name.clone()))?;
                    let executor =
                        TransformExecutor::new(&node.name, &node.plugin, Arc::clone(plugin), *on_success);
                    Some(Box::new(executor) as Box<dyn StepExecutor>)
                }
                NodeSpec::Gate { condition, routes, .. } => {
                    Some(Box::new(GateExecutor::new(condition.clone(), routes.clone()))
                        as Box<dyn StepExecutor>)
                }
            });
        }
        Ok(Self { steps, retry, pause })
    }

    /// How failures of the world are tried again.
    #[must_use]
    pub const fn retry(&self) -> RetryPolicy {
        self.retry
    }

    /// How to wait between attempts.
    #[must_use]
    pub fn pause(&self) -> &dyn Pause {
        self.pause.as_ref()
    }

    /// Takes a row through the node of `visit`, with as many attempts as the retry policy allows.
    ///
    /// # Panics
    /// When the node is a source or a sink, which no row visits one by one: a bug of the walk.
    pub fn visit(&self, row: Row, mut visit: Visit<'_>, scratch: &mut Scratch) -> Visited {
        let executor = self.steps[visit.step.index()]
            .as_deref()
            .expect("only transforms and gates are visited row by row");
        let mut failed = Vec::new();
        let mut waits = None;
        let mut row = row;
        loop {
            let started_us = visit.clock.monotonic_us();
            let verdict = executor.execute(row, &visit, scratch);
            let ended_us = visit.clock.monotonic_us();
            match verdict {
                Verdict::Failed { row: kept, reason } if reason.retryable => {
                    let waits = waits.get_or_insert_with(|| {
                        self.retry.waits(visit.token.get() ^ u64::from(visit.step.get()) << 48)
                    });
                    match waits.next() {
                        Some(wait) => {
                            failed.push(FailedAttempt { reason, started_us, ended_us });
                            self.pause.pause(wait);
                            visit.attempt += 1;
                            row = kept;
                        }
                        None => {
                            let verdict =
                                Verdict::Failed { row: kept, reason: exhausted(reason, failed.len() + 1) };
                            return Visited { verdict, failed, started_us, ended_us };
                        }
                    }
                }
                verdict => return Visited { verdict, failed, started_us, ended_us },
            }
        }
    }
}

fn exhausted(reason: ErrorReason, attempts: usize) -> ErrorReason {
    if attempts == 1 {
        return reason;
    }
    let message = format!("gave up after {attempts} attempts: {}", reason.message);
    ErrorReason { kind: FailureKind::RetriesExhausted, message, ..reason }
}
