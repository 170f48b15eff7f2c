use std::collections::BTreeMap;

use elspeth_canonical::{ContentHash, HashVersion};
use elspeth_contracts::{EdgeNo, NodeId, NodeType, Step, Topology, TopologyEdge, TopologyNode};

use super::branches::Branches;
use super::coalesces;
use super::contracts::Sides;
use super::wiring::Wire;
use crate::spec::{GraphSpec, NodeDecl, NodeKind, Ref, RouteDecl};
use crate::{Destination, Edge, ExecutionGraph, ForkBranch, GateRoute, Node, NodeSpec, RouteTo, Trigger};

const HASH_DIGITS: usize = 12;

/// What every rule has passed.
pub(super) struct Checked {
    pub(super) spec: GraphSpec,
    pub(super) wires: Vec<Wire>,
    pub(super) order: Vec<usize>,
    pub(super) sides: Vec<Sides>,
    pub(super) branches: Branches,
}

/// The edge of each port of one node.
type PortEdges = BTreeMap<usize, EdgeNo>;

/// Numbers nodes and edges and computes the hashes.
pub(super) fn assemble(mut checked: Checked) -> ExecutionGraph {
    let hash = checked.spec.hash;
    let steps = steps(&checked.order);
    let (edges, ports) = edges(&checked, &steps);
    let reaching = reaching(&checked, &steps, &ports);
    let places: Vec<Place<'_>> = checked
        .order
        .iter()
        .map(|position| Place {
            step: steps[position],
            ports: &ports[*position],
            joins: checked.joins(*position, &steps),
        })
        .collect();
    let mut declared: Vec<Option<NodeDecl>> = checked.spec.nodes.drain(..).map(Some).collect();
    let mut nodes = Vec::with_capacity(declared.len());
    for (position, place) in checked.order.iter().zip(places) {
        let decl = declared[*position].take().expect("the order names every node once");
        let sides = checked.sides[*position].clone();
        nodes.push(node(decl, place, hash, sides));
    }
    let by_name = nodes.iter().map(|n| (n.name.clone(), n.step)).collect();
    let topology_hash = topology_hash(hash, &nodes, &edges);
    ExecutionGraph { nodes, edges, topology_hash, by_name, reaching }
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

/// Which coalesces each edge leads to.
fn reaching(checked: &Checked, steps: &BTreeMap<usize, Step>, ports: &[PortEdges]) -> Vec<Vec<Step>> {
    let mut reaching = vec![Vec::new(); checked.wires.len()];
    for (coalesce, join) in &checked.branches.joins {
        for wire in join.wires.iter().map(|index| &checked.wires[*index]) {
            reaching[ports[wire.from][&wire.port].index()].push(steps[coalesce]);
        }
    }
    for coalesces in &mut reaching {
        coalesces.sort_unstable();
    }
    reaching
}

/// What is known of a node besides its declaration.
struct Place<'a> {
    step: Step,
    ports: &'a PortEdges,
    joins: Joins,
}

/// What has to do with forks and merges.
struct Joins {
    /// Of a gate: the coalesce that each branch feeds.
    feeds: Vec<Option<Step>>,
    /// Of a coalesce.
    crosses_rows: bool,
}

impl Checked {
    fn joins(&self, position: usize, steps: &BTreeMap<usize, Step>) -> Joins {
        let feeds = |branch| self.branches.feeds.get(&(position, branch)).map(|coalesce| steps[coalesce]);
        let branches = match &self.spec.nodes[position].kind {
            NodeKind::Gate { fork_to, .. } => fork_to.len(),
            NodeKind::Source { .. }
            | NodeKind::Transform { .. }
            | NodeKind::Aggregation { .. }
            | NodeKind::Coalesce { .. }
            | NodeKind::Sink { .. } => 0,
        };
        let crosses_rows = self.branches.joins.get(&position).is_some_and(|join| join.crosses_rows);
        Joins { feeds: (0..branches).map(feeds).collect(), crosses_rows }
    }
}

