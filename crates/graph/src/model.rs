use std::collections::BTreeMap;

use elspeth_canonical::ContentHash;
use elspeth_contracts::{Determinism, EdgeMode, EdgeNo, NodeId, NodeType, Step};
use elspeth_expr::Expr;
use elspeth_value::Contract;

/// A valid pipeline. Only the builder makes one, so holding one means that every rule of the dialect holds.
///
/// Nodes are in topological order: a node's [`Step`] is its index, the source is 0. Every edge leads to a later step.
#[derive(Debug, Clone)]
pub struct ExecutionGraph {
    pub(crate) nodes: Vec<Node>,
    pub(crate) edges: Vec<Edge>,
    pub(crate) topology_hash: ContentHash,
    pub(crate) by_name: BTreeMap<String, Step>,
}

/// A plugin instance or built-in step.
#[derive(Debug, Clone)]
pub struct Node {
    /// Position in topological order.
    pub step: Step,
    /// Deterministic id.
    pub id: NodeId,
    /// Name in the settings; `source` for the source.
    pub name: String,
    /// Name of the plugin; `gate` for gates.
    pub plugin: String,
    /// Version of the plugin; this program's for built-in steps.
    pub plugin_version: String,
    /// What its output depends on.
    pub determinism: Determinism,
    /// The node's settings as they are recorded: canonical JSON, secrets as fingerprints.
    pub config: String,
    /// Hash of `config` by the run's hash version.
    pub config_hash: ContentHash,
    /// What comes in.
    pub input: Contract,
    /// What goes out.
    pub output: Contract,
    /// What it does with rows.
    pub spec: NodeSpec,
}

/// What a node does with rows, by type.
#[derive(Debug, Clone)]
pub enum NodeSpec {
    /// Produces rows.
    Source {
        /// For valid rows.
        on_success: EdgeNo,
        /// For refused records (`__quarantine__`).
        on_invalid: Destination,
    },
    /// Changes rows.
    Transform {
        /// For its outputs.
        on_success: EdgeNo,
        /// For failures (`__error_<name>__`).
        on_error: Destination,
    },
    /// Chooses an edge.
    Gate {
        /// What is asked of each row.
        condition: Expr,
        /// One per label, in settings order.
        routes: Vec<GateRoute>,
        /// For failures (`__error_<name>__`).
        on_error: Destination,
    },
    /// Writes rows.
    Sink {
        /// For refused rows (`__failsink__`).
        on_write_failure: Destination,
    },
}

/// One label of a gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateRoute {
    /// The result that takes it.
    pub label: String,
    /// Where it leads.
    pub edge: EdgeNo,
}

/// Where rows go that cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// Along a divert edge to a sink.
    Sink(EdgeNo),
    /// Nowhere; the record keeps them.
    Discard,
}

/// A way from one node to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// Its position in the list.
    pub no: EdgeNo,
    /// From.
    pub from: Step,
    /// To.
    pub to: Step,
    /// `continue` for a plain connection between two nodes, `on_success` for a plain way into a sink, the route label,
    /// the branch name, `__quarantine__`, `__error_<name>__` or `__failsink__`.
    pub label: String,
    /// How tokens move along it.
    pub mode: EdgeMode,
}

impl Node {
    /// What it is.
    #[must_use]
    pub const fn node_type(&self) -> NodeType {
        match self.spec {
            NodeSpec::Source { .. } => NodeType::Source,
            NodeSpec::Transform { .. } => NodeType::Transform,
            NodeSpec::Gate { .. } => NodeType::Gate,
            NodeSpec::Sink { .. } => NodeType::Sink,
        }
    }
}

impl ExecutionGraph {
    /// Nodes in step order.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Edges in edge order.
    #[must_use]
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// One node.
    #[must_use]
    pub fn node(&self, step: Step) -> &Node {
        &self.nodes[step.index()]
    }

    /// One edge.
    #[must_use]
    pub fn edge(&self, edge: EdgeNo) -> &Edge {
        &self.edges[edge.index()]
    }

    /// The node of that name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Node> {
        self.by_name.get(name).map(|step| self.node(*step))
    }

    /// Sinks in step order.
    pub fn sinks(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|n| n.node_type() == NodeType::Sink)
    }

    /// Hash over every node (id, plugin, config hash) and edge.
    #[must_use]
    pub const fn topology_hash(&self) -> ContentHash {
        self.topology_hash
    }
}
