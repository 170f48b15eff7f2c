//! Everything that the record tells of one row and of what was made of it, with its place in the trees.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use elspeth_canonical::ContentHash;
use elspeth_contracts::{
    NodeStateRecord, NodeStateStatus, Outcome, RowIndex, TokenKey, TokenOrigin, TokenOutcomeRecord,
    TokenParentRecord,
};
use elspeth_payload::{Block, LargeBodies};
use elspeth_proof::merkle::{Proof, Prover};

use super::gather::{Gathered, Known, gather};
use super::places::Epoch;
use super::scan::RecordScan;
use super::{leaves, proof_digest, proof_hash};
use crate::integrity::{LeafEncoder, ReleaseRecords, each_act};
use crate::shown::hash_of_body;
use crate::{ActedEpoch, LandscapeError};

/// A leaf among those of one epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LeafAt {
    /// The epoch's position.
    pub(super) epoch: usize,
    /// The leaf's, among the epoch's of its kind.
    pub(super) index: usize,
}

/// The row's story, with everything that its leaves are over.
#[derive(Debug, Default)]
pub(super) struct Story {
    pub(super) decision: BTreeMap<LeafAt, Vec<u8>>,
    pub(super) releases: BTreeMap<LeafAt, ToldRelease>,
    pub(super) acts: BTreeMap<LeafAt, Vec<u8>>,
    /// Canonical forms.
    pub(super) bodies: BTreeSet<Vec<u8>>,
}

/// What one release has of the row's tokens.
#[derive(Debug)]
pub(super) struct ToldRelease {
    pub(super) attempts: Vec<u8>,
    pub(super) proof: Proof,
    /// Parts by index.
    pub(super) parts: Vec<(u64, Vec<u8>)>,
}

