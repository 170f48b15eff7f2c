//! Which fork each branch of a coalesce comes from, and what lies between them.
//!
//! A connection has one producer, so rows come to a node by one way only, but for sinks and coalesces. The way back from a
//! branch of a coalesce therefore leads to one branch of one fork.

use std::collections::{BTreeMap, BTreeSet};

use elspeth_contracts::EdgeMode;

use super::Findings;
use super::wiring::Wire;
use crate::spec::{BranchDecl, DISCARD, GraphSpec, NodeDecl, NodeKind, PolicyDecl, Ref};
use crate::{GraphError, GraphWarning, OutputMode};

/// What is known of forks and merges, by positions in the spec.
#[derive(Debug, Default)]
pub(super) struct Branches {
    /// The coalesce that a branch feeds, by gate and number of the branch.
    pub(super) feeds: BTreeMap<(usize, usize), usize>,
    /// What lies before each coalesce.
    pub(super) joins: BTreeMap<usize, Join>,
}

/// What lies between a fork and its coalesce.
#[derive(Debug, Default)]
pub(super) struct Join {
    /// The gate.
    fork: usize,
    /// Indexes of wires from which a token can arrive.
    pub(super) wires: BTreeSet<usize>,
    /// Nodes that a row of one of its branches must pass, but for those between an inner fork and its coalesce: whether a
    /// row that is lost there is missing here is for the inner one to say.
    inside: BTreeSet<usize>,
    /// Whether tokens can wait for later rows on the way.
    pub(super) crosses_rows: bool,
}

/// One branch of one fork: gate and number of the branch.
type Branch = (usize, usize);

/// The branches that rows are on.
#[derive(Debug, Clone, Default)]
struct Strand {
    /// From the outermost fork to the innermost.
    on: Vec<Branch>,
    /// Branches that a node has ended by making new rows, with that node.
    ended: Vec<(Branch, usize)>,
    /// Nothing is known, because of an error that was reported.
    lost: bool,
}

/// Follows all rows from the source onward.
pub(super) fn trace(spec: &GraphSpec, wires: &[Wire], order: &[usize], findings: &mut Findings) -> Branches {
    let mut tracing = Tracing {
        spec,
        wires,
        arriving: arriving(spec, wires),
        forks: forks(spec),
        leaving: vec![Strand::default(); spec.nodes.len()],
        found: Branches::default(),
    };
    for position in order {
        tracing.leaving[*position] = tracing.strand_from(*position, findings);
    }
    tracing.warn_of_error_edges(order, findings);
    tracing.found
}

/// The wires into each node, but for those of failures.
fn arriving(spec: &GraphSpec, wires: &[Wire]) -> Vec<Vec<usize>> {
    let mut arriving = vec![Vec::new(); spec.nodes.len()];
    for (index, wire) in wires.iter().enumerate().filter(|(_, wire)| wire.mode != EdgeMode::Divert) {
        arriving[wire.to].push(index);
    }
    arriving
}

/// Branches by name. Only a branch that is a sink can be in two forks, and such a one is in no coalesce.
fn forks(spec: &GraphSpec) -> BTreeMap<&str, Branch> {
    let mut forks = BTreeMap::new();
    for (position, node) in spec.nodes.iter().enumerate() {
        if let NodeKind::Gate { fork_to, .. } = &node.kind {
            for (number, branch) in fork_to.iter().enumerate() {
                forks.entry(branch.name.as_str()).or_insert((position, number));
            }
        }
    }
    forks
}

struct Tracing<'a> {
    spec: &'a GraphSpec,
    wires: &'a [Wire],
    arriving: Vec<Vec<usize>>,
    forks: BTreeMap<&'a str, Branch>,
    /// What goes out of each node.
    leaving: Vec<Strand>,
    found: Branches,
}

