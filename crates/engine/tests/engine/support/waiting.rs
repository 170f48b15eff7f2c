//! Pipelines with nodes that wait across rows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use elspeth_canonical::HashVersion;
use elspeth_contracts::{Clock, Determinism, ErrorReason, IdSource, Micros};
use elspeth_engine::{EngineOptions, EpochBounds, Pipeline, RowBound};
use elspeth_executors::{Dispatcher, Policies, RetryPolicy, StepPlugins, silence_plugin_panics};
use elspeth_expr::{Expr, Root};
use elspeth_graph::spec::{
    BranchDecl, FORK, MergeDecl, NodeDecl, NodeKind, PluginRef, PolicyDecl, Ref, RouteDecl, TriggerDecl,
};
use elspeth_graph::{ExecutionGraph, GraphSpec, OutputMode, SettingPath};
use elspeth_payload::FilesystemStore;
use elspeth_plugin::{BatchContext, BatchOutput, BatchTransform, OptionError};
use elspeth_telemetry::Spans;
use elspeth_testkit::{ManualClock, SeededIds};
use elspeth_value::{Contract, Row};

use super::{NoPause, SERVICE};

type Work =
    fn(&mut dyn Iterator<Item = Row>, &BatchContext<'_>, &mut dyn BatchOutput) -> Result<(), ErrorReason>;

/// A batch transform from a function.
struct Function(Work);

impl BatchTransform for Function {
    fn output_contract(&self, _input: &Contract) -> Result<Contract, Vec<OptionError>> {
        Ok(Contract::observed())
    }

    fn process(
        &self,
        members: &mut dyn Iterator<Item = Row>,
        context: &BatchContext<'_>,
        out: &mut dyn BatchOutput,
    ) -> Result<(), ErrorReason> {
        (self.0)(members, context, out)
    }
}

/// A pipeline and the clock it lives by.
pub(crate) struct Waiting {
    pub(crate) pipeline: Pipeline,
    pub(crate) clock: Arc<ManualClock>,
}

/// The aggregation of a pipeline.
pub(crate) struct Batched {
    pub(crate) work: Work,
    pub(crate) trigger: TriggerDecl,
    pub(crate) mode: OutputMode,
}

/// `source -> batch -> out`, failures to `failed`.
pub(crate) fn batched(batched: Batched) -> Waiting {
    let (nodes, work) = batched.pipeline();
    waiting(nodes, work, None)
}

/// The same, when the batch may be flushed so often a minute.
pub(crate) fn limited(batched: Batched, per_minute: u32) -> Waiting {
    let (nodes, work) = batched.pipeline();
    waiting(nodes, work, Some(per_minute))
}

impl Batched {
    fn pipeline(self) -> (Vec<NodeDecl>, Work) {
        let Self { work, trigger, mode } = self;
        let batch = aggregation("rows", "out", (trigger, mode));
        (vec![decl("source", source()), decl("batch", batch), sink("out"), sink("failed")], work)
    }
}

/// `source -> fork -> quick | held`, where `held` waits in an aggregation for the end of the source, and both meet at a
/// `best_effort` coalesce.
pub(crate) fn forked(timeout: Duration) -> Waiting {
    let gate = NodeKind::Gate {
        input: name("rows"),
        condition: Some(Expr::parse("True", Root::Row).expect("this is an expression")),
        condition_at: at("condition"),
        routes: ["true", "false"].map(|label| RouteDecl { label: name(label), target: name(FORK) }).into(),
        fork_to: vec![name("quick"), name("held")],
        on_error: name("discard"),
    };
    let end = TriggerDecl { count: None, timeout: None, condition: None };
    let hold = aggregation("held", "held_done", (end, OutputMode::Passthrough));
    let branch = |branch: &str, input: &str| BranchDecl { name: name(branch), input: name(input) };
    let join = NodeKind::Coalesce {
        branches: vec![branch("quick", "quick"), branch("held", "held_done")],
        on_success: name("out"),
        policy: PolicyDecl::BestEffort,
        merge: MergeDecl::Union,
        timeout: Some(timeout),
    };
    let nodes = vec![
        decl("source", source()),
        decl("split", gate),
        decl("batch", hold),
        decl("join", join),
        sink("out"),
        sink("failed"),
    ];
    let work: Work = |members, _, out| {
        members.for_each(|row| out.emit(row));
        Ok(())
    };
    waiting(nodes, work, None)
}

fn waiting(nodes: Vec<NodeDecl>, work: Work, per_minute: Option<u32>) -> Waiting {
    silence_plugin_panics();
    let spec = GraphSpec { nodes, ..GraphSpec::default() };
    let graph = Arc::new(ExecutionGraph::build(spec).expect("the graph is valid").0);
    let step = graph.named("batch").expect("the graph has this node").step;
    let plugin: Arc<dyn BatchTransform> = Arc::new(Function(work));
    let plugins = StepPlugins { aggregations: BTreeMap::from([(step, plugin)]), ..StepPlugins::default() };
    let manual = Arc::new(ManualClock::at(Micros(1_000_000)));
    let clock = Arc::clone(&manual) as Arc<dyn Clock>;
    let retry = RetryPolicy { max_attempts: 3, ..RetryPolicy::NONE };
    let policies = match per_minute {
        Some(per_minute) => super::limited(&graph, (per_minute, retry), &manual),
        None => Policies { retry, pause: Arc::new(NoPause), ..Policies::none(Arc::clone(&clock)) },
    };
    let pipeline = Pipeline {
        deciding: Arc::default(),
        dispatcher: Dispatcher::new(&graph, &plugins, policies).expect("the plugin is given"),
        graph,
        clock,
        bodies: FilesystemStore::new("never-needed"),
        spans: Spans::OFF,
        options: EngineOptions {
            run_id: SeededIds::new(1).next_run_id(),
            hash_version: HashVersion::default(),
            run_start_us: 0,
            // Two that wait for a place at once would both move the one clock on.
            max_workers: if per_minute.is_some() { 1 } else { 2 },
            bounds: EpochBounds {
                rows: RowBound::Fixed(10),
                wait: Duration::from_millis(1),
                ..EpochBounds::default()
            },
        },
    };
    Waiting { pipeline, clock: manual }
}

fn at(path: &str) -> SettingPath {
    SettingPath::new(path)
}

fn name(name: &str) -> Ref {
    Ref::new(name, at(name))
}

fn decl(node: &str, kind: NodeKind) -> NodeDecl {
    NodeDecl {
        name: name(node),
        at: at(node),
        plugin: PluginRef {
            name: "test".into(),
            version: "1.0.0".into(),
            determinism: Determinism::Deterministic,
        },
        config: "{}".into(),
        service: matches!(kind, NodeKind::Aggregation { .. }).then(|| SERVICE.to_owned()),
        kind,
    }
}

fn source() -> NodeKind {
    NodeKind::Source { on_success: name("rows"), on_invalid: name("discard"), contract: Contract::observed() }
}

fn sink(node: &str) -> NodeDecl {
    decl(node, NodeKind::Sink { on_write_failure: name("discard"), needs: Contract::observed() })
}

fn aggregation(input: &str, to: &str, (trigger, output_mode): (TriggerDecl, OutputMode)) -> NodeKind {
    NodeKind::Aggregation {
        input: name(input),
        on_success: name(to),
        on_error: name("failed"),
        needs: Contract::observed(),
        output: Box::new(|_| Ok(Contract::observed())),
        trigger,
        output_mode,
        expected_output_count: None,
    }
}
