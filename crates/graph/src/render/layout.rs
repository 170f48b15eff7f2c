//! Where everything is drawn: a layered layout from top to bottom.
//!
//! Layers alternate: nodes, then labels, then nodes. A label is an item of its own layer, so that nothing overlaps it. An edge
//! over several layers has a small bend in each between; edges of one kind to one node share their bends, so that they run
//! together like a bus.

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
    pub(super) layer: usize,
    /// Centre.
    pub(super) x: f64,
    /// Centre.
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    /// Where the tallest item of its layer begins; lines are straight from here to the item.
    pub(super) layer_top: f64,
    /// Where that one ends.
    pub(super) layer_bottom: f64,
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

/// One drawn line: the items that it goes through, from a node to a node, or to the bend where it joins an earlier line.
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
const LAYER_GAP: f64 = 26.0;

impl Item {
    fn new(kind: ItemKind, layer: usize, (width, height): (f64, f64)) -> Self {
        Self { kind, layer, x: 0.0, y: 0.0, width, height, layer_top: 0.0, layer_bottom: 0.0 }
    }
}

/// Lays the graph out.
pub(super) fn layout(graph: &ExecutionGraph) -> Layout {
    let ranks = ranks(graph);
    let mut items: Vec<Item> =
        graph.nodes().iter().zip(&ranks).map(|(node, rank)| node_item(node, *rank)).collect();
    let ways = ways(graph, &ranks, &mut items);
    let mut layers = order::layers(&items, &ways);
    order::untangle(&mut layers, &ways, items.len());
    place::across(&mut items, &layers, &ways);
    let height = place_layers(&mut items, &layers);
    let width = items.iter().map(|i| i.x + i.width / 2.0).fold(0.0, f64::max);
    Layout { items, ways, width: width + MARGIN, height }
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
    let subtitle = cut(&subtitle(node), SUBTITLE_LENGTH);
    let width = text_width(&node.name, TITLE_SIZE).max(text_width(&subtitle, SMALL_SIZE)) + 44.0;
    let kind = ItemKind::Node { index: node.step.index(), title: node.name.clone(), subtitle };
    Item::new(kind, rank * 2, (width.max(96.0), 48.0))
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
        let mut joins = false;
        for layer in ranks[from] * 2 + 2..ranks[to] * 2 {
            let bend = *bends.entry((to, mode_code, layer)).or_insert(items.len());
            path.push(bend);
            joins = bend < items.len();
            if joins {
                break;
            }
            items.push(Item::new(ItemKind::Bend, layer, (6.0, 0.0)));
        }
        if !joins {
            path.push(to);
        }
        ways.push(Way { items: path, mode });
    }
    ways
}

fn label_item(graph: &ExecutionGraph, edges: &[usize], layer: usize) -> Item {
    let first = &graph.edges()[edges[0]];
    let contract = graph.edge_contract(first);
    let lines: Vec<String> = edges.iter().map(|e| cut(&graph.edges()[*e].label, SUBTITLE_LENGTH)).collect();
    let schema = cut(&schema_words(&contract), SCHEMA_LENGTH);
    let longest = lines.iter().map(|line| text_width(line, SMALL_SIZE + 0.5)).fold(0.0, f64::max);
    let width = longest.max(text_width(&schema, SMALL_SIZE - 1.0)) + 12.0;
    let height = LINE * (lines.len() + 1) as f64 + 4.0;
    let text = LabelText { lines, schema, tooltip: schema_lines(&contract), mode: first.mode };
    Item::new(ItemKind::Label(text), layer, (width, height))
}

fn place_layers(items: &mut [Item], layers: &[Vec<usize>]) -> f64 {
    let mut top = MARGIN;
    for layer in layers {
        let height = layer.iter().map(|i| items[*i].height).fold(0.0, f64::max);
        for i in layer {
            let item = &mut items[*i];
            (item.y, item.layer_top, item.layer_bottom) = (top + height / 2.0, top, top + height);
        }
        top += height + LAYER_GAP;
    }
    top - LAYER_GAP + MARGIN
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