/// Follows a row through the record; nothing where there is no such row.
pub(super) fn tell(
    scan: &mut dyn RecordScan,
    (known, epochs): (&Known<'_>, &[Epoch]),
    row: RowIndex,
    bodies: Option<&dyn LargeBodies>,
) -> Result<Option<Story>, LandscapeError> {
    let Some(first) = known.places.epoch(TokenOrigin::Row(row)) else { return Ok(None) };
    let (mut story, mut trail) = (Story::default(), Trail::of(row, first));
    while let Some(at) = trail.epochs.pop_first() {
        // What is wrong with the record is found by verifying it.
        let gathered = gather(scan, known, (at, &epochs[at]), &mut Vec::new())?;
        if at == first {
            let Some(bytes) = leaves::bytes_of_row(known, &gathered.decided, row) else { return Ok(None) };
            let index = gathered.decided.rows.iter().position(|record| record.row_index == row);
            story.decision.extend(index.map(|index| (LeafAt { epoch: at, index }, bytes)));
            let made = gathered.decided.tokens.iter().map(|token| token.token);
            made.filter(|token| token.origin() == TokenOrigin::Row(row))
                .for_each(|token| trail.follow(token, known));
        }
        leaves::each_release(known, &gathered.decided, |index, records| {
            if let Some(told) = trail.release(known, (records, &gathered.acted)) {
                story.releases.insert(LeafAt { epoch: at, index }, told);
            }
        });
        let mut index = 0;
        each_act(&mut LeafEncoder::keeping(known.version), &gathered.acted, |leaf, token| {
            let bytes = leaf.take();
            if trail.tokens.contains(&token) {
                story.acts.insert(LeafAt { epoch: at, index }, bytes);
            }
            index += 1;
        })?;
        trail.name_bodies(&gathered);
        if let Some(block) = scan.block(epochs[at].number())? {
            trail.bodies(known, &block, bodies);
        }
    }
    let Trail { bodies, named, .. } = trail;
    story.bodies.extend(bodies.into_iter().filter(|(hash, _)| named.contains(hash)).map(|(_, body)| body));
    Ok(Some(story))
}

/// Members that the batch refused, each alone: nothing that came out came of them.
fn refused(records: &ReleaseRecords<'_>) -> HashSet<TokenKey> {
    let mut refused = HashSet::new();
    let Some(step) = records.batches.first().map(|batch| batch.step) else { return refused };
    // Attempts are in order.
    for state in records.states.iter().filter(|state| state.step == step) {
        match state.status {
            NodeStateStatus::Failed => refused.insert(state.token),
            NodeStateStatus::Completed | NodeStateStatus::Open | NodeStateStatus::Pending => {
                refused.remove(&state.token)
            }
        };
    }
    refused
}

/// How far the row was followed.
struct Trail {
    /// The row's tokens, and all that were made of them.
    tokens: HashSet<TokenKey>,
    /// Positions of epochs that tell of them and were not read yet.
    epochs: BTreeSet<usize>,
    /// Hashes of bodies that the record names of these tokens.
    named: HashSet<ContentHash>,
    /// Canonical forms of their bodies.
    bodies: HashMap<ContentHash, Vec<u8>>,
    row: RowIndex,
}

impl Trail {
    fn of(row: RowIndex, epoch: usize) -> Self {
        let epochs = BTreeSet::from([epoch]);
        Self { tokens: HashSet::new(), epochs, named: HashSet::new(), bodies: HashMap::new(), row }
    }

    /// A token of the row: what let it go is in later epochs.
    fn follow(&mut self, token: TokenKey, known: &Known<'_>) {
        if self.tokens.insert(token) {
            let epoch = |number| known.places.epoch(TokenOrigin::Batch(number));
            self.epochs.extend(known.places.releases_of(token).filter_map(epoch));
        }
    }

    /// What a release has of the row's tokens, if it has any of them.
    fn release(
        &mut self,
        known: &Known<'_>,
        (records, acted): (&ReleaseRecords<'_>, &ActedEpoch),
    ) -> Option<ToldRelease> {
        let refused = refused(records);
        let took = |member: &TokenKey| self.tokens.contains(member) && !refused.contains(member);
        if records.members().any(|member| took(&member)) {
            records.outputs.iter().for_each(|output| self.follow(output.token, known));
        }
        // A member may have a larger number than what was made of it.
        loop {
            let more = records.parents.iter().filter(|link| self.has_other(link));
            let more: Vec<_> = more.map(|link| link.token).collect();
            if more.is_empty() {
                break;
            }
            more.into_iter().for_each(|child| self.follow(child, known));
        }
        let beside = self.beside(known, (records, acted));
        let mut prover = Prover::new(proof_digest(known.version));
        let (mut parts, mut index) = (Vec::new(), 0);
        records.shown(known.version, |token, bytes, hash| {
            let ours = self.tokens.contains(&token);
            if ours || beside.contains(&token) {
                parts.push((index, bytes.to_vec()));
            }
            prover.push(proof_hash(hash), ours || beside.contains(&token));
            index += 1;
        });
        let told = !parts.is_empty();
        told.then(|| ToldRelease { attempts: records.attempts(), proof: prover.finish(), parts })
    }

    /// Whether a token was made of one of the row's, and is not known as such yet.
    fn has_other(&self, link: &TokenParentRecord) -> bool {
        self.tokens.contains(&link.parent) && !self.tokens.contains(&link.token)
    }

    /// The tokens whose parts are beside those of what came out of a batch that consumed one of the row's tokens: they show
    /// that nothing else came out. Mostly there are none, because these parts are the last.
    fn beside(
        &self,
        known: &Known<'_>,
        (records, acted): (&ReleaseRecords<'_>, &ActedEpoch),
    ) -> Vec<TokenKey> {
        let Some(number) = records.batches.first().map(|batch| batch.batch_no) else { return Vec::new() };
        let consumed = |end: &&TokenOutcomeRecord| {
            end.outcome == Outcome::ConsumedInBatch
                && end.release() == Some(number)
                && self.tokens.contains(&end.token)
        };
        if !acted.outcomes.iter().any(|end| consumed(&end)) {
            return Vec::new();
        }
        let mut tokens = Vec::new();
        records.shown(known.version, |token, _, _| tokens.push(token));
        let from = tokens.partition_point(|token| TokenKey::of_batch(number, 0) > Some(*token));
        let made = |token: &TokenKey| token.origin() == TokenOrigin::Batch(number);
        let count = tokens[from..].iter().take_while(|token| made(token)).count();
        let before = from.checked_sub(1).filter(|_| count == 0);
        before.into_iter().chain([from + count]).filter_map(|at| tokens.get(at).copied()).collect()
    }

    fn name_bodies(&mut self, Gathered { decided, acted, .. }: &Gathered) {
        let row = decided.rows.iter().filter(|record| record.row_index == self.row);
        self.named.extend(row.map(|record| record.source_data_hash));
        let ours = |state: &&NodeStateRecord| self.tokens.contains(&state.token);
        let states = decided.states.iter().chain(&acted.sink_states).filter(ours);
        let hashes: Vec<_> =
            states.flat_map(|state| [state.input_hash, state.output_hash]).flatten().collect();
        self.named.extend(hashes);
    }

    /// The bodies of a block that belong to the tokens. What cannot be read is found by verifying.
    fn bodies(&mut self, known: &Known<'_>, block: &[u8], store: Option<&dyn LargeBodies>) {
        let Ok(block) = Block::read(block) else { return };
        for key in block.keys().filter(|key| self.tokens.contains(&key.token)) {
            let Ok(Some(body)) = block.body(key, store) else { continue };
            let mut bytes = Vec::new();
            if let Ok(hash) = hash_of_body(known.version, &body, &mut bytes) {
                self.bodies.insert(hash, bytes);
            }
        }
    }
}
