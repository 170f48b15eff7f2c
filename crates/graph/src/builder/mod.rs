//! From a declaration to a graph: each rule in its own file, all findings collected.

mod assemble;
mod branches;
mod coalesces;
mod contracts;
mod forks;
mod gaps;
mod merge;
mod names;
mod order;
mod ports;
mod wiring;

use elspeth_contracts::Step;

use crate::spec::{GraphSpec, NodeDecl, NodeKind, SettingPath};
use crate::{ExecutionGraph, GraphError, GraphWarning};
use assemble::{Checked, assemble};
use wiring::Wire;

/// A graph with its warnings, or every error.
pub type BuildResult = Result<(ExecutionGraph, Vec<GraphWarning>), Vec<GraphError>>;

/// What the rules have found so far.
#[derive(Debug, Default)]
struct Findings {
    errors: Vec<GraphError>,
    warnings: Vec<GraphWarning>,
}

impl Findings {
    fn push(&mut self, error: GraphError) {
        self.errors.push(error);
    }

    fn warn(&mut self, warning: GraphWarning) {
        self.warnings.push(warning);
    }
}

impl ExecutionGraph {
    /// Builds the graph of a declaration, applying every rule of the dialect.
    ///
    /// # Errors
    /// Everything that is wrong with it, at once. A declaration with settings that could not be read, or that leaves out what
    /// somebody has reported already, never gives a graph; nothing is added then that may only follow from what is missing.
    pub fn build(spec: GraphSpec) -> BuildResult {
        let mut findings = Findings::default();
        check_source(&spec, &mut findings);
        names::check(&spec, &mut findings);
        let wiring = wiring::connect(&spec, &mut findings);
        check_routes(&spec, &mut findings);
        forks::check(&spec, &mut findings);
        coalesces::check(&spec, &wiring.meant, &mut findings);
        check_size(&spec, &wiring.wires, &mut findings);
        let order = order::sort(&spec, &wiring, &mut findings);
        let wires = wiring.wires;
        let branches = order.as_ref().map(|order| branches::trace(&spec, &wires, order, &mut findings));
        // Contracts are carried as far as there is an order, whatever else is wrong.
        let sides = order.as_ref().map(|order| contracts::propagate(&spec, &wires, order, &mut findings));
        match (order, sides, branches) {
            (Some(order), Some(sides), Some(branches)) if findings.errors.is_empty() && is_whole(&spec) => {
                Ok((assemble(Checked { spec, wires, order, sides, branches }), findings.warnings))
            }
            _ => Err(findings.errors),
        }
    }
}

/// Whether nothing is left out that somebody else has reported.
fn is_whole(spec: &GraphSpec) -> bool {
    let has_gap = |node: &NodeDecl| {
        let unread = match &node.kind {
            NodeKind::Gate { condition, routes, .. } => condition.is_none() || routes.is_empty(),
            NodeKind::Coalesce { branches, .. } => {
                branches.iter().any(|b| b.name.name.is_empty() || b.input.name.is_empty())
            }
            NodeKind::Source { .. }
            | NodeKind::Transform { .. }
            | NodeKind::Aggregation { .. }
            | NodeKind::Sink { .. } => false,
        };
        unread || node.kind.ports().iter().any(|port| port.target.name.is_empty())
    };
    spec.unread.is_empty() && !spec.nodes.iter().any(has_gap)
}

fn check_source(spec: &GraphSpec, findings: &mut Findings) {
    let sources = || spec.nodes.iter().enumerate().filter(|(_, n)| matches!(n.kind, NodeKind::Source { .. }));
    for (_, extra) in sources().filter(|(position, _)| *position != 0) {
        findings.push(GraphError::new(
            "several-sources",
            &extra.at,
            "a pipeline has one source, declared first",
        ));
    }
    if !sources().any(|(position, _)| position == 0) {
        findings.push(GraphError::new(
            "no-source",
            &SettingPath::new("source"),
            "the pipeline has no source",
        ));
    }
}

fn check_routes(spec: &GraphSpec, findings: &mut Findings) {
    for node in &spec.nodes {
        if let NodeKind::Gate { routes, .. } = &node.kind
            && routes.is_empty()
            && !spec.is_unread(&node.at.child("routes"))
        {
            findings.push(
                GraphError::new(
                    "no-routes",
                    &node.at.child("routes"),
                    format!("`{}` has no routes", node.name.name),
                )
                .help("give each result a label with a sink or a connection"),
            );
        }
    }
}

fn check_size(spec: &GraphSpec, wires: &[Wire], findings: &mut Findings) {
    let (nodes, limit) = (spec.nodes.len(), usize::from(Step::LIMIT));
    if nodes > limit {
        let message = format!("the pipeline has {nodes} nodes; at most {limit} are possible");
        findings.push(GraphError::new("too-many-nodes", &SettingPath::default(), message));
    }
    if wires.len() > usize::from(u16::MAX) {
        let message = format!("the pipeline has {} edges; at most {} are possible", wires.len(), u16::MAX);
        findings.push(GraphError::new("too-many-edges", &SettingPath::default(), message));
    }
}
