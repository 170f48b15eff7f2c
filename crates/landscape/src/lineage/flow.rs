//! What a token carried from node to node.

use std::collections::BTreeMap;

use elspeth_canonical::ContentHash;
use elspeth_contracts::{NodeStateRecord, NodeStateStatus, RowIndex, Step, TokenKey, TokenOrigin};
use elspeth_payload::BodyKey;

use super::Bodies;
use super::facts::{Facts, TokenFacts};
use crate::{LandscapeError, Shown};

/// A row (or refused record) with its recorded hash; both missing where there is none.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Held {
    pub(crate) hash: Option<ContentHash>,
    pub(crate) body: Shown,
}

/// What came into a state and what went out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Passage {
    pub(crate) input: Held,
    pub(crate) output: Held,
}

/// A token's way: a passage for each of its states, and what it carries at the end.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Flow {
    pub(crate) passages: Vec<Passage>,
    pub(crate) end: Held,
}

/// The ways of all tokens, in an order in which each comes after those it came from.
pub(crate) fn flows(facts: &Facts, bodies: &Bodies<'_>) -> Result<BTreeMap<TokenKey, Flow>, LandscapeError> {
    let mut flows: BTreeMap<TokenKey, Flow> = BTreeMap::new();
    for key in facts.in_order() {
        let token = &facts.tokens[&key];
        let start = match (token.parents.first(), key.origin()) {
            (Some(parent), _) => flows.get(&parent.parent).map_or_else(unknown, |flow| flow.end.clone()),
            (None, TokenOrigin::Row(row)) => source_row(facts, row, bodies)?,
            (None, TokenOrigin::Batch(_)) => unknown(),
        };
        flows.insert(key, Way { facts, token, bodies }.follow(start)?);
    }
    Ok(flows)
}

/// What the source gave.
pub(crate) fn source_row(facts: &Facts, row: RowIndex, bodies: &Bodies<'_>) -> Result<Held, LandscapeError> {
    let Some((record, epoch)) = facts.rows.get(&row) else { return Ok(Held::default()) };
    let token = TokenKey::of_row(row, 0).expect("every row has an ordinal 0");
    let key = BodyKey { token, step: Step::SOURCE };
    let body = bodies.shown(Some(*epoch), key, record.source_data_hash)?;
    Ok(Held { hash: Some(record.source_data_hash), body })
}

fn unknown() -> Held {
    Held { hash: None, body: Shown::Purged }
}

/// One token on its way.
struct Way<'a> {
    facts: &'a Facts,
    token: &'a TokenFacts,
    bodies: &'a Bodies<'a>,
}

impl Way<'_> {
    /// Follows it from `start` (the source's row, or what its first parent carried) through its states.
    ///
    /// Hashes are recorded only where they are new: a state without input hash got what the state before gave, one
    /// without output hash gave what it got. A state that failed gave nothing, and the token goes on with what it had.
    fn follow(&self, start: Held) -> Result<Flow, LandscapeError> {
        let mut held = start;
        let mut before = self.facts.made_at(self.token);
        let mut passages = Vec::with_capacity(self.token.states.len());
        for state in &self.token.states {
            if let Some(hash) = state.input_hash
                && held.hash != Some(hash)
            {
                held = Held { hash: Some(hash), body: self.arrived(before, hash)? };
            }
            let passage = self.passage(state, &held)?;
            if state.status == NodeStateStatus::Completed {
                held = passage.output.clone();
            }
            before = Some(state.step);
            passages.push(passage);
        }
        Ok(Flow { passages, end: held })
    }

    /// What the token got that is not what the state before gave: kept under its own key after the step before, which is
    /// the one that made it where it has no state yet.
    fn arrived(&self, before: Option<Step>, hash: ContentHash) -> Result<Shown, LandscapeError> {
        before.map_or(Ok(Shown::Purged), |step| self.body(step, hash))
    }

    fn body(&self, step: Step, hash: ContentHash) -> Result<Shown, LandscapeError> {
        let epoch = self.facts.epoch_of(self.token, step);
        self.bodies.shown(epoch, BodyKey { token: self.token.key(), step }, hash)
    }

    fn passage(&self, state: &NodeStateRecord, held: &Held) -> Result<Passage, LandscapeError> {
        // Nothing comes into a source; what it gives is what the token starts with.
        let input = if state.step == Step::SOURCE { Held::default() } else { held.clone() };
        let output = match (state.status, state.output_hash) {
            (NodeStateStatus::Completed, Some(hash)) if held.hash != Some(hash) => {
                Held { hash: Some(hash), body: self.body(state.step, hash)? }
            }
            (NodeStateStatus::Completed, _) => held.clone(),
            (NodeStateStatus::Open | NodeStateStatus::Pending | NodeStateStatus::Failed, _) => {
                Held::default()
            }
        };
        Ok(Passage { input, output })
    }
}
