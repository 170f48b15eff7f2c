//! The topology as ways go along it: sorts of nodes, and edges.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use crate::json::Json;
use crate::shape::{BadShape, fields, list, text};

const TOPOLOGY: &str = "topology";

/// Nodes and edges by their numbers.
pub(super) struct Graph {
    nodes: Vec<NodeKind>,
    edges: Vec<Edge>,
}

/// What a node is, as its id begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NodeKind {
    Source,
    Transform,
    Gate,
    Aggregation,
    Coalesce,
    Sink,
}

/// An edge, of steps.
#[derive(Debug)]
pub(super) struct Edge {
    from: usize,
    pub(super) to: u64,
    pub(super) label: String,
    pub(super) mode: Mode,
}

/// What goes along an edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Move,
    Copy,
    Divert,
}

impl Graph {
    pub(super) fn read(topology: &str) -> Result<Self, BadShape> {
        let json = Json::parse(topology)?;
        let [edges, nodes] = fields(&json, TOPOLOGY, ["edges", "nodes"])?;
        let ids: Vec<&str> = list(nodes, TOPOLOGY)?.iter().map(id).collect::<Result<_, _>>()?;
        Ok(Self {
            nodes: ids.iter().map(|id| NodeKind::of(id)).collect::<Result<_, _>>()?,
            edges: list(edges, TOPOLOGY)?.iter().map(|json| edge(json, &ids)).collect::<Result<_, _>>()?,
        })
    }

    pub(super) fn kind(&self, step: u64) -> Option<NodeKind> {
        self.nodes.get(usize::try_from(step).ok()?).copied()
    }

    pub(super) fn edge(&self, number: u64) -> Option<&Edge> {
        self.edges.get(usize::try_from(number).ok()?)
    }

    /// Where all goes that comes from a node which has no choice.
    pub(super) fn ahead(&self, step: u64) -> Option<u64> {
        let from = usize::try_from(step).ok()?;
        let mut on = self.edges.iter().filter(|edge| edge.from == from && edge.mode == Mode::Move);
        on.next().filter(|_| on.next().is_none()).map(|edge| edge.to)
    }
}

impl NodeKind {
    fn of(id: &str) -> Result<Self, BadShape> {
        match id.split_once('_').map(|(kind, _)| kind) {
            Some("source") => Ok(Self::Source),
            Some("transform") => Ok(Self::Transform),
            Some("gate") => Ok(Self::Gate),
            Some("aggregation") => Ok(Self::Aggregation),
            Some("coalesce") => Ok(Self::Coalesce),
            Some("sink") => Ok(Self::Sink),
            Some(_) | None => Err(BadShape::Field(TOPOLOGY)),
        }
    }
}

fn id(node: &Json) -> Result<&str, BadShape> {
    let [_, id, _] = fields(node, TOPOLOGY, ["config_hash", "id", "plugin"])?;
    text(id, TOPOLOGY)
}

fn edge(json: &Json, ids: &[&str]) -> Result<Edge, BadShape> {
    let [from, label, mode, to] = fields(json, TOPOLOGY, ["from", "label", "mode", "to"])?;
    let step = |json| {
        let id = text(json, TOPOLOGY)?;
        ids.iter().position(|candidate| *candidate == id).ok_or(BadShape::Field(TOPOLOGY))
    };
    let mode = match text(mode, TOPOLOGY)? {
        "move" => Mode::Move,
        "copy" => Mode::Copy,
        "divert" => Mode::Divert,
        _ => return Err(BadShape::Field(TOPOLOGY)),
    };
    Ok(Edge { from: step(from)?, to: step(to)? as u64, label: text(label, TOPOLOGY)?.to_string(), mode })
}
