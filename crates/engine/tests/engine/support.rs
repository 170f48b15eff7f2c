//! A pipeline built by hand: rows from memory, transforms from closures, two sinks.

pub(crate) mod waiting;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use elspeth_canonical::HashVersion;
use elspeth_contracts::{Clock, Determinism, IdSource, Micros, Step};
use elspeth_engine::{
    EngineError, EngineOptions, EpochBounds, EpochWork, Finished, Pipeline, RowBound, Start, drive,
};
use elspeth_executors::{
    Dispatcher, Pause, Policies, RateLimits, RetryPolicy, StepPlugins, silence_plugin_panics,
};
use elspeth_expr::{Expr, Root};
use elspeth_graph::spec::{NodeDecl, NodeKind, PluginRef, Ref, RouteDecl};
use elspeth_graph::{ExecutionGraph, GraphSpec, SettingPath};
use elspeth_payload::FilesystemStore;
use elspeth_plugin::{
    OptionError, ReadProgress, Source, SourceError, SourceIdentity, SourceItem, SourcePosition, Transform,
    TransformContext, TransformOutput, TransformResult,
};
use elspeth_telemetry::Spans;
use elspeth_testkit::{ManualClock, SeededIds};
use elspeth_value::{Contract, Row, Value};

/// The service that nodes with work to do ask.
pub(crate) const SERVICE: &str = "service";

/// Rows from memory, at most `chunk` at a time.
pub(crate) struct Memory {
    pub(crate) rows: Vec<SourceItem>,
    pub(crate) next: usize,
    pub(crate) chunk: usize,
}

