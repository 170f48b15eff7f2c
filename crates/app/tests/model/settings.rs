//! A pipeline as a settings file.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use crate::pipeline::{
    Aggregation, Batch, BatchCondition, Branch, Change, Coalesce, Fate, Kind, Merge, Node, Pipeline, Policy,
    Route, SINKS, SinkNo, Target,
};
use crate::scope::Scope;

/// More seconds than any test takes.
const NEVER: u32 = 86_400;

/// The settings, with `$DIR` for the folder of all files, and what comes behind them.
pub(crate) fn text(pipeline: &Pipeline, operation: &str) -> String {
    let mut text = String::new();
    let schema = Scope::source_schema(pipeline.schema);
    let on_invalid = fate(pipeline.on_invalid);
    let start = connection(pipeline, pipeline.start);
    writeln!(
        text,
        "source:\n  plugin: json\n  on_success: {start}\n  options:\n    path: $DIR/in.jsonl\n    \
         on_validation_failure: {on_invalid}\n    schema: {schema}"
    )
    .unwrap();
    for (section, is_in) in SECTIONS {
        let nodes: Vec<&Node> = pipeline.nodes.iter().filter(|node| is_in(&node.kind)).collect();
        if !nodes.is_empty() {
            writeln!(text, "{section}:").unwrap();
        }
        for node in nodes {
            write_node(&mut text, pipeline, node);
        }
    }
    text.push_str("sinks:\n");
    for sink in used_sinks(pipeline) {
        let name = SINKS[sink];
        let plugin = if pipeline.csv == Some(sink) { "csv" } else { "json" };
        write!(text, "  {name}: {{plugin: {plugin}, options: {{path: $DIR/{}", pipeline.file(sink)).unwrap();
        match pipeline.picky.get(&sink) {
            None => writeln!(text, "}}}}").unwrap(),
            Some(refused) => {
                let schema = r#"{mode: flexible, fields: ["c: int?"]}"#;
                let refused = fate(*refused);
                writeln!(text, ", validate_input: true, schema: {schema}}}, on_write_failure: {refused}}}")
                    .unwrap();
            }
        }
    }
    text + operation
}

/// A section, and which nodes are in it.
type Section = (&'static str, fn(&Kind) -> bool);

const SECTIONS: [Section; 4] = [
    ("transforms", |kind| matches!(kind, Kind::Transform { .. })),
    ("gates", |kind| matches!(kind, Kind::Gate { .. })),
    ("aggregations", |kind| matches!(kind, Kind::Aggregation(_))),
    ("coalesce", |kind| matches!(kind, Kind::Coalesce(_))),
];

/// The sinks that rows can reach.
pub(crate) fn used_sinks(pipeline: &Pipeline) -> Vec<SinkNo> {
    let mut targets = vec![pipeline.start];
    let mut fates = vec![pipeline.on_invalid];
    for node in &pipeline.nodes {
        match &node.kind {
            Kind::Transform { next, on_error, .. } => {
                targets.push(*next);
                fates.push(*on_error);
            }
            Kind::Gate { routes, fork, on_error, .. } => {
                targets.extend(routes.iter().filter_map(|(_, route)| match route {
                    Route::To(target) => Some(*target),
                    Route::Fork => None,
                }));
                targets.extend(fork.iter().map(|branch| branch.to));
                fates.push(*on_error);
            }
            Kind::Aggregation(Aggregation { next, on_error, .. }) => {
                targets.push(*next);
                fates.push(*on_error);
            }
            Kind::Coalesce(Coalesce { next, .. }) => targets.push(*next),
        }
    }
    let reached =
        |sink: &SinkNo| targets.contains(&Target::Sink(*sink)) || fates.contains(&Fate::Sink(*sink));
    let mut used: Vec<SinkNo> = (0..SINKS.len()).filter(reached).collect();
    let refused: Vec<&Fate> = used.iter().filter_map(|sink| pipeline.picky.get(sink)).collect();
    let failsinks = (0..SINKS.len()).filter(|sink| refused.contains(&&Fate::Sink(*sink)));
    let failsinks: Vec<SinkNo> = failsinks.collect();
    used.extend(failsinks);
    used.sort_unstable();
    used.dedup();
    used
}

/// How settings name a target.
fn connection(pipeline: &Pipeline, target: Target) -> &str {
    match target {
        Target::Sink(sink) => SINKS[sink],
        Target::Node(node) => &pipeline.nodes[node].input,
        Target::Branch { coalesce, branch } => match &pipeline.nodes[coalesce].kind {
            Kind::Coalesce(coalesce) => &coalesce.branches[branch].connection,
            Kind::Transform { .. } | Kind::Gate { .. } | Kind::Aggregation(_) => {
                unreachable!("branches end in a coalesce")
            }
        },
    }
}

fn fate(fate: Fate) -> &'static str {
    match fate {
        Fate::Discard => "discard",
        Fate::Sink(sink) => SINKS[sink],
    }
}

