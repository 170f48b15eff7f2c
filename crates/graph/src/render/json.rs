use elspeth_contracts::Step;
use elspeth_value::Contract;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{CoalescePolicy, Destination, Edge, ExecutionGraph, ForkBranch, Merge, Node, NodeSpec, Trigger};

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
    if let Some(service) = &node.service {
        rendered["service"] = json!(service);
    }
    let target = |destination: &Destination| match destination {
        Destination::Sink(edge) => json!(graph.node(graph.edge(*edge).to).name),
        Destination::Discard => json!("discard"),
    };
    match &node.spec {
        NodeSpec::Source { on_invalid, .. } => rendered["on_validation_failure"] = target(on_invalid),
        NodeSpec::Transform { on_error, .. } => rendered["on_error"] = target(on_error),
        NodeSpec::Gate { on_error, condition, fork, .. } => {
            rendered["on_error"] = target(on_error);
            rendered["condition"] = json!(condition.text());
            if !fork.is_empty() {
                rendered["fork"] = fork.iter().map(|branch| render_branch(graph, branch)).collect();
            }
        }
        NodeSpec::Aggregation { on_error, trigger, output_mode, expected_output_count, .. } => {
            rendered["on_error"] = target(on_error);
            rendered["trigger"] = render_trigger(trigger);
            rendered["output_mode"] = json!(output_mode.as_str());
            rendered["expected_output_count"] = json!(expected_output_count);
        }
        NodeSpec::Coalesce { branches, policy, merge, timeout, crosses_rows, .. } => {
            rendered["branches"] = json!(branches);
            rendered["policy"] = json!(policy.as_str());
            if let CoalescePolicy::Quorum(count) = policy {
                rendered["quorum_count"] = json!(count);
            }
            rendered["merge"] = json!(merge.as_str());
            if let Merge::Select(branch) = merge {
                rendered["select_branch"] = json!(branches[*branch]);
            }
            rendered["timeout_seconds"] = json!(timeout.map(|timeout| timeout.as_secs_f64()));
            rendered["crosses_rows"] = json!(crosses_rows);
        }
        NodeSpec::Sink { on_write_failure } => rendered["on_write_failure"] = target(on_write_failure),
    }
    rendered
}

fn render_branch(graph: &ExecutionGraph, branch: &ForkBranch) -> Value {
    let name = |step: Step| &graph.node(step).name;
    json!({
        "branch": branch.name.as_ref(),
        "to": name(graph.edge(branch.edge).to),
        "coalesce": branch.coalesce.map(name),
    })
}

fn render_trigger(trigger: &Trigger) -> Value {
    json!({
        "count": trigger.count,
        "timeout_seconds": trigger.timeout.map(|timeout| timeout.as_secs_f64()),
        "condition": trigger.condition.as_ref().map(elspeth_expr::Expr::text),
    })
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
