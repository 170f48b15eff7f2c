//! What a [`crate::Recorder`] carries from commit to commit: the chains, the trees, the newest artifacts.

use std::collections::{BTreeMap, BTreeSet};

use elspeth_canonical::{ContentHash, HashVersion};
use elspeth_contracts::{EdgeRecord, EpochNo, Micros, NodeRecord, Outcome, RunId, Step};
use serde::{Deserialize, Serialize};

use super::acted::{acted_leaves, acted_leaves_in_parts};
use super::ahead::{Leaves, TreesAhead};
use super::encode::Encoder;
use super::{Continuing, EpochHashes, GoingOn, MerkleTree, TreeState, continuation, intents_hash};
use crate::registry::TreeHead;
use crate::{ActedEpoch, Corruption, DecidedEpoch, RunRecord, RunSeal, RunStart};

const FORMAT: u32 = 2;
const RUN: &[u8] = b"elspeth-run-v1\0";
const RECORDS: &[u8] = b"elspeth-records-v1\0";
const LINK: &[u8] = b"elspeth-link-v1\0";
const CONTENT_ROOT: &[u8] = b"elspeth-content-root-v1\0";
const RECORD_ROOT: &[u8] = b"elspeth-record-root-v1\0";

/// Leaves of acts that are kept for one commit.
const MOST_LEAVES: usize = 1 << 16;

const DECIDED: u8 = 0;
const ACTED: u8 = 1;
const PUBLISHED: u8 = 2;

/// Chains, trees and artifacts after some commit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RecorderState {
    version: HashVersion,
    decisions: Decisions,
    acts: Acts,
}

/// What was decided so far.
#[derive(Debug, Clone, PartialEq)]
struct Decisions {
    chain: ContentHash,
    decided: MerkleTree,
    released: MerkleTree,
    epochs: u64,
    records: u64,
}

/// What was done so far; it follows what was decided, and does not depend on how far behind.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Acts {
    chain: ContentHash,
    acted: MerkleTree,
    /// The artifacts of each sink's newest write.
    artifacts: BTreeMap<Step, Vec<ArtifactState>>,
    /// Sinks that took diverted rows, to which the time is added.
    timed: BTreeSet<Step>,
    epochs: u64,
    records: u64,
}

/// An epoch's decisions, hashed. Needs nothing of what came before, so that any thread can make it.
#[derive(Debug, Clone)]
pub struct DecidedDigest {
    epoch: EpochNo,
    digest: ContentHash,
    continuing: Continuing,
    leaves: Leaves,
    release_leaves: Leaves,
    records: u64,
}

