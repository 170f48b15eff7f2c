use std::fmt;
use std::time::Duration;

use elspeth_canonical::HashVersion;
use elspeth_contracts::Determinism;
use elspeth_expr::Expr;
use elspeth_value::Contract;

use crate::OutputMode;

/// Where in the settings something is said: keys and list indexes joined by `.`, such as `gates.2.routes.high`.
///
/// The graph only carries it around, so that whoever read the settings can say line and column.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SettingPath {
    path: String,
    of_key: bool,
}

/// A name that the settings use, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ref {
    /// The name; empty when the settings leave it out and somebody has reported that already.
    pub name: String,
    /// Where it is written.
    pub at: SettingPath,
}

/// What the settings declare, before any rule was checked.
#[derive(Debug, Default)]
pub struct GraphSpec {
    /// The digest for node ids and the topology hash.
    pub hash: HashVersion,
    /// Source, then steps, then sinks, each in settings order.
    pub nodes: Vec<NodeDecl>,
    /// Sinks that something outside of the graph writes to (the export of the record).
    pub reached_otherwise: Vec<String>,
    /// Settings that could not be read, which somebody has reported already; what stands here in their place was not written
    /// by the user. A rule that concludes from an absence is not applied where the missing part may be in one of them.
    pub unread: Vec<SettingPath>,
}

/// One node as declared.
#[derive(Debug)]
pub struct NodeDecl {
    /// Its name; `source` for the source.
    pub name: Ref,
    /// Where it is declared as a whole.
    pub at: SettingPath,
    /// Which code works there.
    pub plugin: PluginRef,
    /// Its settings as they are recorded: canonical JSON.
    pub config: String,
    /// The service whose rate limit its work is subject to.
    pub service: Option<String>,
    /// What it is and how it is connected.
    pub kind: NodeKind,
}

/// The code that works at a node.
#[derive(Debug, Clone)]
pub struct PluginRef {
    /// Name in the settings; `gate` for gates.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What its output depends on.
    pub determinism: Determinism,
}

/// What a transform makes of its input's contract, or everything because of which it cannot.
pub type OutputContract = Box<dyn Fn(&Contract) -> Result<Contract, Vec<Misfit>>>;

/// Why a plugin cannot work on rows of some contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// A sentence.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// Where the option is that is to blame; the options as a whole when that is not known.
    pub at: Option<SettingPath>,
}

impl From<String> for Misfit {
    fn from(message: String) -> Self {
        Self { message, help: None, at: None }
    }
}

/// What a node is and how it is connected.
pub enum NodeKind {
    /// Produces rows.
    Source {
        /// Sink or connection for valid rows.
        on_success: Ref,
        /// Sink or `discard` for refused records.
        on_invalid: Ref,
        /// What its rows look like.
        contract: Contract,
    },
    /// Changes rows.
    Transform {
        /// The connection that it consumes.
        input: Ref,
        /// Sink or connection for its outputs.
        on_success: Ref,
        /// Sink or `discard` for failures.
        on_error: Ref,
        /// What it needs of its input.
        needs: Contract,
        /// What it makes of it.
        output: OutputContract,
        /// Whether it may make several rows of one.
        expands: bool,
    },
    /// Chooses an edge, or forks.
    Gate {
        /// The connection that it consumes.
        input: Ref,
        /// What is asked of each row; `None` when it could not be parsed and somebody has reported that already.
        condition: Option<Expr>,
        /// Where the condition is written.
        condition_at: SettingPath,
        /// Sink, connection or [`FORK`] for each label, in settings order.
        routes: Vec<RouteDecl>,
        /// Sink or connection for each branch of the fork, which bears the name of the branch.
        fork_to: Vec<Ref>,
        /// Sink or `discard` for failures.
        on_error: Ref,
    },
    /// Collects rows into batches.
    Aggregation {
        /// The connection that it consumes.
        input: Ref,
        /// Sink or connection for its outputs.
        on_success: Ref,
        /// Sink or `discard` for members of batches that fail.
        on_error: Ref,
        /// What it needs of its input.
        needs: Contract,
        /// What it makes of it.
        output: OutputContract,
        /// When a batch is worked on.
        trigger: TriggerDecl,
        /// What goes on.
        output_mode: OutputMode,
        /// How many rows each batch must give.
        expected_output_count: Option<u64>,
    },
    /// Joins the branches of a fork.
    Coalesce {
        /// Its branches, in settings order.
        branches: Vec<BranchDecl>,
        /// Sink or connection for merged rows.
        on_success: Ref,
        /// Which branches must have arrived.
        policy: PolicyDecl,
        /// How their rows become one.
        merge: MergeDecl,
        /// How long a merge waits.
        timeout: Option<Duration>,
    },
    /// Writes rows.
    Sink {
        /// Another sink or `discard` for refused rows.
        on_write_failure: Ref,
        /// What it needs of its rows.
        needs: Contract,
    },
}