fn node(decl: NodeDecl, place: Place<'_>, hash: HashVersion, sides: Sides) -> Node {
    let config_hash = hash.hash(decl.config.as_bytes());
    let spec = node_spec(decl.kind, place.ports, place.joins);
    let mut node = Node {
        step: place.step,
        id: NodeId(String::new()),
        name: decl.name.name,
        plugin: decl.plugin.name,
        plugin_version: decl.plugin.version,
        determinism: decl.plugin.determinism,
        config: decl.config,
        config_hash,
        input: sides.input,
        output: sides.output,
        service: decl.service,
        spec,
    };
    node.id = node_id(node.node_type(), &node.name, config_hash);
    node
}

fn node_id(node_type: NodeType, name: &str, config_hash: ContentHash) -> NodeId {
    let hex = config_hash.to_string();
    NodeId(format!("{node_type}_{name}_{}", &hex[..HASH_DIGITS]))
}

fn node_spec(kind: NodeKind, ports: &PortEdges, joins: Joins) -> NodeSpec {
    let onward = |port: usize| *ports.get(&port).expect("every onward port was connected");
    let divert = |port: usize| ports.get(&port).map_or(Destination::Discard, |edge| Destination::Sink(*edge));
    match kind {
        NodeKind::Source { .. } => NodeSpec::Source { on_success: onward(0), on_invalid: divert(1) },
        NodeKind::Transform { .. } => NodeSpec::Transform { on_success: onward(0), on_error: divert(1) },
        NodeKind::Gate { condition, routes, fork_to, .. } => {
            let on_error = divert(routes.len() + fork_to.len());
            let branches = (routes.len()..).zip(fork_to).zip(joins.feeds);
            let branch = |((port, branch), coalesce): ((usize, Ref), Option<Step>)| ForkBranch {
                name: branch.name.into(),
                edge: onward(port),
                coalesce,
            };
            NodeSpec::Gate {
                condition: condition.expect("a gate without condition was reported"),
                on_error,
                fork: branches.map(branch).collect(),
                routes: routes
                    .into_iter()
                    .enumerate()
                    .map(|(port, route)| gate_route(route, || onward(port)))
                    .collect(),
            }
        }
        NodeKind::Aggregation { trigger, output_mode, expected_output_count, .. } => NodeSpec::Aggregation {
            on_success: onward(0),
            on_error: divert(1),
            trigger: Trigger { count: trigger.count, timeout: trigger.timeout, condition: trigger.condition },
            output_mode,
            expected_output_count,
        },
        NodeKind::Coalesce { branches, policy, merge, timeout, .. } => {
            let branches: Vec<String> = branches.into_iter().map(|branch| branch.name.name).collect();
            NodeSpec::Coalesce {
                on_success: onward(0),
                policy: coalesces::policy(policy, branches.len()).expect("the quorum was checked"),
                merge: coalesces::merge(&merge, &branches).expect("the selected branch was checked"),
                branches,
                timeout,
                crosses_rows: joins.crosses_rows,
            }
        }
        NodeKind::Sink { .. } => NodeSpec::Sink { on_write_failure: divert(0) },
    }
}

fn gate_route(route: RouteDecl, edge: impl FnOnce() -> EdgeNo) -> GateRoute {
    let to = if route.is_fork() { RouteTo::Fork } else { RouteTo::Edge(edge()) };
    GateRoute { label: route.label.name, to }
}

fn topology_hash(version: HashVersion, nodes: &[Node], edges: &[Edge]) -> ContentHash {
    let named = nodes.iter().map(|n| TopologyNode {
        id: &n.id.0,
        plugin: &n.plugin,
        config_hash: n.config_hash.to_string(),
    });
    let edges = edges.iter().map(|edge| TopologyEdge {
        from: edge.from.index(),
        to: edge.to.index(),
        label: &edge.label,
        mode: edge.mode,
    });
    Topology::new(named.collect(), edges).expect("edges are between nodes").hash(version)
}
