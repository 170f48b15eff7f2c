use std::collections::BTreeSet;

use elspeth_contracts::EdgeMode;
use elspeth_expr::{Expr, ExprError, ExprType};
use elspeth_value::{Contract, SchemaConflict};

use super::wiring::{Wire, field_advice};
use super::{Findings, merge};
use crate::spec::{GraphSpec, MergeDecl, Misfit, NodeDecl, NodeKind, OutputContract, RouteDecl, SettingPath};
use crate::{GraphError, GraphWarning};

/// What comes into a node and what goes out.
#[derive(Debug, Clone)]
pub(super) struct Sides {
    pub(super) input: Contract,
    pub(super) output: Contract,
}

/// Carries contracts along the graph, and checks every edge and every condition against them.
///
/// The result is by position in the spec. A node whose producer is not known works on an observed contract, so that one
/// error does not bring others with it.
pub(super) fn propagate(
    spec: &GraphSpec,
    wires: &[Wire],
    order: &[usize],
    findings: &mut Findings,
) -> Vec<Sides> {
    let unknown = Sides { input: Contract::observed(), output: Contract::observed() };
    let mut sides = vec![unknown; spec.nodes.len()];
    let mut feeding: Vec<Vec<&Wire>> = vec![Vec::new(); spec.nodes.len()];
    for wire in wires.iter().filter(|w| w.mode != EdgeMode::Divert) {
        feeding[wire.to].push(wire);
    }
    let mut declaring: Vec<Vec<usize>> = vec![Vec::new(); spec.nodes.len()];
    for position in order {
        let feeding = || feeding[*position].iter();
        let before = feeding().flat_map(|wire| declaring[wire.from].iter().copied()).collect();
        declaring[*position] = declaring_nodes(spec, *position, before);
        let into = |wire: &&'_ Wire| Incoming {
            produced: sides[wire.from].output.clone(),
            declared_at: declaring[wire.from].iter().map(|i| spec.nodes[*i].name.name.as_str()).collect(),
        };
        let incoming: Vec<(&Wire, Incoming<'_>)> = feeding().map(|wire| (*wire, into(wire))).collect();
        sides[*position] = sides_of(spec, *position, &incoming, findings);
    }
    sides
}

/// What comes along one wire.
struct Incoming<'a> {
    produced: Contract,
    /// The nodes in whose schemas its fields are declared.
    declared_at: BTreeSet<&'a str>,
}

/// The nodes in whose schemas the fields that go out of a node are declared: its own, or those before one that has none. What
/// a nested merge gives is declared nowhere.
fn declaring_nodes(spec: &GraphSpec, position: usize, before: Vec<usize>) -> Vec<usize> {
    match &spec.nodes[position].kind {
        NodeKind::Source { .. }
        | NodeKind::Transform { .. }
        | NodeKind::Aggregation { .. }
        | NodeKind::Sink { .. } => vec![position],
        NodeKind::Coalesce { merge: MergeDecl::Nested, .. } => Vec::new(),
        NodeKind::Coalesce { .. } | NodeKind::Gate { .. } => before,
    }
}

