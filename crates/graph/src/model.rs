use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

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
    /// For each edge, the coalesces that a token on it can still arrive at as its branch, in step order.
    pub(crate) reaching: Vec<Vec<Step>>,
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
    /// The service whose rate limit its work is subject to.
    pub service: Option<String>,
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
    /// Chooses an edge, or forks.
    Gate {
        /// What is asked of each row.
        condition: Expr,
        /// One per label, in settings order.
        routes: Vec<GateRoute>,
        /// The children of a row that takes [`RouteTo::Fork`], in settings order; empty when no label does that.
        fork: Vec<ForkBranch>,
        /// For failures (`__error_<name>__`).
        on_error: Destination,
    },
    /// Collects rows into batches and works on each batch as a whole.
    Aggregation {
        /// For its outputs, or for the members themselves.
        on_success: EdgeNo,
        /// For members of batches that fail (`__error_<name>__`).
        on_error: Destination,
        /// When a batch is worked on, besides the end of the source.
        trigger: Trigger,
        /// What goes on.
        output_mode: OutputMode,
        /// How many rows each batch must give.
        expected_output_count: Option<u64>,
    },
    /// Joins the branches of one fork.
    Coalesce {
        /// For merged rows.
        on_success: EdgeNo,
        /// Names of the branches, in settings order; all of one fork.
        branches: Vec<String>,
        /// Which of them must have arrived.
        policy: CoalescePolicy,
        /// How their rows become one.
        merge: Merge,
        /// How long a merge waits after its first arrival.
        timeout: Option<Duration>,
        /// Whether its tokens can wait for later rows: there is an aggregation between the fork and here.
        crosses_rows: bool,
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
    pub to: RouteTo,
}

/// Where a label leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteTo {
    /// Along one edge.
    Edge(EdgeNo),
    /// To one child for each of the gate's `fork` branches.
    Fork,
}

/// One way out of a fork.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForkBranch {
    /// Its name, and the label of its edge.
    pub name: Arc<str>,
    /// Where the child goes first, by a copy edge.
    pub edge: EdgeNo,
    /// The coalesce it feeds, directly or through other nodes.
    pub coalesce: Option<Step>,
}

/// When a batch is worked on, besides the end of the source: at the first of these that comes true.
#[derive(Debug, Clone, Default)]
pub struct Trigger {
    /// With so many members; at least 1.
    pub count: Option<u64>,
    /// So long after the first member was accepted; more than nothing.
    pub timeout: Option<Duration>,
    /// When this is true of the open batch (`batch_count`, `batch_age_seconds`).
    pub condition: Option<Expr>,
}

/// What goes on from an aggregation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputMode {
    /// New tokens.
    Transform,
    /// The members.
    Passthrough,
}

/// Which branches must have arrived before a merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CoalescePolicy {
    /// All.
    RequireAll,
    /// So many; at least 1 and at most all.
    Quorum(u32),
    /// All that are not lost, or those that are there at the timeout.
    BestEffort,
    /// Any one.
    First,
}

/// How the rows of branches become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merge {
    /// All fields; of a field in several branches, the value of the later branch in settings order.
    Union,
    /// One field for each branch.
    Nested,
    /// The row of the branch at that index.
    Select(usize),
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
            NodeSpec::Aggregation { .. } => NodeType::Aggregation,
            NodeSpec::Coalesce { .. } => NodeType::Coalesce,
            NodeSpec::Sink { .. } => NodeType::Sink,
        }
    }
}

impl OutputMode {
    /// As settings write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transform => "transform",
            Self::Passthrough => "passthrough",
        }
    }
}

impl CoalescePolicy {
    /// As settings write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequireAll => "require_all",
            Self::Quorum(_) => "quorum",
            Self::BestEffort => "best_effort",
            Self::First => "first",
        }
    }
}

impl Merge {
    /// As settings write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Union => "union",
            Self::Nested => "nested",
            Self::Select(_) => "select",
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

    /// Whether a token on `edge` can still arrive at `coalesce` as the branch that it is on, or as part of it.
    ///
    /// Not along error edges, which end in sinks, nor through what ends a branch (a transform-mode aggregation). Edges before
    /// the fork are on no branch of it.
    #[must_use]
    pub fn reaches(&self, edge: EdgeNo, coalesce: Step) -> bool {
        self.reaching[edge.index()].contains(&coalesce)
    }

    /// Hash over every node (id, plugin, config hash) and edge.
    #[must_use]
    pub const fn topology_hash(&self) -> ContentHash {
        self.topology_hash
    }
}
