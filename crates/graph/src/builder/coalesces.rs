use std::collections::{BTreeMap, BTreeSet};

use super::Findings;
use crate::spec::{BranchDecl, GraphSpec, MergeDecl, NodeDecl, NodeKind, PolicyDecl, SettingPath};
use crate::suggest::{advise, nearest};
use crate::{CoalescePolicy, GraphError, GraphWarning, Merge};

/// Checks what a coalesce says of itself, and that each of its branches is one of a fork and in no other coalesce.
/// `meant` are names that were probably meant elsewhere and are not reported again.
pub(super) fn check(spec: &GraphSpec, meant: &BTreeSet<String>, findings: &mut Findings) {
    let forked: BTreeSet<&str> = spec.nodes.iter().flat_map(forked_branches).collect();
    let mut owners: BTreeMap<&str, &NodeDecl> = BTreeMap::new();
    for node in &spec.nodes {
        if let NodeKind::Coalesce { branches, policy, merge, timeout, .. } = &node.kind {
            if branches.is_empty() && !spec.is_unread(&node.at.child("branches")) {
                findings.push(
                    GraphError::new("no-branches", &node.at.child("branches"), "a coalesce needs branches")
                        .help("name the branches of the fork that it joins"),
                );
            }
            let is_known = |keys: [&str; 2]| !keys.iter().any(|key| spec.is_unread(&node.at.child(key)));
            if is_known(["branches", "quorum_count"]) {
                check_policy(node, *policy, branches.len(), findings);
            }
            if is_known(["policy", "timeout_seconds"]) {
                check_timeout(node, *policy, timeout.is_some(), findings);
            }
            if is_known(["branches", "select_branch"]) {
                check_selected(node, merge, branches, findings);
            }
            check_owners(node, branches, &mut owners, findings);
            if !spec.may_fork_more() {
                let missing =
                    branches.iter().filter(|b| !b.name.name.is_empty() && !meant.contains(&b.name.name));
                report_unforked(missing, &forked, findings);
            }
        }
    }
}

/// The policy of so many branches; `None` when its quorum is not possible.
pub(super) fn policy(declared: PolicyDecl, branches: usize) -> Option<CoalescePolicy> {
    Some(match declared {
        PolicyDecl::RequireAll => CoalescePolicy::RequireAll,
        PolicyDecl::Quorum(count) => {
            let count = u32::try_from(count?).ok()?;
            let possible = count > 0 && usize::try_from(count).is_ok_and(|count| count <= branches);
            CoalescePolicy::Quorum(possible.then_some(count)?)
        }
        PolicyDecl::BestEffort => CoalescePolicy::BestEffort,
        PolicyDecl::First => CoalescePolicy::First,
    })
}

/// The merge of those branches; `None` when the selected one is not among them.
pub(super) fn merge(declared: &MergeDecl, branches: &[String]) -> Option<Merge> {
    Some(match declared {
        MergeDecl::Union => Merge::Union,
        MergeDecl::Nested => Merge::Nested,
        MergeDecl::Select(selected) => {
            let selected = &selected.as_ref()?.name;
            Merge::Select(branches.iter().position(|branch| branch == selected)?)
        }
    })
}

fn forked_branches(node: &NodeDecl) -> impl Iterator<Item = &str> {
    let branches = match &node.kind {
        NodeKind::Gate { fork_to, .. } => fork_to.as_slice(),
        NodeKind::Source { .. }
        | NodeKind::Transform { .. }
        | NodeKind::Aggregation { .. }
        | NodeKind::Coalesce { .. }
        | NodeKind::Sink { .. } => &[],
    };
    branches.iter().map(|branch| branch.name.as_str())
}

fn check_policy(node: &NodeDecl, declared: PolicyDecl, branches: usize, findings: &mut Findings) {
    if policy(declared, branches).is_some() || branches == 0 {
        return;
    }
    let PolicyDecl::Quorum(count) = declared else { return };
    let error = match count {
        None => GraphError::new(
            "quorum-without-count",
            &node.at.child("policy"),
            "`policy: quorum` needs a `quorum_count`",
        ),
        Some(count) => GraphError::new(
            "quorum-out-of-range",
            &node.at.child("quorum_count"),
            format!("a quorum of {count} is not possible with {branches} branches"),
        ),
    };
    findings.push(error.help(format!("write `quorum_count: <n>`, from 1 to {branches}")));
}

fn check_timeout(node: &NodeDecl, policy: PolicyDecl, has_timeout: bool, findings: &mut Findings) {
    match policy {
        PolicyDecl::BestEffort if !has_timeout => findings.push(
            GraphError::new(
                "best-effort-without-timeout",
                &node.at.child("policy"),
                "`policy: best_effort` needs `timeout_seconds`",
            )
            .help("add `timeout_seconds: <seconds>`, after which those that have arrived are merged"),
        ),
        PolicyDecl::First if has_timeout => findings.warn(GraphWarning {
            code: "unused-setting",
            message: "with `policy: first` nothing waits, so there is nothing to time out".to_owned(),
            help: Some("remove `timeout_seconds`".to_owned()),
            at: node.at.child("timeout_seconds"),
        }),
        PolicyDecl::BestEffort | PolicyDecl::First | PolicyDecl::RequireAll | PolicyDecl::Quorum(_) => {}
    }
}

fn check_selected(node: &NodeDecl, merge: &MergeDecl, branches: &[BranchDecl], findings: &mut Findings) {
    let MergeDecl::Select(selected) = merge else { return };
    let names = || branches.iter().map(|branch| branch.name.name.as_str());
    let error = match selected {
        None => GraphError::new(
            "select-without-branch",
            &node.at.child("merge"),
            "`merge: select` needs a `select_branch`",
        )
        .help("add `select_branch: <branch>`, the one whose row is taken"),
        Some(selected) if !selected.name.is_empty() && !names().any(|name| name == selected.name) => {
            let message = format!("`{}` is no branch of `{}`", selected.name, node.name.name);
            GraphError::new("unknown-branch", &selected.at, message).help(advise(
                &selected.name,
                "branches",
                names(),
            ))
        }
        Some(_) => return,
    };
    findings.push(error);
}

fn check_owners<'a>(
    node: &'a NodeDecl,
    branches: &'a [BranchDecl],
    owners: &mut BTreeMap<&'a str, &'a NodeDecl>,
    findings: &mut Findings,
) {
    for branch in branches.iter().filter(|branch| !branch.name.name.is_empty()) {
        let name = branch.name.name.as_str();
        let Some(owner) = owners.insert(name, node) else { continue };
        let error = if std::ptr::eq(owner, node) {
            GraphError::new("duplicate-branch", &branch.name.at, format!("the branch `{name}` is here twice"))
                .help("name each branch once")
        } else {
            let message = format!("the branch `{name}` is in `{}` already", owner.name.name);
            GraphError::new("branch-in-two-coalesces", &branch.name.at, message)
                .help("a branch ends in one coalesce; let the fork have another branch for this one")
        };
        findings.push(error);
    }
}

fn report_unforked<'a>(
    branches: impl Iterator<Item = &'a BranchDecl>,
    forked: &BTreeSet<&str>,
    findings: &mut Findings,
) {
    for branch in branches {
        let name = branch.name.name.as_str();
        if !forked.contains(name) {
            let help = match nearest(name, forked.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("let a gate fork to it: `fork_to: [{name}, ...]`"),
            };
            let at: &SettingPath = &branch.name.at;
            findings.push(
                GraphError::new("branch-never-forked", at, format!("no gate forks to a branch `{name}`"))
                    .help(help),
            );
        }
    }
}
