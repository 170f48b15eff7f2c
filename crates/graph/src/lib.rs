//! The execution graph: from a declaration of nodes by name to a pipeline in which every rule of the dialect holds.
//!
//! Whoever reads settings makes a [`GraphSpec`]: source, transforms, gates, aggregations, coalesces and sinks with the names
//! of the connections between them, their contracts and conditions, and for each name the [`SettingPath`] where it is written.
//! [`ExecutionGraph::build`] connects the names, orders the nodes, carries the contracts along every edge and checks the
//! conditions against them. It gives either a graph or *every* [`GraphError`], each with its place and advice.
//!
//! A graph says where rows go ([`Node`], [`Edge`], [`Destination`]), which coalesce each branch of a fork feeds
//! ([`ForkBranch`]) and from where it can still be reached ([`ExecutionGraph::reaches`]). It has deterministic node ids and
//! a topology hash, and can be drawn ([`ExecutionGraph::to_mermaid`], [`to_dot`](ExecutionGraph::to_dot),
//! [`to_svg`](ExecutionGraph::to_svg), [`to_json`](ExecutionGraph::to_json)).
//!
//! Invariant: private fields and one builder, so holding an [`ExecutionGraph`] means that it is valid: nodes are in
//! topological order, every edge leads to a later step, every connection has one producer and one consumer, and a coalesce
//! joins branches of one fork, at most one token for each.
//!
//! This crate does not know settings files, plugins or rows.
//!
//! ```
//! use elspeth_contracts::Determinism;
//! use elspeth_graph::spec::{NodeDecl, NodeKind, PluginRef, Ref};
//! use elspeth_graph::{ExecutionGraph, GraphSpec, SettingPath};
//! use elspeth_value::Contract;
//!
//! let node = |name: &str, kind| NodeDecl {
//!     name: Ref::new(name, SettingPath::new(name)),
//!     at: SettingPath::new(name),
//!     plugin: PluginRef {
//!         name: "csv".to_owned(),
//!         version: "1.0.0".to_owned(),
//!         determinism: Determinism::IoRead,
//!     },
//!     config: "{}".to_owned(),
//!     service: None,
//!     kind,
//! };
//! let source = |target: &str| NodeKind::Source {
//!     on_success: Ref::new(target, SettingPath::new("source.on_success")),
//!     on_invalid: Ref::new("discard", SettingPath::default()),
//!     contract: Contract::observed(),
//! };
//! let sink = || NodeKind::Sink {
//!     on_write_failure: Ref::new("discard", SettingPath::default()),
//!     needs: Contract::observed(),
//! };
//! let pipeline = |target| GraphSpec {
//!     nodes: vec![node("source", source(target)), node("output", sink())],
//!     ..GraphSpec::default()
//! };
//!
//! let (graph, _warnings) = ExecutionGraph::build(pipeline("output")).unwrap();
//! assert_eq!(graph.edges()[0].label, "on_success");
//!
//! let errors = ExecutionGraph::build(pipeline("outptu")).unwrap_err();
//! assert_eq!(errors[0].at.as_str(), "source.on_success");
//! assert_eq!(errors[0].help.as_deref(), Some("did you mean `output`?"));
//! ```

mod builder;
mod error;
mod model;
mod render;
/// The declaration that a graph is built of.
pub mod spec;
mod suggest;

pub use builder::BuildResult;
pub use error::{GraphError, GraphWarning};
pub use model::{
    CoalescePolicy, Destination, Edge, ExecutionGraph, ForkBranch, GateRoute, Merge, Node, NodeSpec,
    OutputMode, RouteTo, Trigger,
};
pub use spec::{GraphSpec, SettingPath};
pub use suggest::{advise, nearest};
