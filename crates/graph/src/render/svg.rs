use std::fmt::Write as _;

use elspeth_contracts::{EdgeMode, NodeType};

use super::layout::{Item, ItemKind, LINE, LabelText, Layout, SMALL_SIZE, TITLE_SIZE, Way, layout};
use super::text::schema_lines;
use crate::{ExecutionGraph, Node};

const FOOT: f64 = 34.0;
/// Half the height of a cylinder's lid.
const LID: f64 = 5.0;
/// Left and right of the legend.
const MARGIN: f64 = 28.0;
const FONT: &str = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif";

pub(super) fn render(graph: &ExecutionGraph) -> String {
    let layout = layout(graph);
    let height = layout.height + FOOT;
    let (foot, legend) = foot(graph, height);
    let width = layout.width.max(legend);
    let mut out = String::new();
    head(&mut out, graph, width, height);
    for way in &layout.ways {
        line(&mut out, &layout, way);
    }
    for item in &layout.items {
        match &item.kind {
            ItemKind::Node { index, title, subtitle } => {
                node(&mut out, &graph.nodes()[*index], item, (title, subtitle))
            }
            ItemKind::Label(text) => label(&mut out, item, text),
            ItemKind::Bend => {}
        }
    }
    out.push_str(&foot);
    out.push_str("</svg>\n");
    out
}

/// Appends one line.
macro_rules! put {
    ($out:expr, $($arg:tt)*) => { writeln!($out, $($arg)*).expect("text can be written to") };
}

fn head(out: &mut String, graph: &ExecutionGraph, width: f64, height: f64) {
    put!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0}" height="{height:.0}" viewBox="0 0 {width:.0} {height:.0}" font-family="{FONT}">"#
    );
    put!(out, "<title>Pipeline of {} nodes</title>", graph.nodes().len());
    put!(out, "<defs>");
    for (mode, colour) in
        [(EdgeMode::Move, "#475569"), (EdgeMode::Copy, "#7c3aed"), (EdgeMode::Divert, "#dc2626")]
    {
        put!(
            out,
            r#"<marker id="head-{mode}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="{colour}"/></marker>"#
        );
    }
    put!(out, "</defs>");
    put!(out, r##"<rect width="100%" height="100%" fill="#ffffff"/>"##);
}

fn has_copies(graph: &ExecutionGraph) -> bool {
    graph.edges().iter().any(|edge| edge.mode == EdgeMode::Copy)
}

