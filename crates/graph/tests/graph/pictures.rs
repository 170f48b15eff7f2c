//! Pictures of graphs: what they hold, that nothing in them overlaps, and that hostile names do no harm.

use crate::pipelines::{
    aggregation_when, built, coalesce, coalesce_of, fork, gate, schema, sink, sink_of, source, source_of,
    transform,
};
use elspeth_graph::ExecutionGraph;
use elspeth_graph::SettingPath;
use elspeth_graph::spec::{MergeDecl, PolicyDecl, Ref};
use elspeth_value::Contract;

fn tree() -> ExecutionGraph {
    built(vec![
        source_of("raw", "quarantine", schema("fixed", &["id: int", "name: str", "amount: float?"])),
        transform("clean", "raw", "clean", "errors"),
        gate("is_large", "clean", "row.get('amount') == 1", &[("true", "large"), ("false", "small")]),
        gate("kind", "large", "row['name']", &[("a", "more"), ("b", "more"), ("c", "out")]),
        transform("same", "small", "out", "discard"),
        transform("again", "more", "out", "errors"),
        sink_of("out", "failed", Contract::observed()),
        sink("quarantine"),
        sink("errors"),
        sink("failed"),
    ])
}

/// A long chain whose every node has its errors in one sink.
fn chain(length: usize) -> ExecutionGraph {
    let mut nodes = vec![source("c0", "errors")];
    for i in 0..length {
        nodes.push(transform(&format!("t{i}"), &format!("c{i}"), &format!("c{}", i + 1), "errors"));
    }
    nodes.push(transform("last", &format!("c{length}"), "out", "errors"));
    nodes.extend([sink("out"), sink("errors")]);
    built(nodes)
}

/// The boxes behind labels: left, top, right, bottom.
fn label_boxes(svg: &str) -> Vec<[f64; 4]> {
    svg.lines()
        .filter(|line| line.starts_with("<rect x=") && line.contains("fill=\"#ffffff\""))
        .map(|line| {
            let (x, y) = (attribute(line, "x"), attribute(line, "y"));
            [x, y, x + attribute(line, "width"), y + attribute(line, "height")]
        })
        .collect()
}

/// The value of an attribute of an element in one line.
fn attribute(line: &str, name: &str) -> f64 {
    let start = line.find(&format!(" {name}=\"")).expect("the attribute") + name.len() + 3;
    line[start..].split('"').next().and_then(|n| n.parse::<f64>().ok()).expect("a number")
}

#[test]
fn the_legend_lies_within_the_narrowest_picture() {
    let forked = built(vec![
        source("raw", "errors"),
        fork("twice", "raw", &["a", "b"], "errors"),
        coalesce("once", &["a", "b"], Some("out")),
        sink("out"),
        sink("errors"),
    ]);
    for graph in [built(vec![source("out", "discard"), sink("out")]), forked] {
        let svg = graph.to_svg();
        let width = attribute(&svg, "width");
        let last = svg.lines().rfind(|line| line.starts_with("<text")).expect("a legend");
        let words = last.split(['>', '<']).nth(2).expect("words");
        assert!(words.starts_with("topology "), "{last}");
        let right = attribute(last, "x") + 0.6 * attribute(last, "font-size") * words.len() as f64;
        assert!(right + 8.0 < width, "{right} of {width}");
    }
}

#[test]
fn an_svg_has_every_node_label_and_schema() {
    let svg = tree().to_svg();
    for text in [
        ">source<",
        ">clean<",
        ">is_large<",
        ">row.get(&apos;",
        ">continue<",
        ">__quarantine__<",
        ">__error_clean__<",
        ">__failsink__<",
        ">on_success<",
        ">true<",
        ">id int, name str, amount f",
        "amount: float?",
        "stroke-dasharray",
    ] {
        let text = text.replace("&apos;", "'");
        assert!(svg.contains(&text), "{text} is not in the picture");
    }
    assert_eq!(svg.matches("<g>").count(), svg.matches("</g>").count());
    // Two labels that share a way are one box.
    assert_eq!(label_boxes(&svg).len(), tree().edges().len() - 1);
}

#[test]
fn labels_never_overlap_and_stay_inside() {
    for graph in [tree(), joins(), chain(3), chain(40)] {
        let svg = graph.to_svg();
        let boxes = label_boxes(&svg);
        for (i, a) in boxes.iter().enumerate() {
            assert!(a[0] >= 0.0 && a[1] >= 0.0, "{a:?}");
            for b in &boxes[i + 1..] {
                let apart = a[2] <= b[0] || b[2] <= a[0] || a[3] <= b[1] || b[3] <= a[1];
                assert!(apart, "{a:?} overlaps {b:?}");
            }
        }
    }
}

#[test]
fn a_graph_of_thousands_of_nodes_can_still_be_drawn() {
    assert!(chain(3000).to_svg().ends_with("</svg>\n"));
}

