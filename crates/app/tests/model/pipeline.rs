//! A pipeline as the generator makes it: nodes that name each other by number. It says what the settings file says, in a
//! form that can be printed as settings and followed by the interpreter.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use crate::expression::{Condition, Term};

/// A row: fields in their order.
pub(crate) type Row = Map<String, Json>;

/// Position of a node in [`Pipeline::nodes`].
pub(crate) type NodeNo = usize;

/// Number of a sink.
pub(crate) type SinkNo = usize;

/// Names of the sinks, by number.
pub(crate) const SINKS: [&str; 4] = ["amber", "beige", "coral", "denim"];

/// A whole pipeline with its input.
#[derive(Debug, Clone)]
pub(crate) struct Pipeline {
    pub(crate) schema: SourceSchema,
    pub(crate) on_invalid: Fate,
    pub(crate) start: Target,
    pub(crate) nodes: Vec<Node>,
    /// What becomes of rows whose field `c` is no integer in sinks that refuse them.
    pub(crate) picky: BTreeMap<SinkNo, Fate>,
    /// The sink that writes CSV, if one does; the others write lines of JSON.
    pub(crate) csv: Option<SinkNo>,
    /// Lines of the source's file.
    pub(crate) lines: Vec<String>,
}

/// What the source is told of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SourceSchema {
    /// Some fields are declared, others may come.
    Flexible,
    /// Learnt from the first valid row.
    Observed,
    /// All fields are declared.
    Fixed,
}

/// Where a token goes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Sink(SinkNo),
    Node(NodeNo),
    /// The end of a branch of a fork.
    Branch {
        coalesce: NodeNo,
        branch: usize,
    },
}

/// What becomes of rows that fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Discard,
    Sink(SinkNo),
}

/// A node.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) name: String,
    /// The connection that it consumes; of no meaning for a coalesce.
    pub(crate) input: String,
    pub(crate) kind: Kind,
}

/// What a node is.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Transform { change: Change, next: Target, on_error: Fate },
    Gate { condition: Condition, routes: Vec<(String, Route)>, fork: Vec<Branch>, on_error: Fate },
    Aggregation(Aggregation),
    Coalesce(Coalesce),
}

/// Where a gate's label leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    To(Target),
    Fork,
}

/// A branch of a fork.
#[derive(Debug, Clone)]
pub(crate) struct Branch {
    pub(crate) name: String,
    pub(crate) to: Target,
    /// The coalesce that it feeds, and its position there.
    pub(crate) feeds: Option<(NodeNo, usize)>,
}

/// What a transform does.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Passthrough,
    Map {
        mapping: Vec<(String, String)>,
        computed: Vec<(String, Term)>,
        select_only: bool,
        strict: bool,
    },
    Truncate {
        field: String,
        limit: usize,
        suffix: &'static str,
        strict: bool,
    },
    /// Stops rows in which the word is found; in all fields, or in those.
    Filter {
        fields: Option<Vec<String>>,
        word: &'static str,
    },
    Explode {
        array: String,
        item: String,
        index: bool,
    },
}

/// A step that collects rows.
#[derive(Debug, Clone)]
pub(crate) struct Aggregation {
    pub(crate) batch: Batch,
    pub(crate) count: Option<usize>,
    pub(crate) condition: Option<BatchCondition>,
    pub(crate) passthrough: bool,
    pub(crate) expected: Option<usize>,
    pub(crate) next: Target,
    /// Whether `on_success` is left out, so that the node's name is the connection.
    pub(crate) own_name: bool,
    pub(crate) on_error: Fate,
}

/// What is asked of an open batch.
#[derive(Debug, Clone, Copy)]
pub(crate) enum BatchCondition {
    /// So many members.
    Holds(usize),
    /// Any age.
    AnyAge,
    /// An age that no test reaches.
    VeryOld,
}

/// What an aggregation does.
#[derive(Debug, Clone)]
pub(crate) enum Batch {
    Stats { value: String, group_by: Option<String>, mean: bool },
    Replicate { copies: String, default: i64, most: i64, index: bool },
}