impl Tracing<'_> {
    fn strand_from(&mut self, position: usize, findings: &mut Findings) -> Strand {
        let node = &self.spec.nodes[position];
        match &node.kind {
            NodeKind::Source { .. } | NodeKind::Sink { .. } => Strand::default(),
            NodeKind::Coalesce { branches, .. } => self.join(position, branches, findings),
            NodeKind::Gate { .. } => self.strand_into(position),
            NodeKind::Aggregation { .. } if self.spec.is_unread(&node.at.child("output_mode")) => {
                Strand { lost: true, ..Strand::default() }
            }
            NodeKind::Transform { .. } | NodeKind::Aggregation { .. } if node.ends_branches() => {
                let mut strand = self.strand_into(position);
                strand.ended.extend(strand.on.drain(..).map(|branch| (branch, position)));
                strand
            }
            NodeKind::Transform { .. } | NodeKind::Aggregation { .. } => self.strand_into(position),
        }
    }

    /// The branches that rows into a node are on; that node has one producer.
    fn strand_into(&self, position: usize) -> Strand {
        match self.arriving[position].first() {
            Some(wire) => self.strand_on(&self.wires[*wire]),
            None => Strand { lost: true, ..Strand::default() },
        }
    }

    fn strand_on(&self, wire: &Wire) -> Strand {
        let mut strand = self.leaving[wire.from].clone();
        if let (EdgeMode::Copy, NodeKind::Gate { routes, .. }) = (wire.mode, &self.spec.nodes[wire.from].kind)
        {
            strand.on.push((wire.from, wire.port - routes.len()));
        }
        strand
    }

    /// Finds the fork of a coalesce; what goes out is on the branches that the fork itself is on.
    fn join(&mut self, position: usize, branches: &[BranchDecl], findings: &mut Findings) -> Strand {
        let before = findings.errors.len();
        let mut first: Option<(usize, &BranchDecl)> = None;
        for (number, branch) in branches.iter().enumerate() {
            let Some(origin) = self.forks.get(branch.name.name.as_str()).copied() else { continue };
            let (fork, one) = *first.get_or_insert((origin.0, branch));
            if fork != origin.0 {
                findings.push(self.several_forks((branch, origin.0), (one, fork)));
            } else if self.is_fed(position, number, origin, findings) {
                self.found.feeds.insert(origin, position);
            }
        }
        match first {
            Some((fork, _)) if findings.errors.len() == before => {
                let join = self.between(fork, position);
                self.found.joins.insert(position, join);
                self.leaving[fork].clone()
            }
            Some(_) | None => Strand { lost: true, ..Strand::default() },
        }
    }

    /// Whether what arrives as a branch is on that branch; if not, that is reported.
    fn is_fed(&self, position: usize, number: usize, origin: Branch, findings: &mut Findings) -> bool {
        let wires = || self.arriving[position].iter().map(|w| &self.wires[*w]).filter(|w| w.input == number);
        // That a label leads into the branch of its own gate has been reported.
        let Some(wire) = wires().find(|w| w.mode == EdgeMode::Copy).or_else(|| wires().next()) else {
            return false;
        };
        let strand = self.strand_on(wire);
        if strand.on.contains(&origin) || strand.lost {
            return !strand.lost;
        }
        let branch = &self.spec.nodes[position].branches()[number];
        let error = match strand.ended.iter().find(|(ended, _)| *ended == origin) {
            Some((_, by)) => self.ended(branch, &self.spec.nodes[*by]),
            None => self.elsewhere(branch, &strand),
        };
        findings.push(error);
        false
    }

    fn several_forks(
        &self,
        (branch, gate): (&BranchDecl, usize),
        (one, other_gate): (&BranchDecl, usize),
    ) -> GraphError {
        let name = |position: usize| self.spec.nodes[position].name.name.as_str();
        let message = format!(
            "`{}` is a branch of `{}`, but `{}` is one of `{}`: a coalesce joins the branches of one fork",
            branch.name.name,
            name(gate),
            one.name.name,
            name(other_gate)
        );
        GraphError::new("branches-of-several-forks", &branch.name.at, message).help(
            "join the branches of the inner fork in a coalesce of their own, and let its connection end the outer branch",
        )
    }

    fn ended(&self, branch: &BranchDecl, by: &NodeDecl) -> GraphError {
        let (name, by_name) = (&branch.name.name, &by.name.name);
        if matches!(by.kind, NodeKind::Aggregation { .. }) {
            let message = format!(
                "`{by_name}` makes new rows of whole batches, which are of no single row's branch `{name}`: they cannot be merged"
            );
            GraphError::new("aggregation-in-branch", &branch.input.at, message).help(format!(
                "aggregate after the merge, let `{by_name}` have `output_mode: passthrough`, or let its rows go to a sink"
            ))
        } else {
            let message = format!(
                "`{by_name}` can make several rows of one, and only one row of the branch `{name}` can be merged"
            );
            GraphError::new("expansion-in-branch", &branch.input.at, message)
                .help("expand before the fork or after the merge, or let these rows go to a sink")
        }
    }

    fn elsewhere(&self, branch: &BranchDecl, strand: &Strand) -> GraphError {
        let (name, input) = (&branch.name.name, &branch.input.name);
        let message =
            match strand.on.last().map(|(gate, number)| &self.spec.nodes[*gate].forks()[*number].name) {
                Some(other) => format!("`{input}` comes from the branch `{other}`, not from `{name}`"),
                None => format!("`{input}` does not come from the branch `{name}`: its rows were not forked"),
            };
        GraphError::new("not-of-that-branch", &branch.input.at, message).help(format!(
            "follow the rows of `{name}` from the fork on, and name the connection in which they end"
        ))
    }

    /// Goes back from a coalesce to its fork.
    fn between(&self, fork: usize, coalesce: usize) -> Join {
        let mut join = Join { fork, ..Join::default() };
        let mut open = vec![coalesce];
        while let Some(position) = open.pop() {
            for index in &self.arriving[position] {
                join.wires.insert(*index);
                let before = self.before(self.wires[*index].from, &mut join);
                if before != fork && join.inside.insert(before) {
                    open.push(before);
                }
            }
        }
        join
    }

    /// The node itself; of an inner coalesce its fork, with all that lies between the two.
    fn before(&self, position: usize, join: &mut Join) -> usize {
        if let Some(inner) = self.found.joins.get(&position) {
            join.wires.extend(&inner.wires);
            join.crosses_rows |= inner.crosses_rows;
            return inner.fork;
        }
        join.crosses_rows |= matches!(self.spec.nodes[position].kind, NodeKind::Aggregation { .. });
        position
    }

    fn warn_of_error_edges(&self, order: &[usize], findings: &mut Findings) {
        for position in order {
            let coalesce = &self.spec.nodes[*position];
            let Some(join) = self.found.joins.get(position).filter(|_| coalesce.requires_all()) else {
                continue;
            };
            for node in join.inside.iter().map(|inside| &self.spec.nodes[*inside]) {
                if let Some(on_error) = node.error_sink() {
                    findings.warn(error_edge(node, on_error, coalesce));
                }
            }
        }
    }
}

