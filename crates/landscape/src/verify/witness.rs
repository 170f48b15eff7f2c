//! Proofs for some leaves, made while a verification lets all of them pass by.

use std::collections::BTreeMap;

use elspeth_canonical::ContentHash;
use elspeth_proof::merkle::{Proof, Prover};

use super::examine::Examined;
use super::story::{LeafAt, Story, ToldRelease};
use super::{proof_digest, proof_hash};
use crate::integrity::RecorderState;
use crate::{RunRecord, RunSeal};

/// Watches a verification for the leaves of a story.
pub(super) struct Witness {
    story: Story,
    decisions: Watched,
    releases: Watched,
    acts: Watched,
    end: Option<Components>,
}

/// Of what a content root is made beside the trees.
#[derive(Debug, Clone, Copy)]
struct Components {
    source: ContentHash,
    artifacts: ContentHash,
}

/// A row's story with proofs that all of it is under the run's content root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowProof {
    /// The text that the topology hash is over.
    pub topology: String,
    /// What the content root says of the source.
    pub source: ContentHash,
    /// What the content root says of what sinks made.
    pub artifacts: ContentHash,
    /// The leaf of the row.
    pub decisions: ProvenLeaves<Vec<u8>>,
    /// Leaves of the releases that its tokens were part of.
    pub releases: ProvenLeaves<ProvenRelease>,
    /// Leaves of what became of its tokens.
    pub acts: ProvenLeaves<Vec<u8>>,
    /// Canonical forms of the bodies that are left.
    pub bodies: Vec<String>,
}

/// Leaves of one tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenLeaves<L> {
    /// That they are in the tree.
    pub proof: Proof,
    /// By index.
    pub leaves: Vec<(u64, L)>,
}

/// What a release has of some tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenRelease {
    /// The bytes of the attempts to flush the batch; none of a merge.
    pub attempts: Vec<u8>,
    /// The parts' bytes, in the tree of parts.
    pub parts: ProvenLeaves<Vec<u8>>,
}

/// A tree as its leaves pass by.
struct Watched {
    prover: Prover,
    size: u64,
    /// Indices in the tree of the leaves that are wanted.
    found: BTreeMap<LeafAt, u64>,
}

impl Watched {
    fn epoch(&mut self, epoch: usize, leaves: &[ContentHash], wanted: impl Fn(&LeafAt) -> bool) {
        for (index, leaf) in leaves.iter().enumerate() {
            let at = LeafAt { epoch, index };
            let wanted = wanted(&at);
            if wanted {
                self.found.insert(at, self.size);
            }
            self.prover.push(proof_hash(*leaf), wanted);
            self.size += 1;
        }
    }

    fn proven<L>(self, leaves: BTreeMap<LeafAt, L>) -> Option<ProvenLeaves<L>> {
        let found = self.found;
        let leaves = leaves.into_iter().map(|(at, leaf)| Some((*found.get(&at)?, leaf)));
        Some(ProvenLeaves { proof: self.prover.finish(), leaves: leaves.collect::<Option<_>>()? })
    }
}

impl Witness {
    pub(super) fn new(run: &RunRecord, story: Story) -> Self {
        let watched = || Watched {
            prover: Prover::new(proof_digest(run.hash_version)),
            size: 0,
            found: BTreeMap::new(),
        };
        Self { story, decisions: watched(), releases: watched(), acts: watched(), end: None }
    }

    /// The next epoch.
    pub(super) fn epoch(&mut self, at: usize, examined: &Examined) {
        let story = &self.story;
        if let Some(digest) = &examined.decided {
            let (rows, releases) = digest.leaves();
            self.decisions.epoch(at, rows, |leaf| story.decision.contains_key(leaf));
            self.releases.epoch(at, releases, |leaf| story.releases.contains_key(leaf));
        }
        if let Some((_, digest)) = &examined.acted {
            self.acts.epoch(at, digest.leaves(), |leaf| story.acts.contains_key(leaf));
        }
    }

    /// The state that has the run's content root.
    pub(super) fn end(&mut self, state: &RecorderState, seal: &RunSeal) {
        self.end = Some(Components { source: state.source_hash(seal), artifacts: state.artifacts_hash() });
    }

    /// The proof; nothing where a leaf never came by, or the end had another root.
    pub(super) fn proof(self, topology: String) -> Option<RowProof> {
        let Components { source, artifacts } = self.end?;
        let Story { decision, releases, acts, bodies } = self.story;
        let releases = self.releases.proven(releases)?;
        let leaves = releases.leaves.into_iter().map(|(index, told)| (index, proven(told)));
        let bodies = bodies.into_iter().map(String::from_utf8);
        Some(RowProof {
            topology,
            source,
            artifacts,
            decisions: self.decisions.proven(decision)?,
            releases: ProvenLeaves { proof: releases.proof, leaves: leaves.collect() },
            acts: self.acts.proven(acts)?,
            bodies: bodies.collect::<Result<_, _>>().ok()?,
        })
    }
}

fn proven(ToldRelease { attempts, proof, parts }: ToldRelease) -> ProvenRelease {
    ProvenRelease { attempts, parts: ProvenLeaves { proof, leaves: parts } }
}
