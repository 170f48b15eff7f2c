//! Leaves of what sinks did: one per outcome, with what led to it at sinks in front.

use elspeth_canonical::{ContentHash, HashVersion};
use elspeth_contracts::TokenKey;

use super::encode::{Record, in_key_order};
use super::{LeafBatch, LeafEncoder};
use crate::{ActedEpoch, Corruption};

/// Leaves that are given at once.
const PART: usize = 1 << 14;

/// The leaves of an epoch's acts, in the order of its outcomes.
pub(crate) fn acted_leaves(version: HashVersion, acted: &ActedEpoch) -> Result<Vec<ContentHash>, Corruption> {
    let mut leaves = LeafBatch::with_room(version, acted.outcomes.len());
    each_act(&mut LeafEncoder::new(version), acted, |leaf, _| leaf.finish_later(&mut leaves))?;
    Ok(leaves.take())
}

/// Gives the same leaves some at a time, for an epoch that has too many of them for the memory.
pub(crate) fn acted_leaves_in_parts(
    version: HashVersion,
    acted: &ActedEpoch,
    mut give: impl FnMut(&[ContentHash]),
) -> Result<(), Corruption> {
    let mut leaves = LeafBatch::new(version);
    each_act(&mut LeafEncoder::new(version), acted, |leaf, _| {
        leaf.finish_later(&mut leaves);
        if leaves.hashed() >= PART {
            give(&leaves.take());
        }
    })?;
    give(&leaves.take());
    Ok(())
}

/// Gives each act to the encoder, in the order of the epoch's outcomes, for `close` to end it.
pub(crate) fn each_act(
    leaf: &mut LeafEncoder,
    acted: &ActedEpoch,
    mut close: impl FnMut(&mut LeafEncoder, TokenKey),
) -> Result<(), Corruption> {
    let mut states = Led::new(&acted.sink_states, |s| s.token);
    let mut routing = Led::new(&acted.routing, |r| r.token);
    let mut errors = Led::new(&acted.transform_errors, |e| e.token);
    for outcome in &acted.outcomes {
        states.to(outcome.token).for_each(|s| leaf.state(s));
        routing.to(outcome.token).for_each(|r| leaf.routing(r));
        errors.to(outcome.token).for_each(|e| leaf.transform_error(e));
        leaf.outcome(outcome);
        close(leaf, outcome.token);
    }
    states.end("node_states")?;
    routing.end("routing_events")?;
    errors.end("transform_errors")
}

/// Records of tokens by key, each of which leads to the token's first outcome.
struct Led<'a, R> {
    records: &'a [R],
    /// The records by key, where they are in another order.
    sorted: Option<Vec<&'a R>>,
    given: Vec<bool>,
    next: usize,
    token: fn(&R) -> TokenKey,
}

impl<'a, R: Record> Led<'a, R> {
    fn new(records: &'a [R], token: fn(&R) -> TokenKey) -> Self {
        let sorted = (!records.is_sorted_by_key(Record::key)).then(|| in_key_order(records));
        Self { given: vec![false; records.len()], records, sorted, next: 0, token }
    }

    fn get(&self, at: usize) -> Option<&'a R> {
        match &self.sorted {
            Some(sorted) => sorted.get(at).copied(),
            None => self.records.get(at),
        }
    }

    /// Whose record is at a place.
    fn token_at(&self, at: usize) -> Option<TokenKey> {
        self.get(at).map(self.token)
    }

    /// The first place of `token`, or where that would be.
    fn first(&self, token: TokenKey) -> usize {
        let of = self.token;
        match &self.sorted {
            Some(sorted) => sorted.partition_point(|record| of(record) < token),
            None => self.records.partition_point(|record| of(record) < token),
        }
    }

    /// Every record of `token`, unless they were given already. Outcomes mostly are in token order, so that the place to
    /// look at is mostly where the last search ended.
    fn to(&mut self, token: TokenKey) -> impl Iterator<Item = &'a R> {
        if self.token_at(self.next) != Some(token) {
            self.next = self.first(token);
        }
        let from = self.next;
        while self.token_at(self.next) == Some(token) && !self.given[self.next] {
            self.given[self.next] = true;
            self.next += 1;
        }
        (from..self.next).filter_map(|at| self.get(at))
    }

    /// Whatever was not given belongs to no outcome.
    fn end(self, table: &'static str) -> Result<(), Corruption> {
        let stray = self.given.iter().position(|given| !given).and_then(|at| self.token_at(at));
        let Some(stray) = stray else { return Ok(()) };
        Err(Corruption {
            table,
            id: format!("token {}", stray.get()),
            what: "a sink's record about a token that has no outcome in the same epoch".to_owned(),
        })
    }
}
