use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use petgraph::Direction;
use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::Dfs;

use super::Findings;
use super::wiring::{Wire, Wiring};
use crate::GraphError;
use crate::spec::{DISCARD, GraphSpec};

type Topology = DiGraph<(), (), u32>;

/// The order in which nodes are numbered: producers before consumers, settings order where that leaves a choice.
/// `None` when there is a cycle, which is then reported.
pub(super) fn sort(spec: &GraphSpec, wiring: &Wiring, findings: &mut Findings) -> Option<Vec<usize>> {
    let graph = topology(spec, &wiring.wires);
    let cycles: Vec<Vec<NodeIndex>> = tarjan_scc(&graph)
        .into_iter()
        .filter(|part| part.len() > 1 || graph.contains_edge(part[0], part[0]))
        .collect();
    report_cycles(spec, &graph, &cycles, findings);
    report_unreachable(spec, (&graph, &wiring.meant), findings);
    cycles.is_empty().then(|| settings_order(&graph))
}

fn topology(spec: &GraphSpec, wires: &[Wire]) -> Topology {
    let mut graph = Topology::with_capacity(spec.nodes.len(), wires.len());
    for _ in &spec.nodes {
        graph.add_node(());
    }
    for wire in wires {
        graph.add_edge(NodeIndex::new(wire.from), NodeIndex::new(wire.to), ());
    }
    graph
}

/// Kahn's algorithm, with the ready nodes in settings order.
fn settings_order(graph: &Topology) -> Vec<usize> {
    let mut missing: Vec<usize> =
        graph.node_indices().map(|n| graph.edges_directed(n, Direction::Incoming).count()).collect();
    let mut ready: BinaryHeap<Reverse<usize>> =
        missing.iter().enumerate().filter(|(_, count)| **count == 0).map(|(i, _)| Reverse(i)).collect();
    let mut order = Vec::with_capacity(missing.len());
    while let Some(Reverse(node)) = ready.pop() {
        order.push(node);
        for next in graph.neighbors(NodeIndex::new(node)) {
            missing[next.index()] -= 1;
            if missing[next.index()] == 0 {
                ready.push(Reverse(next.index()));
            }
        }
    }
    order
}

fn report_cycles(spec: &GraphSpec, graph: &Topology, cycles: &[Vec<NodeIndex>], findings: &mut Findings) {
    for cycle in cycles {
        // Two sinks that are each other's failsinks are reported as such.
        if cycle.iter().all(|n| spec.nodes[n.index()].is_sink()) {
            continue;
        }
        let path = walk_around(graph, cycle);
        let names: Vec<String> = path.iter().map(|i| format!("`{}`", spec.nodes[*i].name.name)).collect();
        let first = &spec.nodes[path[0]];
        let at = first.kind.inputs().first().map_or(&first.at, |input| &input.at);
        findings.push(
            GraphError::new("cycle", at, format!("these nodes feed each other: {}", names.join(" -> ")))
                .help("rows must be able to leave: let one of them lead to a sink or to a connection outside of the ring"),
        );
    }
}

/// One way round through a strongly connected part, from its first node in settings order back to it.
fn walk_around(graph: &Topology, part: &[NodeIndex]) -> Vec<usize> {
    let members: BTreeSet<usize> = part.iter().map(|n| n.index()).collect();
    let first = *members.first().expect("a strongly connected part has a node");
    let mut path = vec![first];
    let mut here = first;
    loop {
        let next =
            graph.neighbors(NodeIndex::new(here)).map(NodeIndex::index).filter(|n| members.contains(n)).min();
        let next = next.expect("every node of the part has a successor in it");
        path.push(next);
        if next == first || path.len() > members.len() {
            return path;
        }
        here = next;
    }
}

/// Nodes that no row can come to. Only the first node of an unreachable stretch is named, and only if no other error says
/// why already (a connection that nobody produces, a cycle).
fn report_unreachable(
    spec: &GraphSpec,
    (graph, meant): (&Topology, &BTreeSet<String>),
    findings: &mut Findings,
) {
    if spec.nodes.is_empty() || spec.may_name_more_sinks() {
        return;
    }
    let mut reached = BTreeSet::new();
    let mut walk = Dfs::new(graph, NodeIndex::new(0));
    while let Some(node) = walk.next(graph) {
        reached.insert(node.index());
    }
    for (position, node) in spec.nodes.iter().enumerate().filter(|(i, _)| !reached.contains(i)) {
        let fed = graph.edges_directed(NodeIndex::new(position), Direction::Incoming).next().is_some();
        let name = &node.name.name;
        let explained = fed || !node.is_sink() || name == DISCARD || meant.contains(name);
        if explained || spec.reached_otherwise.contains(name) {
            continue;
        }
        findings.push(
            GraphError::new("unreachable", &node.name.at, format!("no row can reach the sink `{}`", node.name.name))
                .help("name it in an `on_success`, `routes`, `on_error`, `on_validation_failure` or `on_write_failure`"),
        );
    }
}
