//! Declarations in few words.

use elspeth_contracts::Determinism;
use elspeth_expr::{Expr, Root};
use elspeth_graph::spec::{GraphSpec, NodeDecl, NodeKind, PluginRef, Ref, RouteDecl};
use elspeth_graph::{ExecutionGraph, SettingPath};
use elspeth_value::Contract;

/// A contract as settings write it.
pub(crate) fn schema(mode: &str, fields: &[&str]) -> Contract {
    Contract::from_settings(&serde_json::json!({"mode": mode, "fields": fields})).expect("a schema")
}

/// A declaration of these nodes.
pub(crate) fn spec(nodes: Vec<NodeDecl>) -> GraphSpec {
    GraphSpec { nodes, ..GraphSpec::default() }
}

pub(crate) fn source(on_success: &str, on_invalid: &str) -> NodeDecl {
    source_of(on_success, on_invalid, Contract::observed())
}

pub(crate) fn source_of(on_success: &str, on_invalid: &str, contract: Contract) -> NodeDecl {
    let at = SettingPath::new("source");
    let kind = NodeKind::Source {
        on_success: Ref::new(on_success, at.child("on_success")),
        on_invalid: Ref::new(on_invalid, at.child("on_invalid")),
        contract,
    };
    node("source", at, "csv", kind)
}

pub(crate) fn transform(name: &str, input: &str, on_success: &str, on_error: &str) -> NodeDecl {
    transform_of(name, [input, on_success, on_error], Contract::observed(), |input| Ok(input.clone()))
}

pub(crate) fn transform_of(
    name: &str,
    [input, on_success, on_error]: [&str; 3],
    needs: Contract,
    output: impl Fn(&Contract) -> Result<Contract, String> + 'static,
) -> NodeDecl {
    let at = SettingPath::new(name);
    let kind = NodeKind::Transform {
        input: Ref::new(input, at.child("input")),
        on_success: Ref::new(on_success, at.child("on_success")),
        on_error: Ref::new(on_error, at.child("on_error")),
        needs,
        output: Box::new(output),
        expands: false,
    };
    node(name, at, "passthrough", kind)
}

pub(crate) fn gate(name: &str, input: &str, condition: &str, routes: &[(&str, &str)]) -> NodeDecl {
    let at = SettingPath::new(name);
    let routes = routes.iter().map(|(label, target)| RouteDecl {
        label: Ref::new(*label, at.child("routes").child(label).key()),
        target: Ref::new(*target, at.child("routes").child(label)),
    });
    let kind = NodeKind::Gate {
        input: Ref::new(input, at.child("input")),
        condition: Some(Expr::parse(condition, Root::Row).expect("an expression")),
        condition_at: at.child("condition"),
        routes: routes.collect(),
        fork_to: Vec::new(),
        on_error: Ref::new("discard", at.child("on_error")),
    };
    node(name, at, "gate", kind)
}

pub(crate) fn sink(name: &str) -> NodeDecl {
    sink_of(name, "discard", Contract::observed())
}

pub(crate) fn sink_of(name: &str, on_write_failure: &str, needs: Contract) -> NodeDecl {
    let at = SettingPath::new(name);
    let kind =
        NodeKind::Sink { on_write_failure: Ref::new(on_write_failure, at.child("on_write_failure")), needs };
    node(name, at, "csv", kind)
}

fn node(name: &str, at: SettingPath, plugin: &str, kind: NodeKind) -> NodeDecl {
    NodeDecl {
        name: Ref::new(name, at.child("name")),
        at,
        plugin: PluginRef {
            name: plugin.to_owned(),
            version: "1.0.0".to_owned(),
            determinism: Determinism::Deterministic,
        },
        config: format!("{{\"plugin\":\"{plugin}\"}}"),
        service: None,
        kind,
    }
}

pub(crate) fn built(nodes: Vec<NodeDecl>) -> ExecutionGraph {
    ExecutionGraph::build(spec(nodes)).expect("a valid pipeline").0
}