/// What was done with an epoch, hashed. Needs nothing of what came before, so that any thread can make it.
#[derive(Debug, Clone)]
pub struct ActedDigest {
    epoch: EpochNo,
    digest: ContentHash,
    positions: Vec<u8>,
    leaves: Leaves,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ArtifactState {
    artifact_type: String,
    content_hash: ContentHash,
    size_bytes: u64,
    rows: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredState {
    format: u32,
    decisions: StoredDecisions,
    acts: StoredActs,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredDecisions {
    chain: ContentHash,
    decided: TreeState,
    released: TreeState,
    epochs: u64,
    records: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredActs {
    chain: ContentHash,
    acted: TreeState,
    artifacts: BTreeMap<u16, Vec<ArtifactState>>,
    timed: BTreeSet<u16>,
    epochs: u64,
    records: u64,
}

impl DecidedDigest {
    /// The digest of `decided` by the run's version.
    #[must_use]
    pub fn of(version: HashVersion, decided: &DecidedEpoch) -> Self {
        let mut out = Encoder::digesting(version);
        out.raw(RECORDS);
        out.u64(decided.epoch.0);
        out.i64(decided.started.0);
        out.whole(&decided.rows);
        out.whole(&decided.tokens);
        out.whole(&decided.token_parents);
        out.whole(&decided.states);
        out.whole(&decided.contexts);
        out.whole(&decided.routing);
        out.whole(&decided.calls);
        out.whole(&decided.validation_errors);
        out.whole(&decided.transform_errors);
        out.whole(&decided.batches);
        out.whole(&decided.batch_members);
        out.whole(&decided.batch_outputs);
        out.whole(&decided.releases);
        out.whole(&decided.operations);
        Self {
            epoch: decided.epoch,
            digest: out.digest(version),
            continuing: continuing(version, decided),
            leaves: Leaves::new(decided.row_leaves.clone()),
            release_leaves: Leaves::new(decided.release_leaves.clone()),
            records: decided.records(),
        }
    }

    /// The same, when all that is left of what the run went on from is its hash.
    pub(crate) fn went_on(mut self, all: ContentHash) -> Self {
        self.continuing.all = all;
        self
    }

    /// From where it lets the run go on.
    pub(crate) const fn continuing(&self) -> Continuing {
        self.continuing
    }

    /// Grows the trees by this epoch, so that its commit need not.
    pub fn grow(&mut self, trees: &mut TreesAhead) {
        self.leaves.grow(&mut trees.decided);
        self.release_leaves.grow(&mut trees.released);
    }

    /// The leaves of its rows, and of its releases.
    pub(crate) fn leaves(&self) -> (&[ContentHash], &[ContentHash]) {
        (self.leaves.hashes(), self.release_leaves.hashes())
    }

    /// Which epoch it is of.
    pub(crate) const fn epoch(&self) -> EpochNo {
        self.epoch
    }
}

impl ActedDigest {
    /// The digest of `acted` by the run's version.
    ///
    /// # Errors
    /// [`Corruption`] when it tells of tokens without outcome.
    pub fn of(version: HashVersion, acted: &ActedEpoch) -> Result<Self, Corruption> {
        Ok(Self::with(version, acted, Leaves::new(acted_leaves(version, acted)?)))
    }

    fn with(version: HashVersion, acted: &ActedEpoch, leaves: Leaves) -> Self {
        let positions = continuation::positions(version, &acted.sinks);
        Self { epoch: acted.epoch, digest: acted_digest(version, acted), positions, leaves }
    }

    /// The same, when all that is left of where the sinks went on from are hashes.
    pub(crate) fn went_on(mut self, positions: Vec<u8>) -> Self {
        self.positions = positions;
        self
    }

    /// From where the sinks go on.
    pub(crate) fn positions(&self) -> &[u8] {
        &self.positions
    }

    /// The same, and `trees` grow by this epoch, so that its commit need not. The leaves of a large epoch are not kept.
    ///
    /// # Errors
    /// As [`ActedDigest::of`]; the trees are as before then.
    pub fn growing(
        version: HashVersion,
        acted: &ActedEpoch,
        trees: &mut TreesAhead,
    ) -> Result<Self, Corruption> {
        if acted.outcomes.len() <= MOST_LEAVES {
            let mut digest = Self::of(version, acted)?;
            digest.leaves.grow(&mut trees.acted);
            return Ok(digest);
        }
        let mut tree = trees.acted.clone();
        acted_leaves_in_parts(version, acted, |leaves| tree.extend(leaves))?;
        let leaves = Leaves::gone_into(std::mem::replace(&mut trees.acted, tree), &trees.acted);
        Ok(Self::with(version, acted, leaves))
    }

    /// The leaves of what became of its tokens; none where [`ActedDigest::growing`] kept none.
    pub(crate) fn leaves(&self) -> &[ContentHash] {
        self.leaves.hashes()
    }

    /// Which epoch it is of.
    pub(crate) const fn epoch(&self) -> EpochNo {
        self.epoch
    }
}

fn continuing(version: HashVersion, decided: &DecidedEpoch) -> Continuing {
    let intents = intents_hash(version, decided.intents.iter());
    let DecidedEpoch { source_position, buffers, pending, .. } = decided;
    Continuing { all: GoingOn { source_position, buffers, pending, intents }.hash(version), intents }
}

fn acted_digest(version: HashVersion, acted: &ActedEpoch) -> ContentHash {
    let mut out = Encoder::digesting(version);
    out.raw(RECORDS);
    out.u64(acted.epoch.0);
    out.whole(&acted.sink_states);
    out.whole(&acted.routing);
    out.whole(&acted.transform_errors);
    out.whole(&acted.outcomes);
    out.whole(&acted.operations);
    out.whole(&acted.artifacts);
    out.digest(version)
}

impl RecorderState {
    /// The state before the first commit; both chains begin with everything that is registered about the run.
    pub(crate) fn new(run: &Registered<'_>) -> Self {
        let (version, chain) = (run.hash_version, run_digest(run));
        let (decided, released) = (MerkleTree::new(version), MerkleTree::new(version));
        Self {
            version,
            decisions: Decisions { chain, decided, released, epochs: 0, records: 0 },
            acts: Acts {
                chain,
                acted: MerkleTree::new(version),
                artifacts: BTreeMap::new(),
                timed: BTreeSet::new(),
                epochs: 0,
                records: 0,
            },
        }
    }

    /// The state after a commit of `acted` and `staged` at `now`.
    pub(crate) fn after(
        &self,
        acted: Option<(&ActedEpoch, &ActedDigest)>,
        staged: Option<&DecidedDigest>,
        now: Micros,
    ) -> Self {
        let mut next = self.clone();
        if let Some((acted, hashed)) = acted {
            next.link_acted(hashed, now);
            hashed.leaves.append_to(&mut next.acts.acted, |tree| {
                acted_leaves_in_parts(self.version, acted, |leaves| tree.extend(leaves))
                    .expect("the digest is of the same acts");
            });
            next.acts.keep_artifacts(acted);
            next.acts.records += acted.records();
        }
        if let Some(staged) = staged {
            let (went_on, of) = (staged.continuing.all, &mut next.decisions);
            let half = (DECIDED, staged.epoch, Some(now));
            of.chain = link(self.version, of.chain, half, staged.digest, went_on.as_bytes());
            of.epochs = staged.epoch.0 + 1;
            let kept = |_: &mut MerkleTree| unreachable!("leaves of decisions are kept");
            staged.leaves.append_to(&mut of.decided, kept);
            staged.release_leaves.append_to(&mut of.released, kept);
            of.records += staged.records;
        }
        next
    }

    /// What comes when no decided epoch waits for it is the publication; the record keeps no commit time for that.
    fn link_acted(&mut self, acted: &ActedDigest, now: Micros) {
        let of = &mut self.acts;
        let awaited = (of.epochs..self.decisions.epochs).contains(&acted.epoch.0);
        let (half, positions) = match awaited {
            true => ((ACTED, acted.epoch, Some(now)), acted.positions.as_slice()),
            // Nothing goes on from there.
            false => ((PUBLISHED, acted.epoch, None), [].as_slice()),
        };
        if awaited {
            of.epochs = acted.epoch.0 + 1;
        }
        of.chain = link(self.version, of.chain, half, acted.digest, positions);
    }

    /// What was done so far.
    pub(crate) const fn acts(&self) -> &Acts {
        &self.acts
    }

    /// The same decisions, where other things were done so far.
    pub(crate) fn with_acts(&self, acts: &Acts) -> Self {
        Self { acts: acts.clone(), ..self.clone() }
    }

    pub(crate) fn hashes(&self) -> EpochHashes {
        EpochHashes {
            chain: self.decisions.chain,
            acted_chain: self.acts.chain,
            content: self.decisions.decided.root(),
            state: self.stored(),
            head: None,
            staged: None,
            positions: Vec::new(),
        }
    }

    /// Goes on from a chain that is stored after an epoch's decisions, whatever it is of: a verifier judges every epoch by
    /// its own records.
    pub(crate) const fn decided_from(&mut self, chain: ContentHash, epoch: EpochNo) {
        (self.decisions.chain, self.decisions.epochs) = (chain, epoch.0 + 1);
    }

    /// The same of what was done with an epoch.
    pub(crate) const fn acted_from(&mut self, chain: ContentHash, epoch: EpochNo) {
        (self.acts.chain, self.acts.epochs) = (chain, epoch.0 + 1);
    }

    /// Records of every kind that were committed.
    pub(crate) const fn records(&self) -> u64 {
        self.decisions.records + self.acts.records
    }

    /// The chains after their last links: of what was decided, and of what was done.
    pub(crate) const fn chains(&self) -> (ContentHash, ContentHash) {
        (self.decisions.chain, self.acts.chain)
    }

    /// The trees as they are now.
    pub(crate) fn trees(&self) -> TreesAhead {
        let Decisions { decided, released, .. } = self.decisions.clone();
        TreesAhead { decided, released, acted: self.acts.acted.clone() }
    }

    fn stored(&self) -> String {
        let (decisions, acts) = (&self.decisions, &self.acts);
        let artifacts = acts.artifacts.iter().map(|(step, artifacts)| (step.get(), artifacts.clone()));
        let stored = StoredState {
            format: FORMAT,
            decisions: StoredDecisions {
                chain: decisions.chain,
                decided: decisions.decided.state(),
                released: decisions.released.state(),
                epochs: decisions.epochs,
                records: decisions.records,
            },
            acts: StoredActs {
                chain: acts.chain,
                acted: acts.acted.state(),
                artifacts: artifacts.collect(),
                timed: acts.timed.iter().map(|step| step.get()).collect(),
                epochs: acts.epochs,
                records: acts.records,
            },
        };
        serde_json::to_string(&stored).expect("numbers and texts have a JSON form")
    }

    /// The state that a commit stored; `None` when no commit stores such a text.
    pub(crate) fn from_stored(version: HashVersion, text: &str) -> Option<Self> {
        let StoredState { decisions, acts, .. } =
            serde_json::from_str(text).ok().filter(|s: &StoredState| s.format == FORMAT)?;
        let artifacts = acts.artifacts.into_iter().map(|(step, list)| Some((Step::new(step)?, list)));
        Some(Self {
            version,
            decisions: Decisions {
                chain: decisions.chain,
                decided: MerkleTree::from_state(version, decisions.decided)?,
                released: MerkleTree::from_state(version, decisions.released)?,
                epochs: decisions.epochs,
                records: decisions.records,
            },
            acts: Acts {
                chain: acts.chain,
                acted: MerkleTree::from_state(version, acts.acted)?,
                artifacts: artifacts.collect::<Option<_>>()?,
                timed: acts.timed.into_iter().map(Step::new).collect::<Option<_>>()?,
                epochs: acts.epochs,
                records: acts.records,
            },
        })
    }

    /// The hash of everything but time, duration, host and run id.
    pub(crate) fn content_root(&self, topology_hash: ContentHash, seal: &RunSeal) -> ContentHash {
        let mut out = Encoder::default();
        out.raw(CONTENT_ROOT);
        out.text(self.version.name());
        out.hash(topology_hash);
        out.hash(self.source_hash(seal));
        for tree in [&self.decisions.decided, &self.decisions.released, &self.acts.acted] {
            out.u64(tree.size());
            out.hash(tree.root());
        }
        out.hash(self.artifacts_hash());
        self.version.hash(out.bytes())
    }

    /// What the content root says of the source.
    pub(crate) fn source_hash(&self, seal: &RunSeal) -> ContentHash {
        let mut out = Encoder::default();
        out.text(&seal.source.field_resolution);
        out.text(&seal.source.contract);
        self.version.hash(out.bytes())
    }

    /// What the content root says of what the sinks made.
    pub(crate) fn artifacts_hash(&self) -> ContentHash {
        let Acts { artifacts, timed, .. } = &self.acts;
        let mut out = Encoder::default();
        out.count(artifacts.len());
        for (step, artifacts) in artifacts {
            out.u16(step.get());
            out.count(artifacts.len());
            artifacts.iter().for_each(|artifact| put_artifact(&mut out, artifact, timed.contains(step)));
        }
        self.version.hash(out.bytes())
    }

    /// The hash of everything.
    pub(crate) fn record_root(&self, seal: &RunSeal, content_root: ContentHash) -> ContentHash {
        let mut out = Encoder::default();
        out.raw(RECORD_ROOT);
        out.hash(self.decisions.chain);
        out.hash(self.acts.chain);
        out.i64(seal.completed_at.0);
        out.u8(seal.status.code());
        out.optional(seal.error.as_ref(), Encoder::reason);
        out.text(&seal.source.identity);
        out.text(&seal.source.field_resolution);
        out.text(&seal.source.contract);
        out.hash(content_root);
        self.version.hash(out.bytes())
    }
}

/// The next link of a chain. `went_on` is what the run goes on from, by its hashes.
fn link(
    version: HashVersion,
    chain: ContentHash,
    (half, epoch, at): (u8, EpochNo, Option<Micros>),
    digest: ContentHash,
    went_on: &[u8],
) -> ContentHash {
    let mut out = Encoder::default();
    out.raw(LINK);
    out.hash(chain);
    out.u8(half);
    out.u64(epoch.0);
    out.optional(at, |out, at| out.i64(at.0));
    out.hash(digest);
    out.count(went_on.len());
    out.raw(went_on);
    version.hash(out.bytes())
}

impl Acts {
    /// The chain after the last link.
    pub(crate) const fn chain(&self) -> ContentHash {
        self.chain
    }

    /// Size and root of the tree.
    pub(crate) fn head(&self) -> TreeHead {
        TreeHead { size: self.acted.size(), root: self.acted.root() }
    }

    /// A sink's artifacts describe all of its content so far, so those of its newest write replace the ones before.
    fn keep_artifacts(&mut self, acted: &ActedEpoch) {
        let mut newest: BTreeMap<Step, Vec<ArtifactState>> = BTreeMap::new();
        for artifact in &acted.artifacts {
            newest.entry(artifact.step).or_default().push(ArtifactState {
                artifact_type: artifact.artifact_type.clone(),
                content_hash: artifact.content_hash,
                size_bytes: artifact.size_bytes,
                rows: artifact.rows,
            });
        }
        self.artifacts.extend(newest);
        let diverted = acted.outcomes.iter().filter(|o| o.outcome == Outcome::Diverted);
        self.timed.extend(diverted.filter_map(|o| o.sink));
    }
}

/// Content that holds the times of diversions is no content in the sense of the content root; its rows are counted.
fn put_artifact(out: &mut Encoder, artifact: &ArtifactState, timed: bool) {
    out.text(&artifact.artifact_type);
    out.u64(artifact.rows);
    out.optional((!timed).then_some(artifact), |out, artifact| {
        out.hash(artifact.content_hash);
        out.u64(artifact.size_bytes);
    });
}

/// What is registered about a run when it begins and never changes: neither the lease nor the grade (which falls when bodies
/// are purged), nor the source, whose last word comes with the seal.
pub(crate) struct Registered<'a> {
    run_id: RunId,
    started_at: Micros,
    settings: &'a str,
    settings_path: &'a str,
    config_hash: ContentHash,
    hash_version: HashVersion,
    topology_hash: ContentHash,
    engine_version: &'a str,
    nodes: &'a [NodeRecord],
    edges: &'a [EdgeRecord],
}

impl<'a> Registered<'a> {
    /// As it is about to be registered.
    pub(crate) fn of_start(start: &'a RunStart) -> Self {
        Self {
            run_id: start.run_id,
            started_at: start.started_at,
            settings: &start.settings,
            settings_path: &start.settings_path,
            config_hash: start.config_hash,
            hash_version: start.hash_version,
            topology_hash: start.topology_hash,
            engine_version: &start.engine_version,
            nodes: &start.nodes,
            edges: &start.edges,
        }
    }

    /// What the chain begins with.
    pub(crate) fn chain(&self) -> ContentHash {
        run_digest(self)
    }

    /// As it was stored.
    pub(crate) fn of_record(
        run: &'a RunRecord,
        (nodes, edges): (&'a [NodeRecord], &'a [EdgeRecord]),
    ) -> Self {
        Self {
            run_id: run.run_id,
            started_at: run.started_at,
            settings: &run.settings,
            settings_path: &run.settings_path,
            config_hash: run.config_hash,
            hash_version: run.hash_version,
            topology_hash: run.topology_hash,
            engine_version: &run.engine_version,
            nodes,
            edges,
        }
    }
}

fn run_digest(run: &Registered<'_>) -> ContentHash {
    let mut out = Encoder::default();
    out.raw(RUN);
    out.raw(&run.run_id.ulid().to_bytes());
    out.i64(run.started_at.0);
    out.text(run.settings);
    out.text(run.settings_path);
    out.hash(run.config_hash);
    out.text(run.hash_version.name());
    out.hash(run.topology_hash);
    out.text(run.engine_version);
    out.whole(run.nodes);
    out.whole(run.edges);
    run.hash_version.hash(out.bytes())
}
