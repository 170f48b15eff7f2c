use elspeth_value::Contract;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{Destination, Edge, ExecutionGraph, Node, NodeSpec};

pub(super) fn render(graph: &ExecutionGraph) -> Value {
    let nodes: Vec<Value> = graph.nodes().iter().map(|node| render_node(graph, node)).collect();
    let edges: Vec<Value> = graph.edges().iter().map(|edge| render_edge(graph, edge)).collect();
    json!({ "topology_hash": graph.topology_hash().to_string(), "nodes": nodes, "edges": edges })
}

fn render_node(graph: &ExecutionGraph, node: &Node) -> Value {
    let config: Value =
        serde_json::from_str(&node.config).unwrap_or_else(|_| Value::String(node.config.clone()));
    let mut rendered = json!({
        "step": node.step.get(),
        "id": node.id.0,
        "name": node.name,
        "type": node.node_type(),
        "plugin": node.plugin,
        "plugin_version": node.plugin_version,
        "determinism": node.determinism,
        "config": config,
        "config_hash": node.config_hash.to_string(),
        "input_schema": schema(&node.input),
        "output_schema": schema(&node.output),
    });
    let failures = match &node.spec {
        NodeSpec::Source { on_invalid, .. } => ("on_validation_failure", on_invalid),
        NodeSpec::Transform { on_error, .. } | NodeSpec::Gate { on_error, .. } => ("on_error", on_error),
        NodeSpec::Sink { on_write_failure } => ("on_write_failure", on_write_failure),
    };
    rendered[failures.0] = match failures.1 {
        Destination::Sink(edge) => json!(graph.node(graph.edge(*edge).to).name),
        Destination::Discard => json!("discard"),
    };
    if let NodeSpec::Gate { condition, .. } = &node.spec {
        rendered["condition"] = json!(condition.text());
    }
    rendered
}

fn render_edge(graph: &ExecutionGraph, edge: &Edge) -> Value {
    json!({
        "from": graph.node(edge.from).name,
        "to": graph.node(edge.to).name,
        "label": edge.label,
        "mode": edge.mode,
        "schema": schema(&graph.edge_contract(edge)),
    })
}

/// As settings write it.
fn schema(contract: &Contract) -> Value {
    #[derive(Serialize)]
    struct Schema<'a> {
        mode: elspeth_value::SchemaMode,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        fields: Vec<String>,
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        guaranteed_fields: &'a [compact_str::CompactString],
    }
    let fields = contract.fields.iter();
    let fields =
        fields.map(|f| format!("{}: {}{}", f.name, f.ty, if f.required { "" } else { "?" })).collect();
    let schema = Schema { mode: contract.mode, fields, guaranteed_fields: &contract.guaranteed_fields };
    serde_json::to_value(schema).expect("names and types are plain JSON")
}