const fn stroke(mode: EdgeMode) -> (&'static str, &'static str) {
    match mode {
        EdgeMode::Move => ("#475569", ""),
        EdgeMode::Copy => ("#7c3aed", r#" stroke-width="2.4""#),
        EdgeMode::Divert => ("#dc2626", r#" stroke-dasharray="5 4""#),
    }
}

/// A line through all its items: straight beside other items of their layers, curved between layers.
fn line(out: &mut String, layout: &Layout, way: &Way) {
    let mut path = String::new();
    for pair in way.items.windows(2) {
        let (from, to) = (&layout.items[pair[0]], &layout.items[pair[1]]);
        stretch(&mut path, from, to);
        if !matches!(to.kind, ItemKind::Bend) {
            finish(out, &mut path, way.mode, matches!(to.kind, ItemKind::Node { .. }));
        }
    }
    finish(out, &mut path, way.mode, false);
}

/// From one item to the upper edge of the next; a bend is passed through on the way out of it, once for all lines that meet
/// there.
fn stretch(path: &mut String, from: &Item, to: &Item) {
    let passes = matches!(from.kind, ItemKind::Bend);
    let start = if passes { from.layer_top } else { from.y + from.height / 2.0 };
    let stop = if matches!(to.kind, ItemKind::Bend) { to.layer_top } else { to.y - to.height / 2.0 };
    let (x1, y1, x2, y2) = (from.x, from.layer_bottom, to.x, to.layer_top);
    if path.is_empty() {
        path.push_str(&format!("M{x1:.1} {start:.1} "));
    }
    if y1 - start > 0.5 {
        path.push_str(&format!("L{x1:.1} {y1:.1} "));
    }
    let middle = f64::midpoint(y1, y2);
    path.push_str(&format!("C{x1:.1} {middle:.1} {x2:.1} {middle:.1} {x2:.1} {y2:.1} "));
    if stop - y2 > 0.5 {
        path.push_str(&format!("L{x2:.1} {stop:.1} "));
    }
}

fn finish(out: &mut String, path: &mut String, mode: EdgeMode, arrives: bool) {
    if path.is_empty() {
        return;
    }
    let (colour, style) = stroke(mode);
    let head = if arrives { format!(r#" marker-end="url(#head-{mode})""#) } else { String::new() };
    put!(out, r#"<path d="{}" fill="none" stroke="{colour}"{style}{head}/>"#, path.trim_end());
    path.clear();
}

fn label(out: &mut String, item: &Item, text: &LabelText) {
    let (left, top) = (item.x - item.width / 2.0, item.y - item.height / 2.0);
    let (colour, _) = stroke(text.mode);
    put!(out, "<g><title>{}</title>", escaped(&text.tooltip));
    put!(
        out,
        r##"<rect x="{left:.1}" y="{top:.1}" width="{:.1}" height="{:.1}" rx="3" fill="#ffffff"/>"##,
        item.width,
        item.height
    );
    let mut y = top + LINE - 2.0;
    let x = item.x;
    for line in &text.lines {
        let size = SMALL_SIZE + 0.5;
        put!(
            out,
            r#"<text x="{x:.1}" y="{y:.1}" text-anchor="middle" font-size="{size}" fill="{colour}">{}</text>"#,
            escaped(line)
        );
        y += LINE;
    }
    let size = SMALL_SIZE - 1.0;
    put!(
        out,
        r##"<text x="{x:.1}" y="{y:.1}" text-anchor="middle" font-size="{size}" fill="#64748b">{}</text></g>"##,
        escaped(&text.schema)
    );
}

fn node(out: &mut String, node: &Node, item: &Item, (title, subtitle): (&str, &str)) {
    let lid = if node.node_type() == NodeType::Sink { LID - 1.0 } else { 0.0 };
    let (x, y) = (item.x, item.y + lid);
    let about =
        format!("{} {} ({})\n{}", node.node_type(), node.name, node.plugin, schema_lines(&node.output));
    put!(out, "<g><title>{}</title>", escaped(&about));
    put!(out, "{}", shape(node.node_type(), item));
    put!(
        out,
        r##"<text x="{x:.1}" y="{:.1}" text-anchor="middle" font-size="{TITLE_SIZE}" font-weight="bold" fill="#0f172a">{}</text>"##,
        y - 4.0,
        escaped(title)
    );
    put!(
        out,
        r##"<text x="{x:.1}" y="{:.1}" text-anchor="middle" font-size="{SMALL_SIZE}" fill="#334155">{}</text></g>"##,
        y + 12.0,
        escaped(subtitle)
    );
}

fn shape(node_type: NodeType, item: &Item) -> String {
    let (left, right) = (item.x - item.width / 2.0, item.x + item.width / 2.0);
    let (top, bottom) = (item.y - item.height / 2.0, item.y + item.height / 2.0);
    let (width, height, y) = (item.width, item.height, item.y);
    let rounded = |radius: f64, fill: &str, stroke: &str| {
        format!(
            r#"<rect x="{left:.1}" y="{top:.1}" width="{width:.1}" height="{height:.1}" rx="{radius}" fill="{fill}" stroke="{stroke}" stroke-width="1.5"/>"#
        )
    };
    match node_type {
        NodeType::Source => rounded(24.0, "#dbeafe", "#2563eb"),
        NodeType::Transform => rounded(4.0, "#ede9fe", "#7c3aed"),
        NodeType::Aggregation => rounded(4.0, "#fce7f3", "#db2777"),
        NodeType::Coalesce => rounded(14.0, "#ccfbf1", "#0d9488"),
        NodeType::Gate => format!(
            r##"<path d="M{left:.1} {y:.1} L{:.1} {top:.1} L{:.1} {top:.1} L{right:.1} {y:.1} L{:.1} {bottom:.1} L{:.1} {bottom:.1} z" fill="#fef3c7" stroke="#d97706" stroke-width="1.5"/>"##,
            left + 16.0,
            right - 16.0,
            right - 16.0,
            left + 16.0,
        ),
        NodeType::Sink => cylinder(item),
    }
}

fn cylinder(item: &Item) -> String {
    let (left, right) = (item.x - item.width / 2.0, item.x + item.width / 2.0);
    let (top, bottom) = (item.y - item.height / 2.0 + LID, item.y + item.height / 2.0 - LID);
    let radius = item.width / 2.0;
    format!(
        r##"<path d="M{left:.1} {top:.1} A{radius:.1} {LID} 0 0 1 {right:.1} {top:.1} L{right:.1} {bottom:.1} A{radius:.1} {LID} 0 0 1 {left:.1} {bottom:.1} z" fill="#dcfce7" stroke="#16a34a" stroke-width="1.5"/><path d="M{left:.1} {top:.1} A{radius:.1} {LID} 0 0 0 {right:.1} {top:.1}" fill="none" stroke="#16a34a"/>"##
    )
}

/// The legend, and how wide a picture has to be for it.
fn foot(graph: &ExecutionGraph, height: f64) -> (String, f64) {
    let mut out = String::new();
    let y = height - 16.0;
    let mut x = MARGIN;
    let copies = has_copies(graph).then_some((EdgeMode::Copy, "copies of a fork"));
    let others = [(EdgeMode::Move, "rows"), (EdgeMode::Divert, "errors and refused rows")];
    for (mode, words) in others.into_iter().chain(copies) {
        let (colour, style) = stroke(mode);
        put!(
            out,
            r#"<path d="M{x:.1} {y:.1} L{:.1} {y:.1}" fill="none" stroke="{colour}"{style} marker-end="url(#head-{mode})"/>"#,
            x + 34.0
        );
        put!(
            out,
            r##"<text x="{:.1}" y="{:.1}" font-size="{SMALL_SIZE}" fill="#64748b">{words}</text>"##,
            x + 42.0,
            y + 3.5
        );
        x += 62.0 + 6.0 * words.len() as f64;
    }
    let hash = graph.topology_hash().to_string();
    let words = format!("topology {}", &hash[..12]);
    put!(
        out,
        r##"<text x="{x:.1}" y="{:.1}" font-size="{SMALL_SIZE}" fill="#94a3b8">{words}</text>"##,
        y + 3.5
    );
    // The widest of the fonts has letters of three fifths of their size.
    let right = x + SMALL_SIZE * 0.62 * words.len() as f64;
    (out, right + MARGIN)
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
