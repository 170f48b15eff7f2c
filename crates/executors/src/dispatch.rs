use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use elspeth_contracts::{Clock, ErrorReason, FailureKind, Step};
use elspeth_graph::{ExecutionGraph, Node, NodeSpec};
use elspeth_plugin::{BatchTransform, Transform};
use elspeth_value::Row;
use thiserror::Error;

use crate::{
    AggregationExecutor, AggregationSpec, CoalesceExecutor, FailedAttempt, GateExecutor, Pause, RateLimits,
    RetryPolicy, Scratch, StepExecutor, ThreadPause, TransformExecutor, Verdict, Visit, Visited,
};

/// Looks up the executor of a node and applies the node's policies around it.
pub struct Dispatcher {
    steps: Vec<Executor>,
    policies: Policies,
}

/// What stands around the executors, in this order: the rate limit takes a place for each attempt, then the attempt is
/// made, and retry decides whether there is another.
pub struct Policies {
    /// How often services may be asked.
    pub limits: RateLimits,
    /// How failures of the world are tried again.
    pub retry: RetryPolicy,
    /// How to wait.
    pub pause: Arc<dyn Pause>,
}

impl Policies {
    /// No limits, one attempt.
    #[must_use]
    pub fn none(clock: Arc<dyn Clock>) -> Self {
        Self { limits: RateLimits::none(clock), retry: RetryPolicy::NONE, pause: Arc::new(ThreadPause) }
    }
}

/// What works at a node.
enum Executor {
    /// On one row after the other.
    Step(Box<dyn StepExecutor>),
    /// On batches.
    Aggregation(AggregationExecutor),
    /// On the branches of a fork.
    Coalesce(CoalesceExecutor),
    /// Nothing here: sources are read and sinks are written epoch by epoch.
    Elsewhere,
}

/// Plugin instances by the steps at which they work.
#[derive(Default)]
pub struct StepPlugins {
    /// For transforms.
    pub transforms: BTreeMap<Step, Arc<dyn Transform>>,
    /// For aggregations.
    pub aggregations: BTreeMap<Step, Arc<dyn BatchTransform>>,
}

/// A transform or aggregation node of the graph came without its plugin instance: the caller's mistake.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("no plugin instance was given for `{0}`")]
pub struct MissingPlugin(pub String);

impl Dispatcher {
    /// Executors for every node of the graph.
    ///
    /// # Errors
    /// [`MissingPlugin`] when `plugins` lacks one.
    pub fn new(
        graph: &ExecutionGraph,
        plugins: &StepPlugins,
        policies: Policies,
    ) -> Result<Self, MissingPlugin> {
        let steps = graph.nodes().iter().map(|node| Executor::of(node, plugins)).collect::<Result<_, _>>()?;
        Ok(Self { steps, policies })
    }

    /// The executor of an aggregation.
    ///
    /// # Panics
    /// When the node is none: a bug of the walk.
    #[must_use]
    pub fn aggregation(&self, step: Step) -> &AggregationExecutor {
        match &self.steps[step.index()] {
            Executor::Aggregation(executor) => executor,
            Executor::Step(_) | Executor::Coalesce(_) | Executor::Elsewhere => {
                unreachable!("only aggregations take members")
            }
        }
    }

    /// The executor of a coalesce.
    ///
    /// # Panics
    /// When the node is none: a bug of the walk.
    #[must_use]
    pub fn coalesce(&self, step: Step) -> &CoalesceExecutor {
        match &self.steps[step.index()] {
            Executor::Coalesce(executor) => executor,
            Executor::Step(_) | Executor::Aggregation(_) | Executor::Elsewhere => {
                unreachable!("branches only meet at a coalesce")
            }
        }
    }

    /// How failures of the world are tried again.
    #[must_use]
    pub const fn retry(&self) -> RetryPolicy {
        self.policies.retry
    }

    /// What stands around the executors.
    #[must_use]
    pub const fn policies(&self) -> &Policies {
        &self.policies
    }

    /// How to wait between attempts.
    #[must_use]
    pub fn pause(&self) -> &dyn Pause {
        self.policies.pause.as_ref()
    }

    /// Takes a row through the node of `visit`, with as many attempts as the retry policy allows.
    ///
    /// # Panics
    /// When the node is a source or a sink, which no row visits one by one: a bug of the walk.
    pub fn visit(&self, row: Row, mut visit: Visit<'_>, scratch: &mut Scratch) -> Visited {
        let executor = match &self.steps[visit.step.index()] {
            Executor::Step(executor) => executor.as_ref(),
            Executor::Aggregation(_) | Executor::Coalesce(_) | Executor::Elsewhere => {
                unreachable!("only transforms and gates are visited row by row")
            }
        };
        let mut failed = Vec::new();
        let mut waits = None;
        let mut row = row;
        let mut waited = Duration::ZERO;
        loop {
            waited += self.policies.limits.wait(visit.step, self.pause());
            let started_us = visit.clock.monotonic_us();
            let verdict = executor.execute(row, &visit, scratch);
            let ended_us = visit.clock.monotonic_us();
            match verdict {
                Verdict::Failed { row: kept, reason } if reason.retryable => {
                    let waits = waits.get_or_insert_with(|| {
                        self.policies.retry.waits(visit.token.get() ^ u64::from(visit.step.get()) << 48)
                    });
                    match waits.next() {
                        Some(wait) => {
                            failed.push(FailedAttempt { reason, started_us, ended_us });
                            self.pause().pause(wait);
                            visit.attempt += 1;
                            row = kept;
                        }
                        None => {
                            let verdict =
                                Verdict::Failed { row: kept, reason: exhausted(reason, failed.len() + 1) };
                            return Visited { verdict, failed, started_us, ended_us, waited };
                        }
                    }
                }
                verdict => return Visited { verdict, failed, started_us, ended_us, waited },
            }
        }
    }
}

impl Executor {
    fn of(node: &Node, plugins: &StepPlugins) -> Result<Self, MissingPlugin> {
        let missing = || MissingPlugin(node.name.clone());
        Ok(match &node.spec {
            NodeSpec::Source { .. } | NodeSpec::Sink { .. } => Self::Elsewhere,
            NodeSpec::Transform { on_success, .. } => {
                let plugin = plugins.transforms.get(&node.step).ok_or_else(missing)?;
                let executor =
                    TransformExecutor::new(&node.name, &node.plugin, Arc::clone(plugin), *on_success);
                Self::Step(Box::new(executor))
            }
            NodeSpec::Gate { condition, routes, .. } => {
                Self::Step(Box::new(GateExecutor::new(condition.clone(), routes.clone())))
            }
            NodeSpec::Aggregation { trigger, output_mode, expected_output_count, .. } => {
                let plugin = plugins.aggregations.get(&node.step).ok_or_else(missing)?;
                let spec = AggregationSpec {
                    name: &node.name,
                    plugin: &node.plugin,
                    trigger: trigger.clone(),
                    mode: *output_mode,
                    expected: *expected_output_count,
                };
                Self::Aggregation(AggregationExecutor::new(spec, Arc::clone(plugin)))
            }
            NodeSpec::Coalesce { branches, policy, merge, .. } => {
                Self::Coalesce(CoalesceExecutor::new(branches.clone(), *policy, *merge))
            }
        })
    }
}

/// The reason after the last of several attempts.
pub(crate) fn exhausted(reason: ErrorReason, attempts: usize) -> ErrorReason {
    if attempts == 1 {
        return reason;
    }
    let message = format!("gave up after {attempts} attempts: {}", reason.message);
    reason.restated(FailureKind::RetriesExhausted, message)
}
