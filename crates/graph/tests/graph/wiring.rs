//! Every rule of wiring: what it refuses, where it says so, and what it advises.

use crate::pipelines::{
    advice, built, errors, gate, schema, sink, sink_of, source, source_of, spec, transform, transform_of,
};
use elspeth_graph::ExecutionGraph;

#[test]
fn a_straight_pipeline_is_numbered_in_order_of_flow() {
    let graph = built(vec![
        source("rows", "bad"),
        transform("second", "first_out", "out", "discard"),
        transform("first", "rows", "first_out", "bad"),
        sink("bad"),
        sink("out"),
    ]);
    let names: Vec<&str> = graph.nodes().iter().map(|n| n.name.as_str()).collect();
    assert_eq!(names, ["source", "first", "second", "bad", "out"]);
    let edges: Vec<String> = graph
        .edges()
        .iter()
        .map(|e| format!("{}-{}->{} {}", graph.node(e.from).name, e.label, graph.node(e.to).name, e.mode))
        .collect();
    let expected = [
        "source-continue->first move",
        "source-__quarantine__->bad divert",
        "first-continue->second move",
        "first-__error_first__->bad divert",
        "second-on_success->out move",
    ];
    assert_eq!(edges, expected);
}

#[test]
fn ties_are_numbered_in_settings_order() {
    let tree = |first: &str, second: &str| {
        built(vec![
            source("rows", "discard"),
            gate("split", "rows", "row['a']", &[("x", "xs"), ("y", "ys")]),
            transform(first, if first == "tx" { "xs" } else { "ys" }, "out", "discard"),
            transform(second, if second == "tx" { "xs" } else { "ys" }, "out", "discard"),
            sink("out"),
        ])
    };
    let order = |graph: &ExecutionGraph| graph.nodes().iter().map(|n| n.name.clone()).collect::<Vec<_>>();
    assert_eq!(order(&tree("tx", "ty")), ["source", "split", "tx", "ty", "out"]);
    assert_eq!(order(&tree("ty", "tx")), ["source", "split", "ty", "tx", "out"]);
}

#[test]
fn node_ids_and_topology_hash_follow_from_the_declaration_alone() {
    let pipeline = |target: &str| {
        built(vec![
            source("rows", "discard"),
            gate("g", "rows", "row['a'] > 1", &[("true", target), ("false", "b")]),
            sink("a"),
            sink_of("b", "a", elspeth_value::Contract::observed()),
        ])
    };
    let (one, same, other) = (pipeline("a"), pipeline("a"), pipeline("b"));
    assert_eq!(one.topology_hash(), same.topology_hash());
    assert_ne!(one.topology_hash(), other.topology_hash());
    let id = &one.named("g").unwrap().id.0;
    let (start, hash) = id.rsplit_once('_').unwrap();
    assert_eq!(start, "gate_g");
    assert_eq!(hash, &one.named("g").unwrap().config_hash.to_string()[..12]);
}

#[test]
fn connections_have_one_producer_and_one_consumer() {
    let twice_consumed = vec![
        source("rows", "discard"),
        transform("a", "rows", "out", "discard"),
        transform("b", "rows", "out", "discard"),
        sink("out"),
    ];
    assert_eq!(errors(twice_consumed), ["duplicate-consumer b.input"]);
    let twice_produced = vec![
        source("rows", "discard"),
        gate("g", "rows", "row['a']", &[("x", "to_a"), ("y", "to_b")]),
        transform("a", "to_a", "same", "discard"),
        transform("b", "to_b", "same", "discard"),
        transform("c", "same", "out", "discard"),
        sink("out"),
    ];
    assert_eq!(errors(twice_produced), ["duplicate-producer b.on_success"]);
}

#[test]
fn labels_of_one_gate_may_share_a_target() {
    let graph = built(vec![
        source("rows", "discard"),
        gate("g", "rows", "row['a']", &[("x", "more"), ("y", "more"), ("z", "out")]),
        transform("more", "more", "out", "discard"),
        sink("out"),
    ]);
    assert_eq!(graph.edges().iter().filter(|e| graph.node(e.to).name == "more").count(), 2);
}