fn write_node(text: &mut String, pipeline: &Pipeline, node: &Node) {
    let Node { name, input, kind } = node;
    match kind {
        Kind::Transform { change, next, on_error } => {
            let (plugin, options) = transform(change);
            writeln!(
                text,
                "  - {{name: {name}, plugin: {plugin}, input: {input}, on_success: {}, on_error: {}, \
                 options: {options}}}",
                connection(pipeline, *next),
                fate(*on_error)
            )
            .unwrap();
        }
        Kind::Gate { condition, routes, fork, on_error } => {
            let condition = json!(condition.text());
            writeln!(text, "  - name: {name}\n    input: {input}\n    condition: {condition}").unwrap();
            writeln!(text, "    on_error: {}\n    routes:", fate(*on_error)).unwrap();
            for (label, route) in routes {
                let to = match route {
                    Route::To(target) => connection(pipeline, *target),
                    Route::Fork => "fork",
                };
                writeln!(text, "      {}: {to}", json!(label)).unwrap();
            }
            if !fork.is_empty() {
                let names: Vec<&str> = fork.iter().map(|Branch { name, .. }| name.as_str()).collect();
                writeln!(text, "    fork_to: [{}]", names.join(", ")).unwrap();
            }
        }
        Kind::Aggregation(aggregation) => write_aggregation(text, pipeline, node, aggregation),
        Kind::Coalesce(coalesce) => write_coalesce(text, pipeline, name, coalesce),
    }
}

fn transform(change: &Change) -> (&'static str, Json) {
    match change {
        Change::Passthrough => ("passthrough", json!({})),
        Change::Map { mapping, computed, select_only, strict } => {
            let mapping: serde_json::Map<_, _> =
                mapping.iter().map(|(from, to)| (from.clone(), json!(to))).collect();
            let computed: serde_json::Map<_, _> =
                computed.iter().map(|(name, term)| (name.clone(), json!(term.text()))).collect();
            let options = json!({
                "mapping": mapping, "computed": computed, "select_only": select_only, "strict": strict
            });
            ("field_mapper", options)
        }
        Change::Truncate { field, limit, suffix, strict } => {
            ("truncate", json!({"fields": {field: limit}, "suffix": suffix, "strict": strict}))
        }
        Change::Filter { fields, word } => {
            let fields = fields.as_ref().map_or(json!("all"), |fields| json!(fields));
            ("keyword_filter", json!({"fields": fields, "blocked_patterns": [word]}))
        }
        Change::Explode { array, item, index } => {
            ("json_explode", json!({"array_field": array, "output_field": item, "include_index": index}))
        }
    }
}

fn write_aggregation(text: &mut String, pipeline: &Pipeline, node: &Node, aggregation: &Aggregation) {
    let Node { name, input, .. } = node;
    let (plugin, options) = match &aggregation.batch {
        Batch::Stats { value, group_by, mean } => {
            let mut options = json!({"value_field": value, "compute_mean": mean});
            if let Some(group) = group_by {
                options["group_by"] = json!(group);
            }
            ("batch_stats", options)
        }
        Batch::Replicate { copies, default, most, index } => (
            "batch_replicate",
            json!({
                "copies_field": copies, "default_copies": default, "max_copies": most,
                "include_copy_index": index
            }),
        ),
    };
    writeln!(text, "  - name: {name}\n    plugin: {plugin}\n    input: {input}").unwrap();
    if !aggregation.own_name {
        writeln!(text, "    on_success: {}", connection(pipeline, aggregation.next)).unwrap();
    }
    writeln!(text, "    on_error: {}", fate(aggregation.on_error)).unwrap();
    let count = aggregation.count.map(|count| format!("count: {count}"));
    let condition = aggregation.condition.map(|condition| {
        let asked = match condition {
            BatchCondition::Holds(count) => format!("row['batch_count'] >= {count}"),
            BatchCondition::AnyAge => "row['batch_age_seconds'] >= 0".to_owned(),
            BatchCondition::VeryOld => format!("row['batch_age_seconds'] > {NEVER}"),
        };
        format!("condition: \"{asked}\"")
    });
    let trigger: Vec<String> = count.into_iter().chain(condition).collect();
    if !trigger.is_empty() {
        writeln!(text, "    trigger: {{{}}}", trigger.join(", ")).unwrap();
    }
    if aggregation.passthrough {
        writeln!(text, "    output_mode: passthrough").unwrap();
    }
    if let Some(expected) = aggregation.expected {
        writeln!(text, "    expected_output_count: {expected}").unwrap();
    }
    writeln!(text, "    options: {options}").unwrap();
}

fn write_coalesce(text: &mut String, pipeline: &Pipeline, name: &str, coalesce: &Coalesce) {
    writeln!(text, "  - name: {name}").unwrap();
    let branches = &coalesce.branches;
    if branches.iter().all(|branch| branch.name == branch.connection) {
        let names: Vec<&str> = branches.iter().map(|branch| branch.name.as_str()).collect();
        writeln!(text, "    branches: [{}]", names.join(", ")).unwrap();
    } else {
        let pairs: Vec<String> =
            branches.iter().map(|branch| format!("{}: {}", branch.name, branch.connection)).collect();
        writeln!(text, "    branches: {{{}}}", pairs.join(", ")).unwrap();
    }
    match coalesce.policy {
        Policy::RequireAll => {}
        Policy::Quorum(count) => writeln!(text, "    policy: quorum\n    quorum_count: {count}").unwrap(),
        Policy::BestEffort => {
            writeln!(text, "    policy: best_effort\n    timeout_seconds: {NEVER}").unwrap();
        }
        Policy::First => writeln!(text, "    policy: first").unwrap(),
    }
    match coalesce.merge {
        Merge::Union => {}
        Merge::Nested => writeln!(text, "    merge: nested").unwrap(),
        Merge::Select(branch) => {
            writeln!(text, "    merge: select\n    select_branch: {}", branches[branch].name).unwrap();
        }
    }
    if !coalesce.own_name {
        writeln!(text, "    on_success: {}", connection(pipeline, coalesce.next)).unwrap();
    }
}
