use elspeth_canonical::{ContentHash, HashVersion, to_canonical_vec};
use serde::Serialize;

use crate::{EdgeMode, EdgeRecord, NodeRecord, Step};

/// What the topology hash is over, as `docs/evidence-format.md` defines it: nodes in step order, edges in the order of their numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Topology<'a> {
    nodes: Vec<TopologyNode<'a>>,
    edges: Vec<HashedEdge<'a>>,
}

/// A node, as far as the topology hash covers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TopologyNode<'a> {
    /// Its id.
    pub id: &'a str,
    /// The name of its plugin.
    pub plugin: &'a str,
    /// The hash of its configuration.
    pub config_hash: String,
}

/// An edge, as far as the topology hash covers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopologyEdge<'a> {
    /// Where it begins: a node by its place in the list.
    pub from: usize,
    /// Where it ends.
    pub to: usize,
    /// Its label.
    pub label: &'a str,
    /// What travels along it.
    pub mode: EdgeMode,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct HashedEdge<'a> {
    from: &'a str,
    to: &'a str,
    label: &'a str,
    mode: &'static str,
}

impl<'a> Topology<'a> {
    /// Of these nodes and edges; `None` when an edge begins or ends at a node that does not exist.
    #[must_use]
    pub fn new(
        nodes: Vec<TopologyNode<'a>>,
        edges: impl IntoIterator<Item = TopologyEdge<'a>>,
    ) -> Option<Self> {
        let hashed = |TopologyEdge { from, to, label, mode }: TopologyEdge<'a>| {
            let (from, to) = (nodes.get(from)?.id, nodes.get(to)?.id);
            Some(HashedEdge { from, to, label, mode: mode.as_str() })
        };
        let edges = edges.into_iter().map(hashed).collect::<Option<_>>()?;
        Some(Self { nodes, edges })
    }

    /// Of records; `None` when an edge begins or ends at a node that does not exist.
    #[must_use]
    pub fn of_records(nodes: &'a [NodeRecord], edges: &'a [EdgeRecord]) -> Option<Self> {
        let place = |step: Step| nodes.iter().position(|node| node.step == step);
        let edge = |edge: &'a EdgeRecord| {
            let (from, to) = (place(edge.from)?, place(edge.to)?);
            Some(TopologyEdge { from, to, label: &edge.label, mode: edge.mode })
        };
        let node = |node: &'a NodeRecord| TopologyNode {
            id: &node.node_id.0,
            plugin: &node.plugin,
            config_hash: node.config_hash.to_string(),
        };
        let edges: Vec<_> = edges.iter().map(edge).collect::<Option<_>>()?;
        Self::new(nodes.iter().map(node).collect(), edges)
    }

    /// The text itself.
    #[must_use]
    pub fn text(&self) -> Vec<u8> {
        to_canonical_vec(self).expect("text in lists has a canonical form")
    }

    /// Its hash, for [`NodeRecord`]s and [`EdgeRecord`]s the `topology_hash` of their run.
    #[must_use]
    pub fn hash(&self, version: HashVersion) -> ContentHash {
        version.hash(&self.text())
    }
}