fn sides_of(
    spec: &GraphSpec,
    position: usize,
    incoming: &[(&Wire, Incoming<'_>)],
    findings: &mut Findings,
) -> Sides {
    let node = &spec.nodes[position];
    let first =
        || incoming.first().map_or_else(Contract::observed, |(_, incoming)| incoming.produced.clone());
    match &node.kind {
        NodeKind::Source { contract, .. } => Sides { input: contract.clone(), output: contract.clone() },
        NodeKind::Transform { input, needs, output, .. } => {
            let fits = check_edge(spec, position, (needs, &input.at), incoming, findings);
            worked_on(first(), output, (node, fits), findings)
        }
        NodeKind::Aggregation { input, needs, output, trigger, .. } => {
            let fits = check_edge(spec, position, (needs, &input.at), incoming, findings);
            if let Some(condition) = &trigger.condition {
                check_trigger(condition, &node.at.child("trigger").child("condition"), findings);
            }
            worked_on(first(), output, (node, fits), findings)
        }
        NodeKind::Coalesce { branches, policy, merge, .. } => {
            let is_unread = |key: &str| spec.is_unread(&node.at.child(key));
            if ["branches", "policy", "merge", "select_branch"].into_iter().any(is_unread) {
                return Sides { input: Contract::observed(), output: Contract::observed() };
            }
            let arriving = |number| incoming.iter().find(|(wire, _)| wire.input == number);
            let contracts = (0..branches.len()).map(|n| arriving(n).map(|(_, incoming)| &incoming.produced));
            let merged = merge::merged(branches, &contracts.collect::<Vec<_>>(), merge, *policy);
            Sides { input: merged.clone(), output: merged }
        }
        NodeKind::Gate { condition, condition_at, routes, .. } => {
            let input = first();
            if let Some(condition) = condition {
                let routes = (!spec.is_lost(&node.at.child("routes"))).then_some(routes.as_slice());
                check_condition(condition, condition_at, routes, &input, findings);
            }
            Sides { output: input.clone(), input }
        }
        NodeKind::Sink { needs, .. } => {
            for edge in incoming {
                check_edge(spec, position, (needs, &edge.0.at), std::slice::from_ref(edge), findings);
            }
            Sides { input: needs.clone(), output: needs.clone() }
        }
    }
}

/// The sides of a node whose plugin says what it makes of its rows.
fn worked_on(
    input: Contract,
    output: &OutputContract,
    (node, fits): (&NodeDecl, bool),
    findings: &mut Findings,
) -> Sides {
    let output = output(&input).unwrap_or_else(|misfits| {
        for Misfit { message, help, at } in misfits.into_iter().filter(|_| fits) {
            let at = at.unwrap_or_else(|| node.at.child("options"));
            findings.push(GraphError { help, ..GraphError::new("schema-conflict", &at, message) });
        }
        Contract::observed()
    });
    Sides { input, output }
}

fn check_edge(
    spec: &GraphSpec,
    consumer: usize,
    (needs, at): (&Contract, &SettingPath),
    incoming: &[(&Wire, Incoming<'_>)],
    findings: &mut Findings,
) -> bool {
    let consumer = spec.nodes[consumer].name.name.as_str();
    let mut fits = true;
    for (wire, incoming) in incoming {
        let producer = spec.nodes[wire.from].name.name.as_str();
        for conflict in incoming.produced.conflicts_with(needs) {
            fits = false;
            findings.push(conflict_error(&conflict, at, (producer, incoming), consumer));
        }
    }
    fits
}

fn conflict_error(
    conflict: &SchemaConflict,
    at: &SettingPath,
    (producer, incoming): (&str, &Incoming<'_>),
    consumer: &str,
) -> GraphError {
    let produced = &incoming.produced;
    match conflict {
        SchemaConflict::NotGuaranteed { field } => {
            let message =
                format!("`{consumer}` needs the field `{field}`, which `{producer}` does not guarantee");
            let near = field_advice(field, produced.fields.iter().map(|f| f.name.as_str()));
            let help = near.unwrap_or_else(|| match produced.field(field) {
                Some(_) => {
                    format!("`{field}` is optional at `{producer}`; make it required there or optional here")
                }
                None => declare_advice(field, &incoming.declared_at),
            });
            GraphError::new("schema-conflict", at, message).help(help)
        }
        SchemaConflict::TypeDiffers { field, produced, consumed } => {
            let message = format!(
                "`{consumer}` takes `{field}` as {consumed}, but `{producer}` gives it as {produced}"
            );
            GraphError::new("schema-conflict", at, message).help("declare the same type on both sides")
        }
        SchemaConflict::NotAllowed { field } => {
            let message = format!(
                "`{producer}` gives the field `{field}`, which the fixed schema of `{consumer}` does not allow"
            );
            GraphError::new("schema-conflict", at, message)
                .help(format!("add `{field}` to that schema, make it `flexible`, or drop the field before"))
        }
    }
}

fn declare_advice(field: &str, nodes: &BTreeSet<&str>) -> String {
    if nodes.is_empty() {
        return format!("do not require `{field}` here");
    }
    let nodes: Vec<String> = nodes.iter().map(|node| format!("of `{node}`")).collect();
    let schemas = if nodes.len() == 1 { "schema" } else { "schemas" };
    format!(
        "declare `{field}` in the {schemas} {} (as a field or in `guaranteed_fields`), or do not require it here",
        nodes.join(" and ")
    )
}

fn check_condition(
    condition: &Expr,
    at: &SettingPath,
    routes: Option<&[RouteDecl]>,
    input: &Contract,
    findings: &mut Findings,
) {
    let kind = match condition.check(input) {
        Err(errors) => return report_types(errors, at, findings),
        Ok(kind) => kind,
    };
    // Routes that could not be read are not blamed; those that are absent have been.
    let Some(routes) = routes.filter(|routes| !routes.is_empty()) else { return };
    match kind {
        ExprType::Bool => check_boolean_labels(routes, at, findings),
        ExprType::Int => warn_of_labels(routes, "a whole number", |l| l.parse::<i64>().is_ok(), findings),
        ExprType::Float => warn_of_labels(routes, "a number", |l| l.parse::<f64>().is_ok(), findings),
        ExprType::Unknown | ExprType::Null | ExprType::Str | ExprType::List | ExprType::Map => {}
    }
}

/// A trigger asks whether; a result that is never true or false is a mistake.
fn check_trigger(condition: &Expr, at: &SettingPath, findings: &mut Findings) {
    let what = match condition.check(&Contract::observed()) {
        Err(errors) => return report_types(errors, at, findings),
        Ok(ExprType::Bool | ExprType::Unknown) => return,
        Ok(ExprType::Int) => "a whole number",
        Ok(ExprType::Float) => "a number",
        Ok(ExprType::Str) => "text",
        Ok(ExprType::Null) => "nothing",
        Ok(ExprType::List | ExprType::Map) => "a collection",
    };
    let message = format!("the condition gives {what}, where a trigger asks for true or false");
    findings.push(
        GraphError::new("trigger-not-boolean", at, message)
            .help("compare it, such as `row['batch_count'] >= 100`"),
    );
}

fn report_types(errors: Vec<ExprError>, at: &SettingPath, findings: &mut Findings) {
    for error in errors {
        let mut found = GraphError::new("expression-type", at, error.message);
        found.help = error.help;
        found.span = Some(error.span);
        findings.push(found);
    }
}

fn check_boolean_labels(routes: &[RouteDecl], at: &SettingPath, findings: &mut Findings) {
    let wrong = routes.iter().find(|r| !["true", "false"].contains(&r.label.name.as_str()));
    let missing = ["true", "false"].into_iter().find(|label| routes.iter().all(|r| r.label.name != *label));
    let (at, what) = match (wrong, missing) {
        (Some(route), _) => {
            (&route.label.at, format!("nothing is routed to the label `{}`", route.label.name))
        }
        (None, Some(label)) => (at, format!("a route for \"{label}\" is missing")),
        (None, None) => return,
    };
    findings.push(
        GraphError::new("boolean-labels", at, format!("the condition is true or false, so {what}"))
            .help("the routes must be exactly `\"true\"` and `\"false\"`"),
    );
}

fn warn_of_labels(routes: &[RouteDecl], what: &str, possible: fn(&str) -> bool, findings: &mut Findings) {
    for route in routes.iter().filter(|r| !possible(&r.label.name)) {
        findings.warn(GraphWarning {
            code: "label-never-taken",
            message: format!(
                "the condition gives {what}, so the label `{}` is never taken",
                route.label.name
            ),
            help: Some("labels are the text of the result".to_owned()),
            at: route.label.at.clone(),
        });
    }
}
