//! Declarations in few words.

use std::time::Duration;

use elspeth_contracts::Determinism;
use elspeth_expr::{Expr, Root};
use elspeth_graph::spec::{
    BranchDecl, GraphSpec, MergeDecl, Misfit, NodeDecl, NodeKind, PluginRef, PolicyDecl, Ref, RouteDecl,
    TriggerDecl,
};
use elspeth_graph::{ExecutionGraph, OutputMode, SettingPath};
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
    output: impl Fn(&Contract) -> Result<Contract, Vec<Misfit>> + 'static,
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

/// A gate that copies its rows to every branch when `row['fork']` is true; else they go to `rest`, a sink or connection.
pub(crate) fn fork(name: &str, input: &str, branches: &[&str], rest: &str) -> NodeDecl {
    let mut node = gate(name, input, "row['fork'] == True", &[("true", "fork"), ("false", rest)]);
    let at = node.at.child("fork_to");
    if let NodeKind::Gate { fork_to, .. } = &mut node.kind {
        *fork_to = branches.iter().enumerate().map(|(i, b)| Ref::new(*b, at.child(i))).collect();
    }
    node
}

/// A coalesce with branches as `name` or `name=connection`; `None` produces the connection of its own name.
pub(crate) fn coalesce(name: &str, branches: &[&str], on_success: Option<&str>) -> NodeDecl {
    coalesce_of(name, branches, on_success, PolicyDecl::RequireAll, MergeDecl::Union)
}

pub(crate) fn coalesce_of(
    name: &str,
    branches: &[&str],
    on_success: Option<&str>,
    policy: PolicyDecl,
    merge: MergeDecl,
) -> NodeDecl {
    let at = SettingPath::new(name);
    let branch = |(i, branch): (usize, &&str)| {
        let at = at.child("branches").child(i);
        let (name, input) = branch.split_once('=').unwrap_or((branch, branch));
        BranchDecl { name: Ref::new(name, at.key()), input: Ref::new(input, at) }
    };
    let kind = NodeKind::Coalesce {
        branches: branches.iter().enumerate().map(branch).collect(),
        on_success: on_success_of(name, on_success, &at),
        policy,
        merge,
        timeout: (policy == PolicyDecl::BestEffort).then_some(Duration::from_secs(5)),
    };
    node(name, at, "coalesce", kind)
}

/// An aggregation that gives what comes in, in batches of 10.
pub(crate) fn aggregation(
    name: &str,
    input: &str,
    on_success: Option<&str>,
    output_mode: OutputMode,
) -> NodeDecl {
    let at = SettingPath::new(name);
    let kind = NodeKind::Aggregation {
        input: Ref::new(input, at.child("input")),
        on_success: on_success_of(name, on_success, &at),
        on_error: Ref::new("discard", at.child("on_error")),
        needs: Contract::observed(),
        output: Box::new(|input| Ok(input.clone())),
        trigger: TriggerDecl { count: Some(10), ..TriggerDecl::default() },
        output_mode,
        expected_output_count: None,
    };
    node(name, at, "batch", kind)
}

/// The same, which is worked on when the condition says so.
pub(crate) fn aggregation_when(name: &str, input: &str, on_success: &str, condition: &str) -> NodeDecl {
    let mut node = aggregation(name, input, Some(on_success), OutputMode::Transform);
    if let NodeKind::Aggregation { trigger, .. } = &mut node.kind {
        trigger.condition = Some(Expr::parse(condition, Root::Trigger).expect("an expression"));
    }
    node
}

fn on_success_of(name: &str, on_success: Option<&str>, at: &SettingPath) -> Ref {
    match on_success {
        Some(target) => Ref::new(target, at.child("on_success")),
        None => Ref::new(name, at.child("name")),
    }
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

/// Errors as `code at`, in the order of their places.
pub(crate) fn errors(nodes: Vec<NodeDecl>) -> Vec<String> {
    let errors = ExecutionGraph::build(spec(nodes)).expect_err("an invalid pipeline");
    let mut errors: Vec<String> = errors.iter().map(|e| format!("{} {}", e.code, e.at)).collect();
    errors.sort();
    errors
}

/// The helps of all errors of that code.
pub(crate) fn advice(nodes: Vec<NodeDecl>, code: &str) -> Vec<String> {
    let errors = ExecutionGraph::build(spec(nodes)).expect_err("an invalid pipeline");
    errors.into_iter().filter(|e| e.code == code).filter_map(|e| e.help).collect()
}
