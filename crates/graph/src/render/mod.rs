//! The graph to look at: as Mermaid, DOT, JSON and SVG, with the schema on each edge.

mod dot;
mod json;
mod layout;
mod mermaid;
mod order;
mod place;
mod svg;
mod text;

use elspeth_value::Contract;

use crate::{Edge, ExecutionGraph, NodeSpec};
use elspeth_contracts::EdgeMode;

impl ExecutionGraph {
    /// What is known of the rows that take an edge.
    ///
    /// Records that a source refuses can look like anything; other diverted rows look as they came into the node.
    #[must_use]
    pub fn edge_contract(&self, edge: &Edge) -> Contract {
        let node = self.node(edge.from);
        match (edge.mode, &node.spec) {
            (EdgeMode::Divert, NodeSpec::Source { .. }) => Contract::observed(),
            (
                EdgeMode::Divert,
                NodeSpec::Transform { .. }
                | NodeSpec::Gate { .. }
                | NodeSpec::Aggregation { .. }
                | NodeSpec::Coalesce { .. }
                | NodeSpec::Sink { .. },
            ) => node.input.clone(),
            (EdgeMode::Move | EdgeMode::Copy, _) => node.output.clone(),
        }
    }

    /// A Mermaid flowchart.
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        mermaid::render(self)
    }

    /// A DOT digraph, for Graphviz.
    #[must_use]
    pub fn to_dot(&self) -> String {
        dot::render(self)
    }

    /// Everything that is known of it, as one object: `topology_hash`, `nodes`, `edges`.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        json::render(self)
    }

    /// A picture of its own, needing no other program.
    #[must_use]
    pub fn to_svg(&self) -> String {
        svg::render(self)
    }
}