fn error_edge(node: &NodeDecl, on_error: &Ref, coalesce: &NodeDecl) -> GraphWarning {
    let (name, coalesce) = (&node.name.name, &coalesce.name.name);
    GraphWarning {
        code: "error-edge-in-branch",
        message: format!(
            "a row that fails at `{name}` goes to `{}`, and is missing at `{coalesce}`, which requires all branches: \
             the other branches of that row fail there",
            on_error.name
        ),
        help: Some(format!(
            "if the other branches should go on, let `{coalesce}` have `policy: best_effort` or `quorum`"
        )),
        at: on_error.at.clone(),
    }
}

impl NodeDecl {
    /// Whether what comes out is of no branch that came in.
    const fn ends_branches(&self) -> bool {
        match &self.kind {
            NodeKind::Transform { expands, .. } => *expands,
            NodeKind::Aggregation { output_mode, .. } => matches!(output_mode, OutputMode::Transform),
            NodeKind::Source { .. }
            | NodeKind::Gate { .. }
            | NodeKind::Coalesce { .. }
            | NodeKind::Sink { .. } => false,
        }
    }

    const fn requires_all(&self) -> bool {
        matches!(self.kind, NodeKind::Coalesce { policy: PolicyDecl::RequireAll, .. })
    }

    /// The branches of a gate.
    pub(super) fn forks(&self) -> &[Ref] {
        match &self.kind {
            NodeKind::Gate { fork_to, .. } => fork_to,
            NodeKind::Source { .. }
            | NodeKind::Transform { .. }
            | NodeKind::Aggregation { .. }
            | NodeKind::Coalesce { .. }
            | NodeKind::Sink { .. } => &[],
        }
    }

    fn error_sink(&self) -> Option<&Ref> {
        match &self.kind {
            NodeKind::Transform { on_error, .. }
            | NodeKind::Gate { on_error, .. }
            | NodeKind::Aggregation { on_error, .. } => {
                Some(on_error).filter(|sink| !sink.name.is_empty() && sink.name != DISCARD)
            }
            NodeKind::Source { .. } | NodeKind::Coalesce { .. } | NodeKind::Sink { .. } => None,
        }
    }
}