/// A step that joins branches.
#[derive(Debug, Clone)]
pub(crate) struct Coalesce {
    pub(crate) branches: Vec<JoinedBranch>,
    pub(crate) policy: Policy,
    pub(crate) merge: Merge,
    pub(crate) next: Target,
    /// Whether `on_success` is left out, so that the node's name is the connection.
    pub(crate) own_name: bool,
}

/// A branch, as its coalesce sees it.
#[derive(Debug, Clone)]
pub(crate) struct JoinedBranch {
    pub(crate) name: String,
    /// The connection in which it ends; its own name when it has no nodes.
    pub(crate) connection: String,
}

/// Which branches must have arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    RequireAll,
    Quorum(usize),
    BestEffort,
    First,
}

/// How rows become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Merge {
    Union,
    Nested,
    Select(usize),
}

impl Pipeline {
    /// The name of a sink's file.
    pub(crate) fn file(&self, sink: SinkNo) -> String {
        let ending = if self.csv == Some(sink) { "csv" } else { "jsonl" };
        format!("{}.{ending}", SINKS[sink])
    }

    /// Whether a token that goes to `target` can still arrive at `coalesce`.
    pub(crate) fn reaches(&self, target: Target, coalesce: NodeNo) -> bool {
        match target {
            Target::Sink(_) => false,
            Target::Branch { coalesce: here, .. } if here == coalesce => true,
            Target::Branch { coalesce: here, .. } => self.goes_on_to(here, coalesce),
            Target::Node(node) => self.goes_on_to(node, coalesce),
        }
    }

    /// Whether what comes out of `node` can arrive at `coalesce`.
    fn goes_on_to(&self, node: NodeNo, coalesce: NodeNo) -> bool {
        match &self.nodes[node].kind {
            Kind::Transform { next, .. } | Kind::Coalesce(Coalesce { next, .. }) => {
                self.reaches(*next, coalesce)
            }
            Kind::Aggregation(aggregation) => {
                aggregation.passthrough && self.reaches(aggregation.next, coalesce)
            }
            Kind::Gate { routes, fork, .. } => {
                let straight = routes.iter().any(|(_, route)| match route {
                    Route::To(target) => self.reaches(*target, coalesce),
                    Route::Fork => false,
                });
                straight || fork.iter().any(|branch| self.reaches(branch.to, coalesce))
            }
        }
    }

    /// Whether tokens of one row can wait at the node while other rows are processed.
    pub(crate) fn waits(&self, node: NodeNo) -> bool {
        match self.nodes[node].kind {
            Kind::Aggregation(_) => true,
            Kind::Coalesce(_) => self.crosses_rows(node),
            Kind::Transform { .. } | Kind::Gate { .. } => false,
        }
    }

    /// Whether a token can wait in an aggregation between its fork and `coalesce`.
    pub(crate) fn crosses_rows(&self, coalesce: NodeNo) -> bool {
        self.nodes.iter().any(|node| match &node.kind {
            Kind::Gate { fork, .. } => fork.iter().any(|branch| {
                branch.feeds.is_some_and(|(feeds, _)| feeds == coalesce)
                    && self.waits_before(branch.to, coalesce)
            }),
            Kind::Transform { .. } | Kind::Aggregation(_) | Kind::Coalesce(_) => false,
        })
    }

    fn waits_before(&self, target: Target, coalesce: NodeNo) -> bool {
        let node = match target {
            Target::Sink(_) => return false,
            Target::Branch { coalesce: here, .. } if here == coalesce => return false,
            Target::Branch { coalesce: here, .. } => here,
            Target::Node(node) => node,
        };
        match &self.nodes[node].kind {
            Kind::Aggregation(_) => self.goes_on_to(node, coalesce),
            Kind::Transform { next, .. } | Kind::Coalesce(Coalesce { next, .. }) => {
                self.waits_before(*next, coalesce)
            }
            Kind::Gate { routes, fork, .. } => {
                let straight = routes.iter().any(|(_, route)| match route {
                    Route::To(target) => self.waits_before(*target, coalesce),
                    Route::Fork => false,
                });
                straight || fork.iter().any(|branch| self.waits_before(branch.to, coalesce))
            }
        }
    }
}
