use std::borrow::Cow;

use elspeth_value::{Contract, SchemaMode};

use crate::{CoalescePolicy, Merge, Node, NodeSpec, Trigger};

/// A contract in a few words: `id int, name str?, ...`.
pub(super) fn schema_words(contract: &Contract) -> String {
    let mode = mode_name(contract.mode);
    if contract.fields.is_empty() {
        return mode.to_owned();
    }
    let fields: Vec<String> = contract
        .fields
        .iter()
        .map(|f| format!("{} {}{}", f.name, f.ty, if f.required { "" } else { "?" }))
        .collect();
    let more = if contract.mode == SchemaMode::Fixed { "" } else { ", ..." };
    format!("{}{more}", fields.join(", "))
}

/// The same in full, a field a line.
pub(super) fn schema_lines(contract: &Contract) -> String {
    let mut lines = vec![format!("schema: {}", mode_name(contract.mode))];
    for field in &contract.fields {
        lines.push(format!("{}: {}{}", field.name, field.ty, if field.required { "" } else { "?" }));
    }
    if !contract.guaranteed_fields.is_empty() {
        lines.push(format!("guaranteed: {}", contract.guaranteed_fields.join(", ")));
    }
    lines.join("\n")
}

const fn mode_name(mode: SchemaMode) -> &'static str {
    match mode {
        SchemaMode::Fixed => "fixed",
        SchemaMode::Flexible => "flexible",
        SchemaMode::Observed => "observed",
    }
}

/// What a node does, below its name: the condition of a gate, how a coalesce merges, the plugin of anything else.
pub(super) fn subtitle(node: &Node) -> Cow<'_, str> {
    match &node.spec {
        NodeSpec::Gate { condition, .. } => condition.text().trim().into(),
        NodeSpec::Aggregation { trigger, .. } => {
            format!("{}, {}", node.plugin, trigger_words(trigger)).into()
        }
        NodeSpec::Coalesce { branches, policy, merge, timeout, .. } => {
            let wait = timeout.map_or_else(String::new, |timeout| format!(", {} s", timeout.as_secs_f64()));
            format!("{}{wait}, {}", policy_words(*policy), merge_words(*merge, branches)).into()
        }
        NodeSpec::Source { .. } | NodeSpec::Transform { .. } | NodeSpec::Sink { .. } => (&node.plugin).into(),
    }
}

fn trigger_words(trigger: &Trigger) -> String {
    let count = trigger.count.map(|count| format!("every {count}"));
    let timeout = trigger.timeout.map(|timeout| format!("after {} s", timeout.as_secs_f64()));
    let condition = trigger.condition.as_ref().map(|condition| condition.text().trim().to_owned());
    let words: Vec<String> = [count, timeout, condition].into_iter().flatten().collect();
    if words.is_empty() { "at the end".to_owned() } else { words.join(" or ") }
}

fn policy_words(policy: CoalescePolicy) -> String {
    match policy {
        CoalescePolicy::Quorum(count) => format!("quorum {count}"),
        CoalescePolicy::RequireAll | CoalescePolicy::BestEffort | CoalescePolicy::First => {
            policy.as_str().to_owned()
        }
    }
}

fn merge_words(merge: Merge, branches: &[String]) -> String {
    match merge {
        Merge::Select(branch) => format!("select {}", branches[branch]),
        Merge::Union | Merge::Nested => merge.as_str().to_owned(),
    }
}

/// At most `limit` characters of one line, with an ellipsis when something is left out.
pub(super) fn cut(text: &str, limit: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= limit {
        return line;
    }
    let kept: String = line.chars().take(limit - 1).collect();
    format!("{}\u{2026}", kept.trim_end())
}
