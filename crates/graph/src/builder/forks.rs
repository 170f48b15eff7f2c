use std::collections::BTreeMap;

use super::Findings;
use crate::GraphError;
use crate::spec::{FORK, GraphSpec, NodeDecl, NodeKind, Ref, RouteDecl, SettingPath};

/// Checks that every fork has branches, every branch a fork, and that the two are told apart.
pub(super) fn check(spec: &GraphSpec, findings: &mut Findings) {
    for node in &spec.nodes {
        if let NodeKind::Gate { routes, fork_to, .. } = &node.kind {
            let is_known = |key: &str| !spec.is_unread(&node.at.child(key));
            if is_known("routes") && is_known("fork_to") {
                check_both(node, routes, fork_to, findings);
            }
            check_branches(spec, routes, fork_to, findings);
        }
    }
}

fn check_both(node: &NodeDecl, routes: &[RouteDecl], fork_to: &[Ref], findings: &mut Findings) {
    let fork = routes.iter().find(|route| route.is_fork());
    match fork {
        Some(route) if fork_to.is_empty() => {
            let message = format!("`{}` forks, but has no `fork_to`", node.name.name);
            findings.push(
                GraphError::new("fork-without-branches", &route.target.at, message)
                    .help("add `fork_to: [<branch>, <branch>]`, a name for each copy of the row"),
            );
        }
        None if !fork_to.is_empty() && !routes.is_empty() => {
            let message =
                format!("`{}` has branches, but no label of its `routes` leads to `{FORK}`", node.name.name);
            findings.push(
                GraphError::new("branches-without-fork", &node.at.child("fork_to"), message)
                    .help(format!("write `{FORK}` as the target of a label, or remove `fork_to`")),
            );
        }
        Some(_) | None => {}
    }
}

fn check_branches(spec: &GraphSpec, routes: &[RouteDecl], fork_to: &[Ref], findings: &mut Findings) {
    let mut seen: BTreeMap<&str, &SettingPath> = BTreeMap::new();
    for branch in fork_to.iter().filter(|branch| !branch.name.is_empty()) {
        let name = branch.name.as_str();
        if seen.insert(name, &branch.at).is_some() {
            findings.push(
                GraphError::new("duplicate-branch", &branch.at, format!("the branch `{name}` is here twice"))
                    .help("each branch of a fork has a name of its own"),
            );
        }
    }
    let is_sink = |name: &str| spec.nodes.iter().any(|node| node.is_sink() && node.name.name == name);
    for route in routes.iter().filter(|route| !route.is_fork()) {
        let name = route.target.name.as_str();
        if let Some(branch) = seen.get(name).filter(|_| !is_sink(name)) {
            let message =
                format!("`{name}` is a branch of the fork ({branch}), so no label can lead there too");
            findings.push(
                GraphError::new("route-into-branch", &route.target.at, message)
                    .help("rows of this label are not forked: give them another connection, or a sink"),
            );
        }
    }
}
