//! A pipeline without settings file and database: a transform of your own, driven by the engine.
//!
//! The program declares a graph, gives the engine an instance for its transform, and receives epochs: what an auditor
//! should know (`decided`), and which rows reached which sink.
//!
//! ```sh
//! cargo run -p elspeth-engine --example own_transform
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use elspeth_canonical::HashVersion;
use elspeth_contracts::{
    Clock, Determinism, ErrorReason, FailureKind, IdSource, RandomIds, Step, SystemClock,
};
use elspeth_engine::{EngineOptions, EpochBounds, EpochWork, Pipeline, Start, drive};
use elspeth_executors::{Dispatcher, Policies, StepPlugins};
use elspeth_graph::spec::{NodeDecl, NodeKind, PluginRef, Ref};
use elspeth_graph::{ExecutionGraph, GraphSpec, SettingPath};
use elspeth_payload::FilesystemStore;
use elspeth_plugin::{
    OptionError, ReadProgress, Source, SourceError, SourceIdentity, SourceItem, SourcePosition, Transform,
    TransformContext, TransformOutput, TransformResult,
};
use elspeth_telemetry::Spans;
use elspeth_value::{Contract, Row, Value};

/// Readings in degrees Fahrenheit.
struct Thermometer {
    readings: Vec<f64>,
    next: usize,
}

impl Source for Thermometer {
    fn contract(&self) -> Contract {
        Contract::observed()
    }

    fn open(&mut self, _version: HashVersion, _position: Option<&SourcePosition>) -> Result<(), SourceError> {
        Ok(())
    }

    fn read(&mut self, max: usize, items: &mut Vec<SourceItem>) -> Result<ReadProgress, SourceError> {
        for reading in self.readings.iter().skip(self.next).take(max) {
            items.push(SourceItem::Valid(Row::from_pairs([("fahrenheit".into(), Value::Float(*reading))])));
        }
        self.next = (self.next + max).min(self.readings.len());
        Ok(if self.next == self.readings.len() { ReadProgress::End } else { ReadProgress::More })
    }

    fn position(&self) -> SourcePosition {
        SourcePosition(serde_json::json!({ "next": self.next }))
    }

    fn identity(&self) -> SourceIdentity {
        SourceIdentity {
            location: "thermometer".to_owned(),
            size_bytes: None,
            read_bytes: (self.next * size_of::<f64>()) as u64,
            content_hash: None,
        }
    }
}

/// Adds the reading in degrees Celsius; refuses what no thermometer can show.
struct ToCelsius;

impl Transform for ToCelsius {
    fn output_contract(&self, _input: &Contract) -> Result<Contract, Vec<OptionError>> {
        Ok(Contract::observed())
    }

    fn process(&self, mut row: Row, _context: &TransformContext<'_>) -> TransformResult {
        let Some(Value::Float(fahrenheit)) = row.get("fahrenheit").cloned() else {
            return Err(ErrorReason::new(FailureKind::TypeMismatch, "no reading").on_field("fahrenheit"));
        };
        if fahrenheit < -459.67 {
            let message = format!("{fahrenheit} is below absolute zero");
            return Err(ErrorReason::new(FailureKind::TransformError, message).on_field("fahrenheit"));
        }
        row.set("celsius", Value::Float(((fahrenheit - 32.0) * 50.0 / 9.0).round() / 10.0));
        Ok(TransformOutput::One(row))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pipeline = pipeline()?;
    let source = Thermometer { readings: vec![68.0, 212.0, -500.0, 32.0], next: 0 };
    let finished = drive(&pipeline, Box::new(source), Start::default(), &Arc::default(), |epoch| {
        show(&pipeline, &epoch);
        true
    })?;
    println!("{} rows, source read to its end: {}", finished.rows, finished.exhausted);
    Ok(())
}

fn show(pipeline: &Pipeline, epoch: &EpochWork) {
    for work in &epoch.sinks {
        for arrival in &work.arrivals {
            println!("{}: {}", pipeline.graph.node(work.sink).name, arrival.row.to_json());
        }
    }
    for error in &epoch.decided.transform_errors {
        println!("refused: {}", error.reason.message);
    }
    println!(
        "epoch {}: {} rows, {} node states",
        epoch.decided.epoch.0,
        epoch.decided.rows.len(),
        epoch.decided.states.len()
    );
}

fn pipeline() -> Result<Pipeline, Box<dyn std::error::Error>> {
    let graph = ExecutionGraph::build(declaration()).map_err(|errors| format!("{errors:?}"))?.0;
    let step = graph.named("to_celsius").ok_or("the graph has this node")?.step;
    let transforms: BTreeMap<Step, Arc<dyn Transform>> =
        BTreeMap::from([(step, Arc::new(ToCelsius) as Arc<dyn Transform>)]);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    Ok(Pipeline {
        dispatcher: Dispatcher::new(
            &graph,
            &StepPlugins { transforms, ..StepPlugins::default() },
            Policies::none(Arc::clone(&clock)),
        )?,
        graph: Arc::new(graph),
        deciding: Arc::default(),
        options: EngineOptions {
            run_id: RandomIds.next_run_id(),
            hash_version: HashVersion::default(),
            run_start_us: clock.monotonic_us(),
            max_workers: 2,
            bounds: EpochBounds::default(),
        },
        clock,
        bodies: FilesystemStore::new("bodies"),
        spans: Spans::OFF,
    })
}

/// `source -> to_celsius -> readings`, refused readings to `impossible`.
fn declaration() -> GraphSpec {
    let to = |name: &str| Ref::new(name, SettingPath::default());
    let node = |name: &str, plugin: &str, kind| NodeDecl {
        name: to(name),
        at: SettingPath::default(),
        plugin: PluginRef {
            name: plugin.to_owned(),
            version: "1.0.0".to_owned(),
            determinism: Determinism::Deterministic,
        },
        config: "{}".to_owned(),
        service: None,
        kind,
    };
    let sink = || NodeKind::Sink { on_write_failure: to("discard"), needs: Contract::observed() };
    let source =
        NodeKind::Source { on_success: to("raw"), on_invalid: to("discard"), contract: Contract::observed() };
    let transform = NodeKind::Transform {
        input: to("raw"),
        on_success: to("readings"),
        on_error: to("impossible"),
        needs: Contract::observed(),
        output: Box::new(|_| Ok(Contract::observed())),
        expands: false,
    };
    GraphSpec {
        nodes: vec![
            node("source", "thermometer", source),
            node("to_celsius", "to_celsius", transform),
            node("readings", "program", sink()),
            node("impossible", "program", sink()),
        ],
        ..GraphSpec::default()
    }
}
