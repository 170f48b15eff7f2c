//! Pictures of graphs: what they hold, that nothing in them overlaps, and that hostile names do no harm.

use crate::pipelines::{built, gate, schema, sink, sink_of, source, source_of, transform};
use elspeth_graph::ExecutionGraph;
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
    let number = |line: &str, name: &str| {
        let start = line.find(&format!(" {name}=\"")).expect("the attribute") + name.len() + 3;
        line[start..].split('"').next().and_then(|n| n.parse::<f64>().ok()).expect("a number")
    };
    svg.lines()
        .filter(|line| line.starts_with("<rect x=") && line.contains("fill=\"#ffffff\""))
        .map(|line| {
            let (x, y) = (number(line, "x"), number(line, "y"));
            [x, y, x + number(line, "width"), y + number(line, "height")]
        })
        .collect()
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
    for graph in [tree(), chain(3), chain(40)] {
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
