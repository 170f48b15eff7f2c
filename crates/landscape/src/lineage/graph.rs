//! The registered graph, as far as answers need it.

use elspeth_contracts::{EdgeRecord, NodeRecord, NodeType, RoutingEventRecord, Step};

use crate::{Corruption, LandscapeError, LandscapeReader};

/// Nodes and edges.
#[derive(Debug)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<NodeRecord>,
    pub(crate) edges: Vec<EdgeRecord>,
}

impl Graph {
    pub(crate) async fn load(reader: &dyn LandscapeReader, run_no: i64) -> Result<Self, LandscapeError> {
        Ok(Self { nodes: reader.nodes(run_no).await?, edges: reader.edges(run_no).await? })
    }

    pub(crate) fn node(&self, step: Step) -> Result<&NodeRecord, Corruption> {
        self.nodes.get(step.index()).filter(|node| node.step == step).ok_or_else(|| Corruption {
            table: "nodes",
            id: format!("step {}", step.get()),
            what: "records refer to this node, but it is not registered".to_owned(),
        })
    }

    pub(crate) fn edge(&self, event: &RoutingEventRecord) -> Result<&EdgeRecord, Corruption> {
        self.edges.get(event.edge.index()).filter(|edge| edge.edge == event.edge).ok_or_else(|| Corruption {
            table: "edges",
            id: event.edge.0.to_string(),
            what: "a routing event refers to this edge, but it is not registered".to_owned(),
        })
    }

    /// Whether a node is of that type; an unregistered one is of none.
    pub(super) fn is(&self, step: Step, node_type: NodeType) -> bool {
        self.nodes.get(step.index()).is_some_and(|node| node.node_type == node_type)
    }

    /// Whether there is a node of that type.
    pub(super) fn has(&self, node_type: NodeType) -> bool {
        self.nodes.iter().any(|node| node.node_type == node_type)
    }

    /// The step of the sink of that name.
    pub(super) fn sink(&self, name: &str) -> Result<Step, LandscapeError> {
        let sinks = || self.nodes.iter().filter(|node| node.node_type == NodeType::Sink);
        sinks().find(|node| node.name == name).map(|node| node.step).ok_or_else(|| {
            let names: Vec<&str> = sinks().map(|node| node.name.as_str()).collect();
            LandscapeError::NotFound(format!(
                "the run has no sink `{name}`; its sinks are {}",
                names.join(", ")
            ))
        })
    }
}
