use std::fmt::Write as _;

use elspeth_contracts::EdgeMode;

use super::text::{cut, schema_lines, schema_words, subtitle};
use crate::{ExecutionGraph, Node, NodeSpec};

const SCHEMA_LENGTH: usize = 48;

pub(super) fn render(graph: &ExecutionGraph) -> String {
    let mut out = String::from(
        "digraph elspeth {\n  rankdir=TB;\n  node [style=filled, fontname=\"Helvetica\"];\n  \
         edge [fontname=\"Helvetica\", fontsize=10];\n",
    );
    for node in graph.nodes() {
        let (shape, fill) = look(node);
        let label = format!("{}\\n{}", escaped(&node.name), escaped(&cut(&subtitle(node), SCHEMA_LENGTH)));
        let id = escaped(&node.id.0);
        writeln!(out, "  \"{id}\" [label=\"{label}\", shape={shape}, fillcolor=\"{fill}\"];")
            .expect("text can be written to");
    }
    for edge in graph.edges() {
        let contract = graph.edge_contract(edge);
        let style = match edge.mode {
            EdgeMode::Move => "solid",
            EdgeMode::Copy => "bold",
            EdgeMode::Divert => "dashed",
        };
        let label =
            format!("{}\\n{}", escaped(&edge.label), escaped(&cut(&schema_words(&contract), SCHEMA_LENGTH)));
        let tooltip = escaped(&schema_lines(&contract));
        let (from, to) = (escaped(&graph.node(edge.from).id.0), escaped(&graph.node(edge.to).id.0));
        writeln!(out, "  \"{from}\" -> \"{to}\" [label=\"{label}\", style={style}, tooltip=\"{tooltip}\"];")
            .expect("text can be written to");
    }
    out.push_str("}\n");
    out
}

const fn look(node: &Node) -> (&'static str, &'static str) {
    match node.spec {
        NodeSpec::Source { .. } => ("oval", "#dbeafe"),
        NodeSpec::Transform { .. } => ("box", "#ede9fe"),
        NodeSpec::Gate { .. } => ("hexagon", "#fef3c7"),
        NodeSpec::Aggregation { .. } => ("box3d", "#fce7f3"),
        NodeSpec::Coalesce { .. } => ("invtrapezium", "#ccfbf1"),
        NodeSpec::Sink { .. } => ("cylinder", "#dcfce7"),
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
