use alloc::string::ToString as _;
use alloc::vec::Vec;

use super::{Decisions, FORMAT, Leaf, Leaves, Position, Receipt, Refusal, Release};
use crate::hash::Digest;
use crate::json::Json;
use crate::record::Record;
use crate::shape::{self, BadShape, fields, hash, hashes, list, number, text};

impl Receipt {
    /// The receipt whose text that is, to the last byte.
    ///
    /// # Errors
    /// [`Refusal`] for every other text; nothing is proven yet.
    pub fn parse(whole: &str) -> Result<Self, Refusal> {
        let json = shape::of_file(whole)?;
        let [
            acts,
            artifacts,
            bodies,
            decisions,
            entry,
            format,
            hash_version,
            head,
            registry,
            releases,
            row,
            run,
            source,
            topology,
        ] = fields(&json, "receipt", FIELDS)?;
        if text(format, "format")? != FORMAT {
            return Err(BadShape::Field("format").into());
        }
        let digest = text(hash_version, "hash_version")?;
        let bodies = list(bodies, "bodies")?.iter().map(|body| Ok(text(body, "bodies")?.to_string()));
        Ok(Self {
            digest: Digest::from_name(digest).ok_or(BadShape::Field("hash_version"))?,
            run: text(run, "run")?.to_string(),
            row: number(row, "row")?,
            topology: text(topology, "topology")?.to_string(),
            source: hash(source, "source")?,
            artifacts: hash(artifacts, "artifacts")?,
            decisions: read_decisions(decisions)?,
            releases: read_leaves(releases, "releases", release)?,
            acts: read_leaves(acts, "acts", leaf)?,
            bodies: bodies.collect::<Result<_, BadShape>>()?,
            entry: text(entry, "entry")?.to_string(),
            registry: position(registry)?,
            head: text(head, "head")?.to_string(),
        })
    }
}

const FIELDS: [&str; 14] = [
    "acts",
    "artifacts",
    "bodies",
    "decisions",
    "entry",
    "format",
    "hash_version",
    "head",
    "registry",
    "releases",
    "row",
    "run",
    "source",
    "topology",
];

fn read_decisions(json: &Json) -> Result<Decisions, Refusal> {
    let [proof, of_row, size] = fields(json, "decisions", ["proof", "records", "size"])?;
    Ok(Decisions {
        size: number(size, "decisions")?,
        proof: hashes(proof, "decisions")?,
        records: records(of_row)?,
    })
}

fn read_leaves<L>(
    json: &Json,
    place: &'static str,
    leaf: fn(&Json) -> Result<L, Refusal>,
) -> Result<Leaves<L>, Refusal> {
    let [leaves, proof, size] = fields(json, place, ["leaves", "proof", "size"])?;
    Ok(Leaves {
        size: number(size, place)?,
        proof: hashes(proof, place)?,
        leaves: list(leaves, place)?.iter().map(leaf).collect::<Result<_, _>>()?,
    })
}

fn leaf(json: &Json) -> Result<Leaf, Refusal> {
    let [index, of_leaf] = fields(json, "leaves", ["index", "records"])?;
    Ok(Leaf { index: number(index, "index")?, records: records(of_leaf)? })
}

fn release(json: &Json) -> Result<Release, Refusal> {
    let [batches, index, parts, proof, size] =
        fields(json, "releases", ["batches", "index", "parts", "proof", "size"])?;
    let parts = Leaves {
        size: number(size, "size")?,
        proof: hashes(proof, "proof")?,
        leaves: list(parts, "parts")?.iter().map(leaf).collect::<Result<_, _>>()?,
    };
    Ok(Release { index: number(index, "index")?, batches: records(batches)?, parts })
}

fn records(json: &Json) -> Result<Vec<Record>, Refusal> {
    list(json, "records")?.iter().map(record).collect()
}

fn record(json: &Json) -> Result<Record, Refusal> {
    let record = Record::from_json(json)?;
    if record.kind().is_in_leaves() { Ok(record) } else { Err(Refusal::NotInLeaves(record.kind().name())) }
}

fn position(json: &Json) -> Result<Position, Refusal> {
    let [index, proof, size] = fields(json, "registry", ["index", "proof", "size"])?;
    Ok(Position {
        index: number(index, "registry")?,
        size: number(size, "registry")?,
        proof: hashes(proof, "registry")?,
    })
}
