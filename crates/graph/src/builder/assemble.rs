use std::collections::BTreeMap;

use elspeth_canonical::{ContentHash, HashVersion, hash_of};
use elspeth_contracts::{EdgeNo, NodeId, NodeType, Step};
use serde::Serialize;

use super::contracts::Sides;
use super::wiring::Wire;
use crate::spec::{GraphSpec, NodeDecl, NodeKind};
use crate::{Destination, Edge, ExecutionGraph, GateRoute, Node, NodeSpec};

const HASH_DIGITS: usize = 12;

/// What every rule has passed.
pub(super) struct Checked {
    pub(super) spec: GraphSpec,
    pub(super) wires: Vec<Wire>,
    pub(super) order: Vec<usize>,
    pub(super) sides: Vec<Sides>,
}

/// The edge of each port of one node.
type PortEdges = BTreeMap<usize, EdgeNo>;

/// Numbers nodes and edges and computes the hashes.
pub(super) fn assemble(mut checked: Checked) -> ExecutionGraph {
    let hash = checked.spec.hash;
    let steps = steps(&checked.order);
    let (edges, ports) = edges(&checked, &steps);
    let mut declared: Vec<Option<NodeDecl>> = checked.spec.nodes.drain(..).map(Some).collect();
    let mut nodes = Vec::with_capacity(declared.len());
    for position in &checked.order {
        let decl = declared[*position].take().expect("the order names every node once");
        let sides = checked.sides[*position].clone();
        nodes.push(node(decl, steps[position], hash, sides, &ports[*position]));
    }
    let by_name = nodes.iter().map(|n| (n.name.clone(), n.step)).collect();
    let topology_hash = topology_hash(hash, &nodes, &edges);
    ExecutionGraph { nodes, edges, topology_hash, by_name }
}

fn steps(order: &[usize]) -> BTreeMap<usize, Step> {
    let number =
        |i: usize| u16::try_from(i).ok().and_then(Step::new).expect("the number of nodes was checked");
    order.iter().enumerate().map(|(i, position)| (*position, number(i))).collect()
}

fn edges(checked: &Checked, steps: &BTreeMap<usize, Step>) -> (Vec<Edge>, Vec<PortEdges>) {
    let mut edges = Vec::with_capacity(checked.wires.len());
    let mut ports = vec![PortEdges::new(); checked.spec.nodes.len()];
    let mut leaving: Vec<Vec<&Wire>> = vec![Vec::new(); checked.spec.nodes.len()];
    for wire in &checked.wires {
        leaving[wire.from].push(wire);
    }
    for position in &checked.order {
        for wire in &leaving[*position] {
            let no = EdgeNo(u16::try_from(edges.len()).expect("the number of edges was checked"));
            ports[*position].insert(wire.port, no);
            let (from, to) = (steps[&wire.from], steps[&wire.to]);
            edges.push(Edge { no, from, to, label: wire.label.clone(), mode: wire.mode });
        }
    }
    (edges, ports)
}

fn node(decl: NodeDecl, step: Step, hash: HashVersion, sides: Sides, ports: &PortEdges) -> Node {
    let config_hash = hash.hash(decl.config.as_bytes());
    let spec = node_spec(decl.kind, ports);
    let mut node = Node {
        step,
        id: NodeId(String::new()),
        name: decl.name.name,
        plugin: decl.plugin.name,
        plugin_version: decl.plugin.version,
        determinism: decl.plugin.determinism,
        config: decl.config,
        config_hash,
        input: sides.input,
        output: sides.output,
        spec,
    };
    node.id = node_id(node.node_type(), &node.name, config_hash);
    node
}

fn node_id(node_type: NodeType, name: &str, config_hash: ContentHash) -> NodeId {
    let hex = config_hash.to_string();
    NodeId(format!("{node_type}_{name}_{}", &hex[..HASH_DIGITS]))
}

fn node_spec(kind: NodeKind, ports: &PortEdges) -> NodeSpec {
    let onward = |port: usize| *ports.get(&port).expect("every onward port was connected");
    let divert = |port: usize| ports.get(&port).map_or(Destination::Discard, |edge| Destination::Sink(*edge));
    match kind {
        NodeKind::Source { .. } => NodeSpec::Source { on_success: onward(0), on_invalid: divert(1) },
        NodeKind::Transform { .. } => NodeSpec::Transform { on_success: onward(0), on_error: divert(1) },
        NodeKind::Gate { condition, routes, .. } => NodeSpec::Gate {
            condition: condition.expect("a gate without condition was reported"),
            on_error: divert(routes.len()),
            routes: routes
                .into_iter()
                .enumerate()
                .map(|(port, route)| GateRoute { label: route.label.name, edge: onward(port) })
                .collect(),
        },
        NodeKind::Sink { .. } => NodeSpec::Sink { on_write_failure: divert(0) },
    }
}

#[derive(Serialize)]
struct HashedTopology<'a> {
    nodes: Vec<HashedNode<'a>>,
    edges: Vec<HashedEdge<'a>>,
}

#[derive(Serialize)]
struct HashedNode<'a> {
    id: &'a str,
    plugin: &'a str,
    config_hash: String,
}

#[derive(Serialize)]
struct HashedEdge<'a> {
    from: &'a str,
    to: &'a str,
    label: &'a str,
    mode: &'static str,
}

fn topology_hash(version: HashVersion, nodes: &[Node], edges: &[Edge]) -> ContentHash {
    let id = |step: Step| nodes[step.index()].id.0.as_str();
    let topology = HashedTopology {
        nodes: nodes
            .iter()
            .map(|n| HashedNode { id: &n.id.0, plugin: &n.plugin, config_hash: n.config_hash.to_string() })
            .collect(),
        edges: edges
            .iter()
            .map(|e| HashedEdge { from: id(e.from), to: id(e.to), label: &e.label, mode: e.mode.as_str() })
            .collect(),
    };
    hash_of(version, &topology).expect("text in lists has a canonical form")
}
