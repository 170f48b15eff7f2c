//! Where everything is drawn: a layered layout from left to right.
//!
//! Columns alternate: nodes, then labels, then nodes. A label is an item of its own column, so that nothing overlaps it. An
//! edge over several columns has a small bend in each between; edges of one kind to one node share their bends, so that they
//! run together like a bus.

use std::collections::BTreeMap;

use elspeth_contracts::EdgeMode;

use super::text::{cut, schema_lines, schema_words, subtitle};
use super::{order, place};
use crate::{ExecutionGraph, Node};

/// Everything of one picture, with its size.
pub(super) struct Layout {
    pub(super) items: Vec<Item>,
    pub(super) ways: Vec<Way>,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// Something that takes room.
pub(super) struct Item {
    pub(super) kind: ItemKind,
    pub(super) column: usize,
    /// Centre.
    pub(super) x: f64,
    /// Centre.
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

pub(super) enum ItemKind {
    /// The node at that step.
    Node {
        index: usize,
        title: String,
        subtitle: String,
    },
    Label(LabelText),
    Bend,
}

/// What stands on an edge.
pub(super) struct LabelText {
    pub(super) lines: Vec<String>,
    pub(super) schema: String,
    pub(super) tooltip: String,
    pub(super) mode: EdgeMode,
}

/// One drawn line: the items that it goes through, from node to node.
pub(super) struct Way {
    pub(super) items: Vec<usize>,
    pub(super) mode: EdgeMode,
}

pub(super) const TITLE_SIZE: f64 = 13.0;
pub(super) const SMALL_SIZE: f64 = 10.5;
pub(super) const LINE: f64 = 14.0;
const SUBTITLE_LENGTH: usize = 34;
const SCHEMA_LENGTH: usize = 30;
const MARGIN: f64 = 28.0;
const COLUMN_GAP: f64 = 26.0;

/// Lays the graph out.
pub(super) fn layout(graph: &ExecutionGraph) -> Layout {
    let ranks = ranks(graph);
    let mut items: Vec<Item> =
        graph.nodes().iter().zip(&ranks).map(|(node, rank)| node_item(node, *rank)).collect();
    let ways = ways(graph, &ranks, &mut items);
    let mut columns = order::columns(&items, &ways);
    order::untangle(&mut columns, &ways, items.len());
    place::rows(&mut items, &columns, &ways);
    let width = place_columns(&mut items, &columns);
    let height = items.iter().map(|i| i.y + i.height / 2.0).fold(0.0, f64::max);
    Layout { items, ways, width, height: height + MARGIN }
}

/// The longest way from the source to each node.
fn ranks(graph: &ExecutionGraph) -> Vec<usize> {
    let mut ranks = vec![0; graph.nodes().len()];
    // Edges lead to later steps and are numbered by the step that they leave.
    for edge in graph.edges() {
        let next = ranks[edge.from.index()] + 1;
        let rank = &mut ranks[edge.to.index()];
        *rank = next.max(*rank);
    }
    ranks
}

fn node_item(node: &Node, rank: usize) -> Item {
    let subtitle = cut(subtitle(node), SUBTITLE_LENGTH);
    let width = text_width(&node.name, TITLE_SIZE).max(text_width(&subtitle, SMALL_SIZE)) + 44.0;
    let kind = ItemKind::Node { index: node.step.index(), title: node.name.clone(), subtitle };
    Item { kind, column: rank * 2, x: 0.0, y: 0.0, width: width.max(96.0), height: 48.0 }
}

/// Makes labels and bends; edges from one node to one other in one mode are one line with several labels.
fn ways(graph: &ExecutionGraph, ranks: &[usize], items: &mut Vec<Item>) -> Vec<Way> {
    let mut groups: BTreeMap<(usize, usize, u8), Vec<usize>> = BTreeMap::new();
    for edge in graph.edges() {
        let key = (edge.from.index(), edge.to.index(), edge.mode.code());
        groups.entry(key).or_default().push(edge.no.index());
    }
    let mut bends: BTreeMap<(usize, u8, usize), usize> = BTreeMap::new();
    let mut ways = Vec::with_capacity(groups.len());
    for ((from, to, mode_code), edges) in groups {
        let mode = graph.edges()[edges[0]].mode;
        let mut path = vec![from, items.len()];
        items.push(label_item(graph, &edges, ranks[from] * 2 + 1));
        for column in ranks[from] * 2 + 2..ranks[to] * 2 {
            let bend = *bends.entry((to, mode_code, column)).or_insert_with(|| {
                items.push(Item { kind: ItemKind::Bend, column, x: 0.0, y: 0.0, width: 0.0, height: 6.0 });
                items.len() - 1
            });
            path.push(bend);
        }
        path.push(to);
        ways.push(Way { items: path, mode });
    }
    ways
}

fn label_item(graph: &ExecutionGraph, edges: &[usize], column: usize) -> Item {
    let first = &graph.edges()[edges[0]];
    let contract = graph.edge_contract(first);
    let lines: Vec<String> = edges.iter().map(|e| cut(&graph.edges()[*e].label, SUBTITLE_LENGTH)).collect();
    let schema = cut(&schema_words(&contract), SCHEMA_LENGTH);
    let longest = lines.iter().map(|line| text_width(line, SMALL_SIZE + 0.5)).fold(0.0, f64::max);
    let width = longest.max(text_width(&schema, SMALL_SIZE - 1.0)) + 12.0;
    let height = LINE * (lines.len() + 1) as f64 + 4.0;
    let text = LabelText { lines, schema, tooltip: schema_lines(&contract), mode: first.mode };
    Item { kind: ItemKind::Label(text), column, x: 0.0, y: 0.0, width, height }
}

fn place_columns(items: &mut [Item], columns: &[Vec<usize>]) -> f64 {
    let mut left = MARGIN;
    for column in columns {
        let width = column.iter().map(|i| items[*i].width).fold(0.0, f64::max);
        for i in column {
            items[*i].x = left + width / 2.0;
        }
        left += width + COLUMN_GAP;
    }
    left - COLUMN_GAP + MARGIN
}

/// An estimate on the safe side, for common sans-serif fonts.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    let ems = |c: char| match c {
        'i' | 'l' | 'j' | 't' | 'f' | 'r' | ' ' | '.' | ',' | '\'' | '|' | ':' | '(' | ')' | '[' | ']' => {
            0.36
        }
        'm' | 'w' | 'M' | 'W' | '\u{2026}' => 0.95,
        c if c.is_ascii_uppercase() => 0.72,
        c if c.is_ascii() => 0.59,
        c if u32::from(c) < 0x1100 => 0.66,
        _ => 1.05,
    };
    text.chars().map(ems).sum::<f64>() * size
}
