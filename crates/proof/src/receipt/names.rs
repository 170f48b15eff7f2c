//! What the topology says of steps and edges.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::json::Json;
use crate::shape::{BadShape, fields, list, text};

const TOPOLOGY: &str = "topology";

pub(super) struct Names {
    nodes: Vec<String>,
    edges: Vec<String>,
}

impl Names {
    /// Numbers stand for names where the topology, whose hash is sound, is not in the form that is known here.
    pub(super) fn of(topology: &str) -> Self {
        let names = Json::parse(topology).map_err(BadShape::from).and_then(|json| read(&json));
        names.unwrap_or(Self { nodes: Vec::new(), edges: Vec::new() })
    }

    /// A node, as it is shown.
    pub(super) fn node(&self, step: u64) -> String {
        at(&self.nodes, step).unwrap_or_else(|| format!("step {step}"))
    }

    /// Along an edge, as it is shown.
    pub(super) fn edge(&self, edge: u64) -> String {
        at(&self.edges, edge).unwrap_or_else(|| format!("along edge {edge}"))
    }
}

fn at(names: &[String], number: u64) -> Option<String> {
    usize::try_from(number).ok().and_then(|at| names.get(at).cloned())
}

fn read(topology: &Json) -> Result<Names, BadShape> {
    let [edges, nodes] = fields(topology, TOPOLOGY, ["edges", "nodes"])?;
    Ok(Names {
        nodes: list(nodes, TOPOLOGY)?.iter().map(node).collect::<Result<_, _>>()?,
        edges: list(edges, TOPOLOGY)?.iter().map(edge).collect::<Result<_, _>>()?,
    })
}

fn node(json: &Json) -> Result<String, BadShape> {
    let [_, id, plugin] = fields(json, TOPOLOGY, ["config_hash", "id", "plugin"])?;
    Ok(format!("{} ({})", text(id, TOPOLOGY)?, text(plugin, TOPOLOGY)?))
}

fn edge(json: &Json) -> Result<String, BadShape> {
    let [_, label, mode, to] = fields(json, TOPOLOGY, ["from", "label", "mode", "to"])?;
    let (label, to) = (text(label, TOPOLOGY)?, text(to, TOPOLOGY)?);
    let moves = match text(mode, TOPOLOGY)? {
        "move" => "goes",
        "copy" => "a copy goes",
        "divert" => "is diverted",
        _ => return Err(BadShape::Field(TOPOLOGY)),
    };
    Ok(format!("{moves} to {to} by `{label}`"))
}
