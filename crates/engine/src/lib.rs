//! Tokens, epochs and the walk of a row through the graph.
//!
//! [`drive`] reads a source on one thread, cuts it into epochs ([`EpochBounds`]), lets `max_workers` workers walk the rows
//! of an epoch through the graph, puts the results back into canonical order, and hands each finished [`EpochWork`] to
//! its caller: what is to be recorded ([`elspeth_landscape::DecidedEpoch`]) and what the sinks are to write.
//!
//! A token goes from node to node on one worker, with everything that forks, expands or merges from it. Aggregations, and
//! coalesces of which a branch can wait in one, need more than one row: they are worked on between the walks, in the
//! order of the rows that brought them what they have, and what they let go is walked in turn.
//!
//! Invariant: whatever the number of workers, their speed, and wherever epochs end, the same rows give the same content in
//! the same order: that of a run in which each row went through the whole graph before the next.
//!
//! This crate does not know how an epoch becomes durable, nor when sinks may act: the orchestrator does.
//!
//! A gate between a file and two sinks, whose rows the caller takes itself (a transform of one's own is in the example
//! `own_transform`):
//!
//! ```
//! use std::sync::Arc;
//!
//! use elspeth_canonical::HashVersion;
//! use elspeth_contracts::{Clock, Determinism, IdSource, RandomIds, SystemClock};
//! use elspeth_engine::{EngineOptions, EpochBounds, Pipeline, Start, drive};
//! use elspeth_executors::{Dispatcher, Policies, StepPlugins};
//! use elspeth_expr::{Expr, Root};
//! use elspeth_graph::spec::{NodeDecl, NodeKind, PluginRef, Ref, RouteDecl};
//! use elspeth_graph::{ExecutionGraph, GraphSpec, SettingPath};
//! use elspeth_payload::FilesystemStore;
//! use elspeth_telemetry::Spans;
//! use elspeth_value::Contract;
//!
//! let here = SettingPath::default;
//! let to = |name: &str| Ref::new(name, here());
//! let node = |name: &str, kind| NodeDecl {
//!     name: to(name),
//!     at: here(),
//!     plugin: PluginRef {
//!         name: "own".to_owned(),
//!         version: "1.0.0".to_owned(),
//!         determinism: Determinism::Deterministic,
//!     },
//!     config: "{}".to_owned(),
//!     service: None,
//!     kind,
//! };
//! let sink = || NodeKind::Sink { on_write_failure: to("discard"), needs: Contract::observed() };
//! let route = |label: &str| RouteDecl { label: to(label), target: to(label) };
//! let source =
//!     NodeKind::Source { on_success: to("claims"), on_invalid: to("discard"), contract: Contract::observed() };
//! let gate = NodeKind::Gate {
//!     input: to("claims"),
//!     condition: Some(Expr::parse("'review' if float(row['amount']) > 500 else 'paid'", Root::Row).unwrap()),
//!     condition_at: here(),
//!     routes: vec![route("review"), route("paid")],
//!     fork_to: Vec::new(),
//!     on_error: to("discard"),
//! };
//! let nodes = vec![node("source", source), node("large", gate), node("review", sink()), node("paid", sink())];
//! let graph = ExecutionGraph::build(GraphSpec { nodes, ..GraphSpec::default() }).unwrap().0;
//!
//! let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
//! let policies = Policies::none(Arc::clone(&clock));
//! let pipeline = Pipeline {
//!     dispatcher: Dispatcher::new(&graph, &StepPlugins::default(), policies).unwrap(),
//!     graph: Arc::new(graph),
//!     deciding: Arc::default(),
//!     options: EngineOptions {
//!         run_id: RandomIds.next_run_id(),
//!         hash_version: HashVersion::default(),
//!         run_start_us: clock.monotonic_us(),
//!         max_workers: 2,
//!         bounds: EpochBounds::default(),
//!     },
//!     clock,
//!     bodies: FilesystemStore::new("bodies"),
//!     spans: Spans::OFF,
//! };
//!
//! let scratch = elspeth_testkit::Scratch::new();
//! let path = scratch.write("claims.csv", "id,amount\n1,80\n2,900\n3,500\n");
//! let options = serde_json::json!({"path": path, "schema": {"mode": "observed"}});
//! let mut source = elspeth_plugins::builtin().source("csv").unwrap()(&options).unwrap();
//! source.open(HashVersion::default(), None).unwrap();
//!
//! let mut arrived = Vec::new();
//! let finished = drive(&pipeline, source, Start::default(), &Arc::default(), |epoch| {
//!     // `epoch.decided` is what is to be recorded before anybody acts on it.
//!     for work in &epoch.sinks {
//!         let name = &pipeline.graph.node(work.sink).name;
//!         arrived.extend(work.arrivals.iter().map(|arrival| format!("{name}: {}", arrival.row.to_json())));
//!     }
//!     true
//! });
//! assert_eq!(finished.unwrap().rows, 3);
//! assert_eq!(arrived, [
//!     r#"review: {"id":"2","amount":"900"}"#,
//!     r#"paid: {"id":"1","amount":"80"}"#,
//!     r#"paid: {"id":"3","amount":"500"}"#,
//! ]);
//! ```

mod branch;
mod chunk;
mod drive;
mod epoch;
mod fork;
mod intake;
mod measure;
mod members;
mod open;
mod ordered;
mod release;
mod row;
mod signal;
mod walk;
mod workers;

pub use drive::{EngineError, EngineOptions, Finished, NotKept, Pipeline, Start, drive};
pub use epoch::{EpochBounds, EpochWork, RowBound};
pub use open::{StillOpen, Wait, waits};
