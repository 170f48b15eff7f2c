use std::collections::{BTreeMap, BTreeSet};

use super::Findings;
use crate::GraphError;
use crate::spec::{DISCARD, GraphSpec, NodeKind, Ref};

const NODE_NAME_LIMIT: usize = 38;
const CONNECTION_LIMIT: usize = 64;
const RESERVED: [&str; 3] = ["continue", "fork", "on_success"];

/// Checks how every name is written, and that no two nodes share one.
pub(super) fn check(spec: &GraphSpec, findings: &mut Findings) {
    let mut seen: BTreeMap<&str, &Ref> = BTreeMap::new();
    for node in &spec.nodes {
        if !matches!(node.kind, NodeKind::Source { .. }) {
            check_name(&node.name, "name", NODE_NAME_LIMIT, findings);
        }
        if matches!(node.kind, NodeKind::Sink { .. }) && node.name.name == DISCARD {
            findings.push(
                GraphError::new("reserved-name", &node.name.at, "a sink cannot be called `discard`")
                    .help("`discard` is the word for rows that go to no sink; choose another name"),
            );
        }
        if node.name.name.is_empty() {
            continue;
        }
        if let Some(first) = seen.insert(&node.name.name, &node.name) {
            findings.push(duplicate(&node.name, first));
        }
    }
    let mut checked: BTreeSet<&str> =
        spec.nodes.iter().filter(|n| n.is_sink()).map(|n| n.name.name.as_str()).collect();
    for node in &spec.nodes {
        for (label, connection) in node.kind.names() {
            if let Some(label) = label {
                check_label(label, findings);
            }
            // A connection is written at both of its ends; the first is enough. One that is the node's own name was checked
            // as such.
            let connection = connection.filter(|c| **c != node.name && checked.insert(c.name.as_str()));
            if let Some(connection) = connection {
                check_name(connection, "connection", CONNECTION_LIMIT, findings);
            }
        }
    }
}

fn duplicate(name: &Ref, first: &Ref) -> GraphError {
    let message = if first.name == "source" {
        "`source` is the name of the source itself".to_owned()
    } else {
        format!("the name `{}` is taken by `{}`", name.name, first.at)
    };
    GraphError::new("duplicate-name", &name.at, message).help("names are unique over all nodes and sinks")
}

fn check_name(name: &Ref, what: &str, limit: usize, findings: &mut Findings) {
    let text = name.name.as_str();
    if text.is_empty() {
        return;
    }
    if let Some(error) = reserved(name, what).or_else(|| too_long(name, what, limit)) {
        return findings.push(error);
    }
    let mut letters = text.chars();
    let well_begun = letters.next().is_some_and(|c| c.is_ascii_alphabetic());
    if !well_begun || !letters.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
        findings.push(
            GraphError::new("bad-name", &name.at, format!("`{text}` cannot be a {what}"))
                .help("a letter first, then letters, digits, `_` and `-`"),
        );
    }
}

fn check_label(label: &Ref, findings: &mut Findings) {
    if let Some(error) = reserved(label, "label").or_else(|| too_long(label, "label", CONNECTION_LIMIT)) {
        findings.push(error);
    } else if label.name.is_empty() || label.name.chars().any(char::is_control) {
        findings.push(
            GraphError::new("bad-name", &label.at, "a label cannot be empty or hold control characters")
                .help("write the text that the condition gives"),
        );
    }
}

/// Whether the engine keeps that name to itself.
pub(super) fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || name.starts_with("__")
}

fn reserved(name: &Ref, what: &str) -> Option<GraphError> {
    let text = name.name.as_str();
    is_reserved(text).then(|| {
        GraphError::new("reserved-name", &name.at, format!("`{text}` cannot be a {what}: it is reserved"))
            .help("`continue`, `fork`, `on_success` and names that begin with `__` are the engine's own")
    })
}

fn too_long(name: &Ref, what: &str, limit: usize) -> Option<GraphError> {
    let length = name.name.chars().count();
    (length > limit).then(|| {
        GraphError::new("name-too-long", &name.at, format!("this {what} has {length} characters"))
            .help(format!("at most {limit}"))
    })
}