#[test]
fn names_that_lead_nowhere_are_refused_with_advice() {
    let nodes = || {
        vec![
            source("rows", "quarantin"),
            transform("t", "rows", "outptu", "rows"),
            transform("u", "nothing", "out", "discard"),
            sink_of("out", "nowhere", elspeth_value::Contract::observed()),
            sink("quarantine"),
        ]
    };
    let expected = [
        "unknown-connection u.input",
        "unknown-sink out.on_write_failure",
        "unknown-sink source.on_invalid",
        "unknown-sink t.on_error",
        "unknown-target t.on_success",
    ];
    assert_eq!(errors(nodes()), expected);
    let sinks = advice(nodes(), "unknown-sink");
    assert!(sinks.contains(&"did you mean `quarantine`?".to_owned()), "{sinks:?}");
    assert!(sinks.iter().any(|help| help.contains("a sink or to `discard`")), "{sinks:?}");
}

#[test]
fn a_name_is_either_a_sink_or_a_connection() {
    let nodes =
        vec![source("out", "discard"), transform("t", "out", "other", "discard"), sink("out"), sink("other")];
    assert!(errors(nodes).contains(&"name-clash t.input".to_owned()));
}

#[test]
fn a_connection_may_bear_the_name_of_a_node() {
    built(vec![source("t", "discard"), transform("t", "t", "out", "discard"), sink("out")]);
}

#[test]
fn names_are_unique_well_formed_and_not_reserved() {
    let long = "a".repeat(39);
    let nodes = vec![
        source("continue", "discard"),
        transform("t", "continue", "1st", "discard"),
        transform("t", "1st", "__x", "discard"),
        transform(&long, "__x", "out", "discard"),
        sink("out"),
    ];
    let found = errors(nodes);
    for expected in [
        "bad-name t.on_success",
        "duplicate-name t.name",
        "name-too-long aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.name",
        "reserved-name source.on_success",
        "reserved-name t.on_success",
    ] {
        assert!(found.contains(&expected.to_owned()), "{expected} in {found:?}");
    }
    let nodes = vec![source("out", "discard"), sink("out"), sink("discard")];
    assert!(errors(nodes).contains(&"reserved-name discard.name".to_owned()));
}

#[test]
fn rings_are_refused_and_named() {
    let nodes = || {
        vec![
            source("rows", "discard"),
            transform("t", "rows", "out", "discard"),
            transform("a", "c_out", "a_out", "discard"),
            transform("b", "a_out", "b_out", "discard"),
            transform("c", "b_out", "c_out", "discard"),
            transform("alone", "self", "self", "discard"),
            sink("out"),
        ]
    };
    assert_eq!(errors(nodes()), ["cycle a.input", "cycle alone.input"]);
    let found = ExecutionGraph::build(spec(nodes())).unwrap_err();
    assert!(found.iter().any(|e| e.message.ends_with("`a` -> `b` -> `c` -> `a`")), "{found:?}");
}

#[test]
fn a_pipeline_needs_a_sink_and_every_sink_a_producer() {
    assert!(errors(vec![source("out", "discard")]).contains(&"no-sink sinks".to_owned()));
    let nodes = vec![source("out", "discard"), sink("out"), sink("idle")];
    assert_eq!(errors(nodes), ["unreachable idle.name"]);
    let mut exported = spec(vec![source("out", "discard"), sink("out"), sink("idle")]);
    exported.reached_otherwise.push("idle".to_owned());
    assert!(ExecutionGraph::build(exported).is_ok());
}

#[test]
fn failsinks_are_other_sinks_without_failsinks() {
    let observed = elspeth_value::Contract::observed;
    let nodes = vec![
        source("a", "discard"),
        sink_of("a", "b", observed()),
        sink_of("b", "c", observed()),
        sink_of("c", "c", observed()),
    ];
    assert_eq!(
        errors(nodes),
        ["failsink-has-failsink a.on_write_failure", "failsink-is-itself c.on_write_failure"]
    );
}

#[test]
fn boolean_gates_have_the_labels_true_and_false() {
    let nodes = vec![
        source("rows", "discard"),
        gate("g", "rows", "row['a'] > 1", &[("high", "out"), ("false", "out")]),
        sink("out"),
    ];
    assert_eq!(errors(nodes), ["boolean-labels g.routes.high"]);
    let nodes =
        vec![source("rows", "discard"), gate("g", "rows", "row['a'] > 1", &[("false", "out")]), sink("out")];
    assert_eq!(errors(nodes), ["boolean-labels g.condition"]);
}