/// One label of a gate as declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteDecl {
    /// The result that takes it.
    pub label: Ref,
    /// Sink, connection or [`FORK`].
    pub target: Ref,
}

/// When a batch is worked on, as declared.
#[derive(Debug, Default)]
pub struct TriggerDecl {
    /// With so many members.
    pub count: Option<u64>,
    /// So long after the first member.
    pub timeout: Option<Duration>,
    /// When this is true. `None` too when it could not be parsed and somebody has reported that already.
    pub condition: Option<Expr>,
}

/// One branch of a coalesce as declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BranchDecl {
    /// The branch of a fork.
    pub name: Ref,
    /// The connection in which it ends; the branch itself when nothing works on it.
    pub input: Ref,
}

/// Which branches must have arrived, as declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyDecl {
    /// All.
    RequireAll,
    /// So many.
    Quorum(Option<u64>),
    /// Those that arrive in time.
    BestEffort,
    /// Any one.
    First,
}

/// How the rows of branches become one, as declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MergeDecl {
    /// All fields.
    Union,
    /// One field for each branch.
    Nested,
    /// The row of that branch.
    Select(Option<Ref>),
}

/// The word that stands for the branches of `fork_to` where routes name targets.
pub const FORK: &str = "fork";

/// The word that stands for "no sink" where rows go that cannot go on.
pub const DISCARD: &str = "discard";

impl SettingPath {
    /// The path of a value.
    #[must_use]
    pub fn new(path: impl Into<String>) -> Self {
        Self { path: path.into(), of_key: false }
    }

    /// The value below this one at a key or index.
    #[must_use]
    pub fn child(&self, step: impl fmt::Display) -> Self {
        if self.path.is_empty() {
            Self::new(step.to_string())
        } else {
            Self::new(format!("{}.{step}", self.path))
        }
    }

    /// The key under which this value stands, rather than the value.
    #[must_use]
    pub fn key(&self) -> Self {
        Self { path: self.path.clone(), of_key: true }
    }

    /// The path as text; empty for the whole file.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.path
    }

    /// Whether the key is meant rather than its value.
    #[must_use]
    pub const fn is_key(&self) -> bool {
        self.of_key
    }
}

impl fmt::Display for SettingPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}

impl RouteDecl {
    /// Whether rows of this label are copied to the branches of the gate.
    #[must_use]
    pub fn is_fork(&self) -> bool {
        self.target.name == FORK
    }
}

impl Ref {
    /// A name and where it is written.
    #[must_use]
    pub fn new(name: impl Into<String>, at: SettingPath) -> Self {
        Self { name: name.into(), at }
    }
}

impl fmt::Debug for NodeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source { on_success, on_invalid, contract } => f
                .debug_struct("Source")
                .field("on_success", on_success)
                .field("on_invalid", on_invalid)
                .field("contract", contract)
                .finish(),
            Self::Transform { input, on_success, on_error, needs, output: _, expands } => f
                .debug_struct("Transform")
                .field("input", input)
                .field("on_success", on_success)
                .field("on_error", on_error)
                .field("needs", needs)
                .field("expands", expands)
                .finish_non_exhaustive(),
            Self::Gate { input, condition, condition_at: _, routes, fork_to, on_error } => f
                .debug_struct("Gate")
                .field("input", input)
                .field("condition", &condition.as_ref().map(Expr::text))
                .field("routes", routes)
                .field("fork_to", fork_to)
                .field("on_error", on_error)
                .finish_non_exhaustive(),
            Self::Aggregation {
                input,
                on_success,
                on_error,
                needs,
                output: _,
                trigger,
                output_mode,
                expected_output_count,
            } => f
                .debug_struct("Aggregation")
                .field("input", input)
                .field("on_success", on_success)
                .field("on_error", on_error)
                .field("needs", needs)
                .field("trigger", trigger)
                .field("output_mode", output_mode)
                .field("expected_output_count", expected_output_count)
                .finish_non_exhaustive(),
            Self::Coalesce { branches, on_success, policy, merge, timeout } => f
                .debug_struct("Coalesce")
                .field("branches", branches)
                .field("on_success", on_success)
                .field("policy", policy)
                .field("merge", merge)
                .field("timeout", timeout)
                .finish(),
            Self::Sink { on_write_failure, needs } => f
                .debug_struct("Sink")
                .field("on_write_failure", on_write_failure)
                .field("needs", needs)
                .finish(),
        }
    }
}
