use std::fmt::Write as _;

use elspeth_contracts::EdgeMode;

use super::text::{cut, schema_words, subtitle};
use crate::{ExecutionGraph, Node, NodeSpec};

const SCHEMA_LENGTH: usize = 60;

pub(super) fn render(graph: &ExecutionGraph) -> String {
    let mut out = String::from("flowchart TD\n");
    for node in graph.nodes() {
        writeln!(out, "  {}", shape(node)).expect("text can be written to");
    }
    for edge in graph.edges() {
        let words = cut(&schema_words(&graph.edge_contract(edge)), SCHEMA_LENGTH);
        let label = format!("{}<br/><i>{}</i>", escaped(&edge.label), escaped(&words));
        let arrow = match edge.mode {
            EdgeMode::Move => "-->",
            EdgeMode::Copy => "==>",
            EdgeMode::Divert => "-.->",
        };
        let (from, to) = (edge.from.get(), edge.to.get());
        writeln!(out, "  n{from} {arrow}|\"{label}\"| n{to}").expect("text can be written to");
    }
    out.push_str("  classDef source fill:#dbeafe,stroke:#2563eb,color:#111\n");
    out.push_str("  classDef transform fill:#ede9fe,stroke:#7c3aed,color:#111\n");
    out.push_str("  classDef gate fill:#fef3c7,stroke:#d97706,color:#111\n");
    out.push_str("  classDef aggregation fill:#fce7f3,stroke:#db2777,color:#111\n");
    out.push_str("  classDef coalesce fill:#ccfbf1,stroke:#0d9488,color:#111\n");
    out.push_str("  classDef sink fill:#dcfce7,stroke:#16a34a,color:#111\n");
    out
}

fn shape(node: &Node) -> String {
    let text =
        format!("<b>{}</b><br/>{}", escaped(&node.name), escaped(&cut(&subtitle(node), SCHEMA_LENGTH)));
    let (open, close) = match node.spec {
        NodeSpec::Source { .. } => ("([", "])"),
        NodeSpec::Transform { .. } => ("[", "]"),
        NodeSpec::Gate { .. } => ("{{", "}}"),
        NodeSpec::Aggregation { .. } => ("[[", "]]"),
        NodeSpec::Coalesce { .. } => ("(", ")"),
        NodeSpec::Sink { .. } => ("[(", ")]"),
    };
    format!("n{}{open}\"{text}\"{close}:::{}", node.step.get(), node.node_type())
}

/// Mermaid's entity codes for what would end a quoted text or begin markup.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '#' => out.push_str("#35;"),
            '"' => out.push_str("#quot;"),
            '<' => out.push_str("#lt;"),
            '>' => out.push_str("#gt;"),
            '&' => out.push_str("#amp;"),
            '`' => out.push_str("#96;"),
            '\\' => out.push_str("#92;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