#[test]
fn mermaid_names_shapes_arrows_and_schemas() {
    let text = tree().to_mermaid();
    for line in [
        "flowchart TD",
        r#"n0(["<b>source</b><br/>csv"]):::source"#,
        r#"n2{{"<b>is_large</b><br/>row.get('amount') == 1"}}:::gate"#,
        r#"n0 -->|"continue<br/><i>id int, name str, amount float?</i>"| n1"#,
        r#"-.->|"__quarantine__<br/><i>observed</i>"|"#,
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[test]
fn dot_uses_node_ids_and_dashes_diverted_edges() {
    let graph = tree();
    let text = graph.to_dot();
    let id = &graph.named("clean").unwrap().id.0;
    assert!(text.contains(&format!("\"{id}\" [label=\"clean\\npassthrough\", shape=box")), "{text}");
    assert_eq!(text.matches("style=dashed").count(), 4);
    assert!(text.starts_with("digraph") && text.ends_with("}\n"));
}

#[test]
fn json_holds_everything_that_is_known() {
    let graph = tree();
    let json = graph.to_json();
    assert_eq!(json["topology_hash"], graph.topology_hash().to_string());
    assert_eq!(json["nodes"].as_array().unwrap().len(), graph.nodes().len());
    assert_eq!(json["nodes"][2]["condition"], "row.get('amount') == 1");
    assert_eq!(json["nodes"][0]["on_validation_failure"], "quarantine");
    assert_eq!(json["nodes"][1]["config"]["plugin"], "passthrough");
    let quarantine =
        json["edges"].as_array().unwrap().iter().find(|e| e["label"] == "__quarantine__").unwrap();
    assert_eq!(quarantine["mode"], "divert");
    assert_eq!(quarantine["schema"]["mode"], "observed");
    assert_eq!(json["edges"][0]["schema"]["fields"][2], "amount: float?");
}

/// A fork in a fork, both joined, and batches behind.
fn joins() -> ExecutionGraph {
    let selected = Ref::new("b", SettingPath::new("select_branch"));
    let best = coalesce_of(
        "best",
        &["b", "a=both"],
        None,
        PolicyDecl::Quorum(Some(1)),
        MergeDecl::Select(Some(selected)),
    );
    built(vec![
        source("rows", "errors"),
        fork("outer", "rows", &["a", "b", "log"], "out"),
        fork("inner", "a", &["x", "y"], "out"),
        transform("work", "x", "x_done", "errors"),
        coalesce("both", &["x=x_done", "y"], None),
        best,
        aggregation_when("batch", "best", "out", "row['batch_age_seconds'] > 60"),
        sink("out"),
        sink("log"),
        sink("errors"),
    ])
}

#[test]
fn forks_merges_and_batches_are_drawn() {
    let graph = joins();
    let svg = graph.to_svg();
    for text in [
        ">batch, every 10 or row['batch_ag",
        ">require_all, union<",
        ">quorum 1, select b<",
        ">copies of a fork<",
        "#ccfbf1",
        "#fce7f3",
    ] {
        assert!(svg.contains(text), "{text} is not in the picture");
    }
    let copies = svg.matches("url(#head-copy)").count();
    assert_eq!(copies, 5 + 1, "a line for each branch, and one in the legend");
    assert!(!tree().to_svg().contains("copies of a fork"));

    let mermaid = graph.to_mermaid();
    for line in [
        r#"(["<b>source</b><br/>csv"]):::source"#,
        r#"("<b>both</b><br/>require_all, union"):::coalesce"#,
        r#"[["<b>batch</b><br/>batch, every 10 or row['batch_age_seconds'] #gt; 60"]]:::aggregation"#,
        r#"==>|"log<br/><i>observed</i>"|"#,
        "classDef aggregation ",
        "classDef coalesce ",
    ] {
        assert!(mermaid.contains(line), "{line} is not in\n{mermaid}");
    }
    assert_eq!(mermaid.matches("==>").count(), 5);

    let dot = graph.to_dot();
    assert_eq!(dot.matches("style=bold").count(), 5);
    assert!(dot.contains("shape=box3d") && dot.contains("shape=invtrapezium"), "{dot}");
}

#[test]
fn json_says_how_forks_join_and_when_batches_end() {
    let graph = joins();
    let json = graph.to_json();
    let node = |name: &str| &json["nodes"][graph.named(name).unwrap().step.index()];
    assert_eq!(
        node("outer")["fork"][0],
        serde_json::json!({"branch": "a", "to": "inner", "coalesce": "best"})
    );
    assert_eq!(node("outer")["fork"][2]["coalesce"], serde_json::Value::Null);
    let best = node("best");
    assert_eq!(
        [
            &best["policy"],
            &best["quorum_count"],
            &best["merge"],
            &best["select_branch"],
            &best["crosses_rows"]
        ],
        [&serde_json::json!("quorum"), &serde_json::json!(1), &"select".into(), &"b".into(), &false.into()]
    );
    assert_eq!(best["branches"], serde_json::json!(["b", "a"]));
    assert_eq!(node("both")["type"], "coalesce");
    let trigger = serde_json::json!({
        "count": 10, "timeout_seconds": null, "condition": "row['batch_age_seconds'] > 60"
    });
    assert_eq!(node("batch")["trigger"], trigger);
    assert_eq!(node("batch")["output_mode"], "transform");
    let edge = json["edges"].as_array().unwrap().iter().find(|e| e["label"] == "log").unwrap();
    assert_eq!((&edge["mode"], &edge["to"]), (&"copy".into(), &"log".into()));
}

#[test]
fn hostile_texts_do_not_break_out() {
    let graph = built(vec![
        source("rows", "discard"),
        gate("g", "rows", "row['\"]<script>&'] == '`#\\\\'", &[("true", "out"), ("false", "out")]),
        sink("out"),
    ]);
    assert!(!graph.to_svg().contains("<script>"));
    assert!(graph.to_svg().contains("&lt;script&gt;&amp;"));
    let mermaid = graph.to_mermaid();
    let line = mermaid.lines().find(|l| l.contains(":::gate")).unwrap();
    assert_eq!(line.matches('"').count(), 2, "{line}");
    assert!(!line.contains("<script>"));
    let dot = graph.to_dot();
    assert!(dot.contains("row['\\\"]<script>&'] == '`#\\\\\\\\'"), "{dot}");
}
