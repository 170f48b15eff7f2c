use alloc::collections::BTreeSet;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use super::graph::Graph;
use super::names::Names;
use super::ways::Ways;
use super::{Leaf, Leaves, Place, Receipt, Refusal, Release, story};
use crate::checkpoint::Checkpoint;
use crate::hash::{Digest, Hash};
use crate::json::Json;
use crate::merkle::root_from;
use crate::record::{Kind, Record};
use crate::shape::BadShape;
use crate::token::Token;
use crate::trust::{Trust, Vouched};

/// What a receipt proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// The run's ULID.
    pub run: String,
    /// Which row.
    pub row: u64,
    /// As what the run ended.
    pub status: String,
    /// When it began: microseconds since 1970.
    pub started_at: i64,
    /// When it ended.
    pub completed_at: i64,
    /// The registry as the head has it.
    pub head: Checkpoint,
    /// Who stands for the head.
    pub vouched: Vouched,
    /// What happened to the row, for people.
    pub lines: Vec<String>,
}

impl Receipt {
    /// Checks everything that the receipt says, and who stands for its head.
    ///
    /// # Errors
    /// [`Refusal`] with the first thing that is wrong. That nobody stands for the head ([`Vouched::Nobody`]) is none.
    pub fn verify(&self, trust: &Trust) -> Result<Story, Refusal> {
        let sealed = self.sealed()?;
        self.is_record(sealed.content_root)?;
        let graph = Graph::read(&self.topology).map_err(|_| Refusal::Graph)?;
        self.is_whole(&graph, &sealed.status)?;
        self.has_bodies()?;
        // Signatures last: they take longer than all the rest.
        let (head, vouched) = trust.vouch(&self.head)?;
        self.is_in(&head)?;
        let names = Names::of(&self.topology);
        Ok(Story {
            run: self.run.clone(),
            row: self.row,
            status: sealed.status,
            started_at: sealed.started_at,
            completed_at: sealed.completed_at,
            head,
            vouched,
            lines: story::lines(self, &names),
        })
    }

    /// The entry is in the log with that head.
    fn is_in(&self, head: &Checkpoint) -> Result<(), Refusal> {
        let registry = &self.registry;
        if registry.size != head.size {
            return Err(Refusal::Size { head: head.size, proof: registry.size });
        }
        let entry = [(registry.index, Digest::Sha256.leaf(self.entry.as_bytes()))];
        let root = root(Digest::Sha256, Place::Registry, registry.size, &entry, &registry.proof)?;
        let error = crate::merkle::BadProof::Root;
        if root == head.root { Ok(()) } else { Err(Refusal::Proof { place: Place::Registry, error }) }
    }

