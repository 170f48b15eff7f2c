//! What a token carried from node to node.

use elspeth_canonical::ContentHash;
use elspeth_contracts::{NodeStateRecord, NodeStateStatus, Step, TokenKey};
use elspeth_payload::BodyKey;

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

/// Gives the body of a key, checked against the recorded hash.
pub(crate) type Lookup<'a> = dyn Fn(BodyKey, ContentHash) -> Result<Shown, LandscapeError> + 'a;

/// Follows a token that starts with `start` (the source's row, or what its parent carried) through its states.
///
/// Hashes are recorded only where they are new: a state without input hash got what the state before gave, one without
/// output hash gave what it got. A state that failed gave nothing, and the token goes on with what it had.
pub(crate) fn flow(
    token: TokenKey,
    start: Held,
    states: &[NodeStateRecord],
    lookup: &Lookup<'_>,
) -> Result<Flow, LandscapeError> {
    let mut held = start;
    let mut before = None;
    let mut passages = Vec::with_capacity(states.len());
    for state in states {
        if let Some(hash) = state.input_hash
            && held.hash != Some(hash)
        {
            held = Held { hash: Some(hash), body: arrived(token, before, hash, lookup)? };
        }
        let passage = passage(state, &held, lookup)?;
        if state.status == NodeStateStatus::Completed {
            held = passage.output.clone();
        }
        before = Some(state.step);
        passages.push(passage);
    }
    Ok(Flow { passages, end: held })
}

/// What a token got that is not what the state before gave: kept under its own key after the step before.
fn arrived(
    token: TokenKey,
    before: Option<Step>,
    hash: ContentHash,
    lookup: &Lookup<'_>,
) -> Result<Shown, LandscapeError> {
    match before {
        Some(step) => lookup(BodyKey { token, step }, hash),
        None => Ok(Shown::Purged),
    }
}

fn passage(state: &NodeStateRecord, held: &Held, lookup: &Lookup<'_>) -> Result<Passage, LandscapeError> {
    // Nothing comes into a source; what it gives is what the token starts with.
    let input = if state.step == Step::SOURCE { Held::default() } else { held.clone() };
    let output = match (state.status, state.output_hash) {
        (NodeStateStatus::Completed, Some(hash)) if held.hash != Some(hash) => {
            Held { hash: Some(hash), body: lookup(BodyKey { token: state.token, step: state.step }, hash)? }
        }
        (NodeStateStatus::Completed, _) => held.clone(),
        (NodeStateStatus::Open | NodeStateStatus::Pending | NodeStateStatus::Failed, _) => Held::default(),
    };
    Ok(Passage { input, output })
}
