//! The ways of tokens, as far back as what they carry was given to them.

use std::collections::{BTreeMap, BTreeSet};

use elspeth_canonical::ContentHash;
use elspeth_contracts::{
    EpochNo, NodeRecord, NodeStateRecord, NodeStateStatus, NodeType, ReleaseRecord, RowIndex, RowRecord,
    Step, TokenKey, TokenOrigin,
};
use elspeth_payload::BodyKey;

use super::{Place, corrupt};
use crate::{LandscapeError, LandscapeReader, RunRecord};

/// The trails of some tokens and of those they were forked off.
pub(super) struct Trails<'a> {
    run: &'a RunRecord,
    nodes: Vec<NodeRecord>,
    trails: BTreeMap<TokenKey, Trail>,
    /// By number, those by which tokens of these were made.
    releases: BTreeMap<u64, ReleaseRecord>,
}

/// One token's.
#[derive(Debug, Default)]
struct Trail {
    /// By step and attempt, those at sinks left out.
    states: Vec<NodeStateRecord>,
    /// Its first parent; looked for only where its states do not say what it carries.
    parent: Option<TokenKey>,
}

/// With what a token began.
enum Start {
    /// With what the source gave.
    Read,
    /// With a row of its own, which the node at this step made.
    Made(Step),
    /// With what its parent carried.
    Forked(TokenKey),
}

impl Trail {
    /// What the last state gave that changed the row.
    fn last_change(&self) -> Option<(Step, ContentHash)> {
        let completed = self.states.iter().filter(|state| state.status == NodeStateStatus::Completed);
        completed.rev().find_map(|state| Some((state.step, state.output_hash?)))
    }

    /// The hash of what it began with, which the first state of a token that was made tells.
    fn told(&self) -> Option<ContentHash> {
        self.states.first()?.input_hash
    }

    fn last_step(&self) -> Option<Step> {
        self.states.last().map(|state| state.step)
    }
}

impl<'a> Trails<'a> {
    pub(super) async fn load(
        reader: &dyn LandscapeReader,
        run: &'a RunRecord,
        tokens: &[TokenKey],
    ) -> Result<Self, LandscapeError> {
        let nodes = reader.nodes(run.run_no).await?;
        let mut found = Self { run, nodes, trails: BTreeMap::new(), releases: BTreeMap::new() };
        let mut wanted: BTreeSet<TokenKey> = tokens.iter().copied().collect();
        while !wanted.is_empty() {
            wanted = found.add(reader, &Vec::from_iter(wanted)).await?;
        }
        let numbers = found.trails.keys().filter_map(|token| release_of(*token));
        found.releases = releases(reader, run, numbers.collect()).await?;
        Ok(found)
    }

    /// Adds the trails of `tokens`, which are in order; gives back those of which more has to be known.
    async fn add(
        &mut self,
        reader: &dyn LandscapeReader,
        tokens: &[TokenKey],
    ) -> Result<BTreeSet<TokenKey>, LandscapeError> {
        let run_no = self.run.run_no;
        self.trails.extend(tokens.iter().map(|token| (*token, Trail::default())));
        for state in reader.states_of(run_no, tokens).await? {
            self.trails.entry(state.token).or_default().states.push(state);
        }
        let undecided = |token: &&TokenKey| !is_row(**token) && self.trails[token].last_change().is_none();
        let undecided: Vec<TokenKey> = tokens.iter().filter(undecided).copied().collect();
        let mut wanted = BTreeSet::new();
        for parent in reader.first_parents(run_no, &undecided).await? {
            self.trails.entry(parent.token).or_default().parent = Some(parent.parent);
            wanted.insert(parent.parent);
        }
        wanted.retain(|parent| !self.trails.contains_key(parent));
        Ok(wanted)
    }

    /// Whether its next state has to tell the hash of its row.
    pub(super) fn is_fresh(&self, token: TokenKey) -> bool {
        !is_row(token) && self.trails[&token].states.is_empty()
    }

    /// Where the rows of `tokens` are, and in which epoch.
    pub(super) async fn places(
        &self,
        reader: &dyn LandscapeReader,
        tokens: &[TokenKey],
    ) -> Result<Vec<(Place, EpochNo)>, LandscapeError> {
        let mut places = tokens.iter().map(|token| self.place(*token)).collect::<Result<Vec<_>, _>>()?;
        let rows = self.rows(reader, &places).await?;
        let passed = self.passed(reader, &places).await?;
        let mut found = Vec::with_capacity(places.len());
        for place in &mut places {
            let key = place.key;
            let origin = match key.token.origin() {
                TokenOrigin::Row(row) => {
                    let (row, epoch) =
                        rows.get(&row).ok_or_else(|| self.corrupt(key.token, "its row is missing"))?;
                    if key.step == Step::SOURCE {
                        place.hash = Some(row.source_data_hash);
                    }
                    *epoch
                }
                TokenOrigin::Batch(number) => self.release(key.token, number)?.epoch,
            };
            if let (Some(hash), Some(told)) = (place.hash, place.told)
                && hash != told
            {
                return Err(self.corrupt(key.token, "its branch went on with another row than it carried"));
            }
            found.push((*place, passed.get(&key).copied().unwrap_or(origin)));
        }
        Ok(found)
    }

