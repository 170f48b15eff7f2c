//! Leaves of what sinks did: one per outcome, with what led to it at sinks in front.

use elspeth_canonical::{ContentHash, HashVersion};
use elspeth_contracts::TokenKey;

use super::LeafEncoder;
use super::encode::{Record, in_key_order};
use crate::{ActedEpoch, Corruption};

/// The leaves of an epoch's acts, by token.
pub(crate) fn acted_leaves(version: HashVersion, acted: &ActedEpoch) -> Result<Vec<ContentHash>, Corruption> {
    let mut leaf = LeafEncoder::new(version);
    let mut states = Follower::new(&acted.sink_states, |s| s.token);
    let mut routing = Follower::new(&acted.routing, |r| r.token);
    let mut errors = Follower::new(&acted.transform_errors, |e| e.token);
    let mut leaves = Vec::with_capacity(acted.outcomes.len());
    for outcome in in_key_order(&acted.outcomes) {
        states.up_to(outcome.token, |s| leaf.state(s));
        routing.up_to(outcome.token, |r| leaf.routing(r));
        errors.up_to(outcome.token, |e| leaf.transform_error(e));
        leaf.outcome(outcome);
        leaves.push(leaf.finish());
    }
    states.end("node_states")?;
    routing.end("routing_events")?;
    errors.end("transform_errors")?;
    Ok(leaves)
}

/// Goes through records of tokens beside the outcomes of the same tokens.
struct Follower<'a, R> {
    records: Vec<&'a R>,
    next: usize,
    token: fn(&R) -> TokenKey,
    stray: Option<TokenKey>,
}

impl<'a, R: Record> Follower<'a, R> {
    fn new(records: &'a [R], token: fn(&R) -> TokenKey) -> Self {
        Self { records: in_key_order(records), next: 0, token, stray: None }
    }

    /// Gives every record of `token`; what lies before it belongs to no outcome.
    fn up_to(&mut self, token: TokenKey, mut give: impl FnMut(&R)) {
        while let Some(record) = self.records.get(self.next).filter(|r| (self.token)(r) <= token) {
            if (self.token)(record) < token {
                self.stray.get_or_insert((self.token)(record));
            }
            give(record);
            self.next += 1;
        }
    }

    fn end(self, table: &'static str) -> Result<(), Corruption> {
        let left = self.records.get(self.next).map(|r| (self.token)(r));
        match self.stray.or(left) {
            None => Ok(()),
            Some(token) => Err(Corruption {
                table,
                id: format!("token {}", token.get()),
                what: "a sink's record about a token that has no outcome in the same epoch".to_owned(),
            }),
        }
    }
}