/// A transform from a function.
pub(crate) struct Function(pub(crate) fn(Row, &TransformContext<'_>) -> TransformResult);

/// No wait at all; the engine must not depend on real time.
pub(crate) struct NoPause;

impl Pause for NoPause {
    fn pause(&self, _duration: Duration) {}
}

/// Lets the clock go on instead of waiting.
pub(crate) struct Skip(pub(crate) Arc<ManualClock>);

impl Pause for Skip {
    fn pause(&self, duration: Duration) {
        // A limiter counts in nanoseconds: what it waits for must be over.
        self.0.advance(u64::try_from(duration.as_micros()).expect("tests wait for minutes") + 1);
    }
}

/// The policies of a pipeline whose service [`SERVICE`] is asked at most so often a minute.
pub(crate) fn limited(
    graph: &ExecutionGraph,
    (per_minute, retry): (u32, RetryPolicy),
    clock: &Arc<ManualClock>,
) -> Policies {
    let per_minute = std::num::NonZeroU32::new(per_minute);
    let limits =
        RateLimits::new(graph, |service| per_minute.filter(|_| service == SERVICE), Arc::clone(clock) as _);
    Policies { limits, retry, pause: Arc::new(Skip(Arc::clone(clock))) }
}

impl Source for Memory {
    fn contract(&self) -> Contract {
        Contract::observed()
    }

    fn open(&mut self, _version: HashVersion, _position: Option<&SourcePosition>) -> Result<(), SourceError> {
        Ok(())
    }

    fn read(&mut self, max: usize, items: &mut Vec<SourceItem>) -> Result<ReadProgress, SourceError> {
        let end = (self.next + max.min(self.chunk)).min(self.rows.len());
        items.extend_from_slice(&self.rows[self.next..end]);
        self.next = end;
        Ok(if end == self.rows.len() { ReadProgress::End } else { ReadProgress::More })
    }

    fn position(&self) -> SourcePosition {
        SourcePosition(serde_json::json!(self.next))
    }

    fn identity(&self) -> SourceIdentity {
        SourceIdentity {
            location: String::new(),
            size_bytes: None,
            read_bytes: self.next as u64,
            content_hash: None,
        }
    }
}

impl Transform for Function {
    fn output_contract(&self, _input: &Contract) -> Result<Contract, Vec<OptionError>> {
        Ok(Contract::observed())
    }

    fn process(&self, row: Row, context: &TransformContext<'_>) -> TransformResult {
        (self.0)(row, context)
    }
}

/// How to run a test pipeline.
pub(crate) struct Setup {
    pub(crate) workers: usize,
    pub(crate) epoch_rows: usize,
    pub(crate) attempts: u8,
    /// How often a minute the transform may be called.
    pub(crate) per_minute: Option<u32>,
}

impl Default for Setup {
    fn default() -> Self {
        Self { workers: 2, epoch_rows: 10, attempts: 1, per_minute: None }
    }
}

/// `source -> work -> even? -> even | odd`, errors to `failed`.
pub(crate) fn pipeline(setup: &Setup, work: fn(Row, &TransformContext<'_>) -> TransformResult) -> Pipeline {
    silence_plugin_panics();
    let graph = Arc::new(graph());
    let step = graph.named("work").expect("the graph has this node").step;
    let transforms: BTreeMap<Step, Arc<dyn Transform>> =
        BTreeMap::from([(step, Arc::new(Function(work)) as Arc<dyn Transform>)]);
    let retry = RetryPolicy {
        max_attempts: setup.attempts,
        initial_delay: Duration::from_secs(1),
        max_delay: Duration::from_secs(60),
        exponential_base: 2.0,
    };
    let manual = Arc::new(ManualClock::at(Micros(1_000_000)));
    let clock = Arc::clone(&manual) as Arc<dyn Clock>;
    let policies = match setup.per_minute {
        Some(per_minute) => limited(&graph, (per_minute, retry), &manual),
        None => Policies { retry, pause: Arc::new(NoPause), ..Policies::none(Arc::clone(&clock)) },
    };
    Pipeline {
        dispatcher: Dispatcher::new(&graph, &StepPlugins { transforms, ..StepPlugins::default() }, policies)
            .expect("the transform is given"),
        graph,
        clock,
        bodies: FilesystemStore::new("never-needed"),
        spans: Spans::OFF,
        deciding: Arc::default(),
        options: EngineOptions {
            run_id: SeededIds::new(1).next_run_id(),
            hash_version: HashVersion::default(),
            run_start_us: 0,
            max_workers: setup.workers,
            bounds: EpochBounds { rows: RowBound::Fixed(setup.epoch_rows), ..EpochBounds::default() },
        },
    }
}

/// Drives rows through a pipeline; every epoch, and how it ended.
pub(crate) fn run(
    pipeline: &Pipeline,
    rows: Vec<SourceItem>,
) -> (Vec<EpochWork>, Result<Finished, EngineError>) {
    let source = Memory { rows, next: 0, chunk: 3 };
    let mut epochs = Vec::new();
    let end = drive(pipeline, Box::new(source), Start::default(), &Arc::default(), |work| {
        epochs.push(work);
        true
    });
    (epochs, end)
}

/// Rows `{n: 0}`, `{n: 1}`, ...
pub(crate) fn numbers(count: i64) -> Vec<SourceItem> {
    (0..count).map(|n| SourceItem::Valid(Row::from_pairs([("n".into(), Value::Int(n))]))).collect()
}

/// Gives the row back as it came.
#[expect(clippy::unnecessary_wraps, reason = "the signature of a transform")]
pub(crate) fn unchanged(row: Row, _context: &TransformContext<'_>) -> TransformResult {
    Ok(TransformOutput::Unchanged(row))
}

fn graph() -> ExecutionGraph {
    let at = |path: &str| SettingPath::new(path);
    let name = |name: &str| Ref::new(name, at(name));
    let decl = |n: &str, plugin: &str, kind| NodeDecl {
        name: name(n),
        at: at(n),
        plugin: PluginRef {
            name: plugin.into(),
            version: "1.0.0".into(),
            determinism: Determinism::Deterministic,
        },
        config: "{}".into(),
        service: matches!(kind, NodeKind::Transform { .. }).then(|| SERVICE.to_owned()),
        kind,
    };
    let sink = |n: &str| {
        decl(n, "memory", NodeKind::Sink { on_write_failure: name("discard"), needs: Contract::observed() })
    };
    let source = NodeKind::Source {
        on_success: name("rows"),
        on_invalid: name("failed"),
        contract: Contract::observed(),
    };
    let work = NodeKind::Transform {
        input: name("rows"),
        on_success: name("worked"),
        on_error: name("failed"),
        needs: Contract::observed(),
        output: Box::new(|_| Ok(Contract::observed())),
        expands: false,
    };
    let gate = NodeKind::Gate {
        input: name("worked"),
        condition: Some(Expr::parse("row['n'] % 2 == 0", Root::Row).expect("this is an expression")),
        condition_at: at("condition"),
        routes: vec![
            RouteDecl { label: name("true"), target: name("even") },
            RouteDecl { label: name("false"), target: name("odd") },
        ],
        fork_to: Vec::new(),
        on_error: name("discard"),
    };
    let spec = GraphSpec {
        nodes: vec![
            decl("source", "memory", source),
            decl("work", "function", work),
            decl("parity", "gate", gate),
            sink("even"),
            sink("odd"),
            sink("failed"),
        ],
        ..GraphSpec::default()
    };
    ExecutionGraph::build(spec).expect("the graph is valid").0
}
