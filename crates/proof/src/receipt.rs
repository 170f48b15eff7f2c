//! Receipts: everything that a record says of one row, with the proof that it says so. What is checked is written down in
//! `docs/evidence-format.md`, section "Receipt".

mod check;
mod facts;
mod graph;
mod names;
mod parse;
mod refusal;
mod story;
mod ways;
mod write;

use alloc::string::String;
use alloc::vec::Vec;

pub use check::Story;
pub use refusal::{Place, Refusal};

use crate::hash::{Digest, Hash};
use crate::record::Record;

/// A row's whole story, and the way from there to a signed head. [`Receipt::to_text`] writes the file,
/// [`Receipt::parse`] reads it, [`Receipt::verify`] checks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The digest of the run's hash version.
    pub digest: Digest,
    /// The run's ULID.
    pub run: String,
    /// Which row, from 0.
    pub row: u64,
    /// Canonical JSON of the graph, as its hash is taken over it.
    pub topology: String,
    /// Hash over the source's field names and contract, a part of the content root.
    pub source: Hash,
    /// Hash over the sinks' artifacts, a part of the content root.
    pub artifacts: Hash,
    /// What was decided about the row; the index of the leaf is the row's.
    pub decisions: Decisions,
    /// What was decided where its tokens had waited for those of others.
    pub releases: Leaves<Release>,
    /// What sinks did with its tokens, and what became of them.
    pub acts: Leaves<Leaf>,
    /// Canonical JSON of the rows that records name by their hash; those that are kept.
    pub bodies: Vec<String>,
    /// The registry's entry about the end of the run, byte for byte.
    pub entry: String,
    /// Where that entry is.
    pub registry: Position,
    /// The head of the registry, signed or not.
    pub head: String,
}

/// The leaf of one row in the tree of decisions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decisions {
    /// Leaves of the tree.
    pub size: u64,
    /// The proof of the one.
    pub proof: Vec<Hash>,
    /// What it is made of.
    pub records: Vec<Record>,
}

/// Some leaves of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaves<L> {
    /// Leaves of the tree.
    pub size: u64,
    /// The proof of those that are here.
    pub proof: Vec<Hash>,
    /// Those, by index.
    pub leaves: Vec<L>,
}

/// A leaf of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// Its position.
    pub index: u64,
    /// What it is made of.
    pub records: Vec<Record>,
}

/// A leaf of the tree of releases, which is a tree itself: a part for each token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Its position.
    pub index: u64,
    /// The attempts to flush the batch; none where branches were merged.
    pub batches: Vec<Record>,
    /// Some of its parts.
    pub parts: Leaves<Leaf>,
}

/// Where an entry of the registry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Its number.
    pub index: u64,
    /// How many there are.
    pub size: u64,
    /// The proof.
    pub proof: Vec<Hash>,
}

/// What a file says that it is.
const FORMAT: &str = "elspeth-receipt-v1";