#[test]
fn conditions_are_checked_against_the_schema_that_arrives() {
    let fixed = schema("fixed", &["amount: int", "name: str"]);
    let nodes = vec![
        source_of("rows", "discard", fixed),
        gate("g", "rows", "row['amuont'] > 1", &[("true", "out"), ("false", "out")]),
        sink("out"),
    ];
    assert_eq!(errors(nodes), ["expression-type g.condition"]);
}

#[test]
fn whole_number_conditions_warn_of_labels_that_are_none() {
    let nodes = vec![
        source_of("rows", "discard", schema("fixed", &["n: int"])),
        gate("g", "rows", "row['n']", &[("1", "out"), ("one", "out")]),
        sink("out"),
    ];
    let (_, warnings) = ExecutionGraph::build(spec(nodes)).unwrap();
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].at.as_str(), "g.routes.one");
}

#[test]
fn schemas_are_carried_through_the_graph_and_checked_on_every_edge() {
    let renamed = |input: &elspeth_value::Contract| {
        let mut output = input.clone();
        output.fields[0].name = "total".into();
        Ok(output)
    };
    let pipeline = |needs| {
        vec![
            source_of("rows", "discard", schema("fixed", &["amount: int"])),
            transform_of("t", ["rows", "renamed", "discard"], schema("flexible", &["amount: int"]), renamed),
            gate("g", "renamed", "row['total'] > 1", &[("true", "out"), ("false", "out")]),
            sink_of("out", "discard", needs),
        ]
    };
    let graph = built(pipeline(schema("flexible", &["total: int"])));
    assert_eq!(graph.named("g").unwrap().output.fields[0].name, "total");
    let edge = &graph.edges()[2];
    assert_eq!(graph.edge_contract(edge).fields[0].name, "total");
    let missing = errors(pipeline(schema("flexible", &["amount: int"])));
    assert_eq!(missing, ["schema-conflict g.routes.false", "schema-conflict g.routes.true"]);
    assert_eq!(errors(pipeline(schema("fixed", &["total: str"]))).len(), 2);
}

#[test]
fn an_incomplete_declaration_is_not_blamed_for_what_may_be_missing() {
    let everything =
        ["unknown-connection", "unknown-sink", "unknown-target", "unknown-target", "unreachable"].as_slice();
    let cases: [(&str, &[&str]); 10] = [
        ("", &[]),
        ("concurrency.max_workers", everything),
        ("transforms.0.options.fields", everything),
        ("sinks.other.options", everything),
        ("gates", &["unknown-sink"]),
        ("gates.3", &["unknown-sink"]),
        ("gates.3.input", &["unknown-connection", "unknown-sink", "unreachable"]),
        ("gates.3.routes.high", &["unknown-sink", "unknown-target", "unknown-target"]),
        ("sinks", &["unknown-connection"]),
        (
            "transforms.0.on_error",
            &["unknown-connection", "unknown-sink", "unknown-target", "unknown-target"],
        ),
    ];
    for (unread, expected) in cases {
        let mut incomplete = spec(vec![
            source("rows", "quarantine"),
            transform("t", "other", "elsewhere", "discard"),
            sink("out"),
        ]);
        incomplete.unread = vec![elspeth_graph::SettingPath::new(unread)];
        let found = ExecutionGraph::build(incomplete).unwrap_err();
        let mut codes: Vec<&str> = found.iter().map(|e| e.code).collect();
        codes.sort_unstable();
        assert_eq!(codes, expected, "{unread}");
    }
}

#[test]
fn a_transform_that_cannot_work_on_its_rows_says_why() {
    let nodes = vec![
        source("rows", "discard"),
        transform_of("t", ["rows", "out", "discard"], elspeth_value::Contract::observed(), |_| {
            Err(vec!["no".to_owned().into()])
        }),
        sink("out"),
    ];
    assert_eq!(errors(nodes), ["schema-conflict t.options"]);
}

#[test]
fn more_nodes_than_steps_are_refused() {
    let mut nodes = vec![source("c0", "discard")];
    for i in 0..4095 {
        nodes.push(transform(&format!("t{i}"), &format!("c{i}"), &format!("c{}", i + 1), "discard"));
    }
    nodes.push(transform("last", "c4095", "out", "discard"));
    nodes.push(sink("out"));
    assert_eq!(errors(nodes), ["too-many-nodes "]);
}