    /// Goes back to what gave the token its row. The hash that the source's has is not known here.
    fn place(&self, token: TokenKey) -> Result<Place, LandscapeError> {
        let (mut at, mut told) = (token, None);
        // Each turn goes to another token, unless the record goes in circles.
        for _ in 0..self.trails.len() {
            let trail = &self.trails[&at];
            let place = |step, hash, told| Ok(Place { key: BodyKey { token: at, step }, hash, told });
            if let Some((step, hash)) = trail.last_change() {
                return place(step, Some(hash), told);
            }
            told = told.or(trail.told());
            match self.start(at, trail)? {
                Start::Read => return place(Step::SOURCE, None, told),
                Start::Made(step) => return place(step, None, told),
                Start::Forked(parent) => at = parent,
            }
        }
        Err(self.corrupt(token, "it came from itself"))
    }

    fn start(&self, token: TokenKey, trail: &Trail) -> Result<Start, LandscapeError> {
        if is_row(token) {
            return Ok(Start::Read);
        }
        let Some(parent) = trail.parent else {
            let number = release_of(token).ok_or_else(|| self.corrupt(token, "it came from nothing"))?;
            return Ok(Start::Made(self.release(token, number)?.step));
        };
        let step = self.trails[&parent].last_step();
        let node = step.and_then(|step| self.nodes.get(step.index()));
        match node.map(|node| (node.step, node.node_type)) {
            Some((_, NodeType::Gate)) => Ok(Start::Forked(parent)),
            Some((step, NodeType::Transform | NodeType::Coalesce)) => Ok(Start::Made(step)),
            Some((_, NodeType::Source | NodeType::Aggregation | NodeType::Sink)) | None => {
                Err(self.corrupt(token, "its parent came to no node that makes tokens"))
            }
        }
    }

    /// The rows that the tokens of these places came from, with their epochs.
    async fn rows(
        &self,
        reader: &dyn LandscapeReader,
        places: &[Place],
    ) -> Result<BTreeMap<RowIndex, (RowRecord, EpochNo)>, LandscapeError> {
        let row = |place: &Place| match place.key.token.origin() {
            TokenOrigin::Row(row) => Some(row),
            TokenOrigin::Batch(_) => None,
        };
        let wanted: BTreeSet<RowIndex> = places.iter().filter_map(row).collect();
        let rows = reader.rows_of(self.run.run_no, &Vec::from_iter(wanted)).await?;
        Ok(rows.into_iter().map(|(row, epoch)| (row.row_index, (row, epoch))).collect())
    }

    /// The epochs of bodies that tokens got after a batch had let them go on: that of the last such batch.
    async fn passed(
        &self,
        reader: &dyn LandscapeReader,
        places: &[Place],
    ) -> Result<BTreeMap<BodyKey, EpochNo>, LandscapeError> {
        let keys: BTreeSet<BodyKey> =
            places.iter().map(|place| place.key).filter(|key| self.came_through_batch(*key)).collect();
        let tokens: BTreeSet<TokenKey> = keys.iter().map(|key| key.token).collect();
        let mut batches: BTreeMap<TokenKey, Vec<u64>> = BTreeMap::new();
        for member in reader.memberships_of(self.run.run_no, &Vec::from_iter(tokens)).await? {
            batches.entry(member.token).or_default().push(member.batch_no);
        }
        let numbers = batches.values().flatten().copied().collect();
        let releases = releases(reader, self.run, numbers).await?;
        let last = |key: BodyKey| {
            let of_token = batches.get(&key.token)?.iter().filter_map(|number| releases.get(number));
            let last = of_token.filter(|release| release.step <= key.step).max_by_key(|r| r.step)?;
            Some((key, last.epoch))
        };
        Ok(keys.into_iter().filter_map(last).collect())
    }

    /// A member has a state at the aggregation once its batch was flushed.
    fn came_through_batch(&self, key: BodyKey) -> bool {
        let states = &self.trails[&key.token].states;
        let aggregation = |step: Step| {
            self.nodes.get(step.index()).is_some_and(|node| node.node_type == NodeType::Aggregation)
        };
        states.iter().any(|state| state.step <= key.step && aggregation(state.step))
    }

    fn release(&self, token: TokenKey, number: u64) -> Result<&ReleaseRecord, LandscapeError> {
        self.releases.get(&number).ok_or_else(|| self.corrupt(token, "the release that made it is missing"))
    }

    fn corrupt(&self, token: TokenKey, what: &str) -> LandscapeError {
        corrupt(self.run, token, what)
    }
}

/// Whether it is the first token of a row.
fn is_row(token: TokenKey) -> bool {
    match token.origin() {
        TokenOrigin::Row(_) => token.ordinal() == 0,
        TokenOrigin::Batch(_) => false,
    }
}

fn release_of(token: TokenKey) -> Option<u64> {
    match token.origin() {
        TokenOrigin::Row(_) => None,
        TokenOrigin::Batch(number) => Some(number),
    }
}

async fn releases(
    reader: &dyn LandscapeReader,
    run: &RunRecord,
    numbers: BTreeSet<u64>,
) -> Result<BTreeMap<u64, ReleaseRecord>, LandscapeError> {
    let found = reader.releases_of(run.run_no, &Vec::from_iter(numbers)).await?;
    Ok(found.into_iter().map(|release| (release.number, release)).collect())
}
