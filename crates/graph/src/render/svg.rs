use std::fmt::Write as _;

use elspeth_contracts::{EdgeMode, NodeType};

use super::layout::{Item, ItemKind, LINE, LabelText, Layout, SMALL_SIZE, TITLE_SIZE, Way, layout};
use super::text::schema_lines;
use crate::{ExecutionGraph, Node};

const FOOT: f64 = 34.0;
const FONT: &str = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif";

pub(super) fn render(graph: &ExecutionGraph) -> String {
    let layout = layout(graph);
    let (width, height) = (layout.width.max(420.0), layout.height + FOOT);
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
    foot(&mut out, graph, height);
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

const fn stroke(mode: EdgeMode) -> (&'static str, &'static str) {
    match mode {
        EdgeMode::Move => ("#475569", ""),
        EdgeMode::Copy => ("#7c3aed", r#" stroke-width="2.4""#),
        EdgeMode::Divert => ("#dc2626", r#" stroke-dasharray="5 4""#),
    }
}

/// A line through all its items: straight below labels, curved between.
fn line(out: &mut String, layout: &Layout, way: &Way) {
    let mut path = String::new();
    for pair in way.items.windows(2) {
        let (from, to) = (&layout.items[pair[0]], &layout.items[pair[1]]);
        let (x1, y1) = (from.x + from.width / 2.0, from.y);
        let (x2, y2) = (to.x - to.width / 2.0, to.y);
        let middle = f64::midpoint(x1, x2);
        if path.is_empty() {
            write!(path, "M{x1:.1} {y1:.1}").expect("text can be written to");
        } else {
            write!(path, " L{x1:.1} {y1:.1}").expect("text can be written to");
        }
        write!(path, " C{middle:.1} {y1:.1} {middle:.1} {y2:.1} {x2:.1} {y2:.1}")
            .expect("text can be written to");
    }
    let (colour, style) = stroke(way.mode);
    let mode = way.mode;
    put!(out, r#"<path d="{path}" fill="none" stroke="{colour}"{style} marker-end="url(#head-{mode})"/>"#);
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
    let (x, y) = (item.x, item.y);
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
        // A cylinder that lies on its side, so that lines meet it at its round end.
        NodeType::Sink => format!(
            r##"<path d="M{:.1} {top:.1} L{:.1} {top:.1} A8 {r:.1} 0 0 1 {:.1} {bottom:.1} L{:.1} {bottom:.1} A8 {r:.1} 0 0 1 {:.1} {top:.1} z" fill="#dcfce7" stroke="#16a34a" stroke-width="1.5"/><path d="M{:.1} {top:.1} A8 {r:.1} 0 0 0 {:.1} {bottom:.1}" fill="none" stroke="#16a34a" stroke-width="1"/>"##,
            left + 8.0,
            right - 8.0,
            right - 8.0,
            left + 8.0,
            left + 8.0,
            right - 8.0,
            right - 8.0,
            r = height / 2.0,
        ),
    }
}

fn foot(out: &mut String, graph: &ExecutionGraph, height: f64) {
    let y = height - 16.0;
    let mut x = 28.0;
    for (mode, words) in [(EdgeMode::Move, "rows"), (EdgeMode::Divert, "errors and refused rows")] {
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
    put!(
        out,
        r##"<text x="{x:.1}" y="{:.1}" font-size="{SMALL_SIZE}" fill="#94a3b8">topology {}</text>"##,
        y + 3.5,
        &hash[..12]
    );
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