    /// What the entry says, which must be about this run.
    fn sealed(&self) -> Result<Sealed, Refusal> {
        let entry = Json::parse(&self.entry).map_err(BadShape::from)?;
        let text = |name: &'static str| entry.get(name).and_then(Json::as_text).ok_or(Refusal::Entry(name));
        let time = |name: &'static str| match entry.get(name) {
            Some(Json::Integer(time)) => Ok(*time),
            Some(_) | None => Err(Refusal::Entry(name)),
        };
        let topology_hash = self.digest.hash(self.topology.as_bytes()).to_string();
        let expected = [
            ("entry", "sealed"),
            ("run", &*self.run),
            ("hash_version", self.digest.name()),
            ("topology_hash", &*topology_hash),
        ];
        for (name, expected) in expected {
            if text(name)? != expected {
                return Err(Refusal::Entry(name));
            }
        }
        Ok(Sealed {
            content_root: Hash::from_hex(text("content_root")?).ok_or(Refusal::Entry("content_root"))?,
            status: text("status")?.to_string(),
            started_at: time("started_at")?,
            completed_at: time("completed_at")?,
        })
    }

    /// The records, and the roots of what is not here, give the content root.
    fn is_record(&self, expected: Hash) -> Result<(), Refusal> {
        let digest = self.digest;
        let row = [(self.row, leaf(digest, &self.decisions.records))];
        let decisions = root(digest, Place::Decisions, self.decisions.size, &row, &self.decisions.proof)?;
        let releases = self.releases.leaves.iter().map(|release| {
            let parts = root_of(digest, Place::Parts, &release.parts)?;
            Ok((release.index, release_leaf(digest, release, parts)))
        });
        let releases: Vec<_> = releases.collect::<Result<_, Refusal>>()?;
        let releases = root(digest, Place::Releases, self.releases.size, &releases, &self.releases.proof)?;
        let acts = root_of(digest, Place::Acts, &self.acts)?;

        let mut bytes = Vec::from(*b"elspeth-content-root-v1\0");
        let name = digest.name();
        bytes.extend_from_slice(&u32::try_from(name.len()).expect("it is short").to_be_bytes());
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(digest.hash(self.topology.as_bytes()).as_bytes());
        bytes.extend_from_slice(self.source.as_bytes());
        for (size, root) in
            [(self.decisions.size, decisions), (self.releases.size, releases), (self.acts.size, acts)]
        {
            bytes.extend_from_slice(&size.to_be_bytes());
            bytes.extend_from_slice(root.as_bytes());
        }
        bytes.extend_from_slice(self.artifacts.as_bytes());
        if digest.hash(&bytes) == expected { Ok(()) } else { Err(Refusal::ContentRoot) }
    }

    /// It is the story of that row, and nothing of it is left out that the rest tells of.
    fn is_whole(&self, graph: &Graph, status: &str) -> Result<(), Refusal> {
        let first = self.decisions.records.first().filter(|record| record.kind() == Kind::Row);
        if first.and_then(|record| record.number("row_index")) != Some(self.row) {
            return Err(Refusal::Row(self.row));
        }
        self.has_one_outcome_each()?;
        Ways::of(self, graph, status == "completed")?.follow()
    }

    /// Outcomes are of tokens that are made here, and none has two.
    fn has_one_outcome_each(&self) -> Result<(), Refusal> {
        // A token is stated by the record that made it.
        let made = self.decided().filter(|record| record.kind() == Kind::Token);
        let made: BTreeSet<Token> = made.filter_map(|record| record.token("token")).collect();
        let mut ended = BTreeSet::new();
        for outcome in self.outcomes()? {
            let token = outcome.token("token").expect("every outcome has one");
            if !made.contains(&token) {
                return Err(Refusal::Stranger(token));
            }
            if !ended.insert(token) {
                return Err(Refusal::Outcomes { token, found: 2 });
            }
        }
        Ok(())
    }

    /// The outcomes: one in each leaf of the acts, whose other records are about the same token.
    fn outcomes(&self) -> Result<Vec<&Record>, Refusal> {
        let outcome = |leaf: &'_ Leaf| -> Option<usize> {
            let last = leaf.records.len().checked_sub(1)?;
            let token = leaf.records[last].token("token")?;
            let sound = leaf.records.iter().enumerate().all(|(at, record)| {
                (record.kind() == Kind::TokenOutcome) == (at == last) && record.token("token") == Some(token)
            });
            sound.then_some(last)
        };
        let acts = self.acts.leaves.iter();
        acts.map(|leaf| outcome(leaf).map(|at| &leaf.records[at]).ok_or(Refusal::Act(leaf.index))).collect()
    }

    fn has_bodies(&self) -> Result<(), Refusal> {
        let named: BTreeSet<Hash> = self.records().flat_map(Record::hashes).collect();
        for body in &self.bodies {
            let hash = self.digest.hash(body.as_bytes());
            if !named.contains(&hash) {
                return Err(Refusal::Body(hash.to_string()));
            }
        }
        Ok(())
    }

    /// The records of decisions and releases.
    pub(super) fn decided(&self) -> impl Iterator<Item = &Record> {
        let released = self.releases.leaves.iter();
        let parts = released.flat_map(|it| it.parts.leaves.iter().flat_map(|part| &part.records));
        self.decisions.records.iter().chain(parts)
    }

    /// All that is about tokens.
    pub(super) fn records(&self) -> impl Iterator<Item = &Record> {
        self.decided().chain(self.acts.leaves.iter().flat_map(|leaf| &leaf.records))
    }
}

/// What the entry about the end of the run says.
struct Sealed {
    content_root: Hash,
    status: String,
    started_at: i64,
    completed_at: i64,
}

fn leaf(digest: Digest, records: &[Record]) -> Hash {
    let mut bytes = Vec::new();
    records.iter().for_each(|record| record.write(&mut bytes));
    digest.leaf(&bytes)
}

fn release_leaf(digest: Digest, release: &Release, parts: Hash) -> Hash {
    let mut bytes = Vec::new();
    release.batches.iter().for_each(|batch| batch.write(&mut bytes));
    bytes.extend_from_slice(&release.parts.size.to_be_bytes());
    bytes.extend_from_slice(parts.as_bytes());
    digest.leaf(&bytes)
}

fn root_of(digest: Digest, place: Place, leaves: &Leaves<Leaf>) -> Result<Hash, Refusal> {
    let hashed: Vec<_> = leaves.leaves.iter().map(|it| (it.index, leaf(digest, &it.records))).collect();
    root(digest, place, leaves.size, &hashed, &leaves.proof)
}

fn root(
    digest: Digest,
    place: Place,
    size: u64,
    leaves: &[(u64, Hash)],
    proof: &[Hash],
) -> Result<Hash, Refusal> {
    root_from(digest, size, leaves, proof).map_err(|error| Refusal::Proof { place, error })
}
