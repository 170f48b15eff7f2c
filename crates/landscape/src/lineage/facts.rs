//! What a reader knows about the subject, gathered before anything is worked out.

use std::collections::{BTreeMap, BTreeSet};

use elspeth_contracts::{
    BatchMemberRecord, BatchOutputRecord, BatchRecord, CallRecord, EpochNo, NodeStateRecord, NodeStateStatus,
    NodeType, Outcome, ReleaseRecord, RoutingEventRecord, RowIndex, RowRecord, StateContextRecord, Step,
    TokenKey, TokenOrigin, TokenOutcomeRecord, TokenParentRecord, TokenRecord, TransformErrorRecord,
    ValidationErrorRecord,
};

use super::Graph;
use crate::BatchSize;

/// Everything recorded about one token.
#[derive(Debug, Clone)]
pub(crate) struct TokenFacts {
    pub(crate) token: TokenRecord,
    pub(crate) parents: Vec<TokenParentRecord>,
    pub(crate) states: Vec<NodeStateRecord>,
    pub(crate) contexts: Vec<StateContextRecord>,
    pub(crate) routing: Vec<RoutingEventRecord>,
    pub(crate) calls: Vec<CallRecord>,
    pub(crate) errors: Vec<TransformErrorRecord>,
    pub(crate) outcome: Option<TokenOutcomeRecord>,
    /// The batches that took it.
    pub(crate) memberships: Vec<BatchMemberRecord>,
    /// The batch that made it.
    pub(crate) made_by: Option<BatchOutputRecord>,
}

/// One batch, as far as an answer shows it.
#[derive(Debug, Clone, Default)]
pub(crate) struct BatchFacts {
    pub(crate) attempts: Vec<BatchRecord>,
    pub(crate) size: BatchSize,
    /// The first ones from a position on; none where nobody asked for them.
    pub(crate) members: Vec<BatchMemberRecord>,
    /// The first ones.
    pub(crate) outputs: Vec<BatchOutputRecord>,
}

/// Everything recorded about the subject of a question.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// The rows that tokens came from, with the epochs that have them.
    pub(crate) rows: BTreeMap<RowIndex, (RowRecord, EpochNo)>,
    /// Why the row was refused.
    pub(crate) validation_error: Option<ValidationErrorRecord>,
    pub(crate) tokens: BTreeMap<TokenKey, TokenFacts>,
    /// Batches that took or made tokens of these.
    pub(crate) batches: BTreeMap<u64, BatchFacts>,
    /// Releases by which tokens of these were made, or went on.
    pub(crate) releases: BTreeMap<u64, ReleaseRecord>,
}

impl TokenFacts {
    pub(crate) fn key(&self) -> TokenKey {
        self.token.token
    }

    pub(super) fn came_to(&self, sink: Step) -> bool {
        self.states.iter().any(|state| state.step == sink)
    }

    /// Where its children can have been made: in its own walk, and in those with which it went on.
    pub(super) fn walks(&self) -> impl Iterator<Item = TokenOrigin> {
        let released = self.memberships.iter().map(|member| TokenOrigin::Batch(member.batch_no));
        std::iter::once(self.key().origin()).chain(released)
    }

    /// Whether it can have children of a fork or an expansion.
    pub(super) fn may_have_children(&self) -> bool {
        match self.outcome.as_ref().map(|outcome| outcome.outcome) {
            None | Some(Outcome::Forked | Outcome::Expanded | Outcome::Buffered) => true,
            Some(
                Outcome::Completed
                | Outcome::Routed
                | Outcome::Coalesced
                | Outcome::ConsumedInBatch
                | Outcome::Quarantined
                | Outcome::Diverted
                | Outcome::Failed,
            ) => false,
        }
    }

    /// The token that it was merged into.
    pub(super) fn merged_into(&self) -> Option<TokenKey> {
        let outcome = self.outcome.as_ref().filter(|outcome| outcome.outcome == Outcome::Coalesced)?;
        outcome.group
    }

    /// A sink that refused it comes before the one that took it, whichever has the smaller number.
    pub(super) fn order_sinks(&mut self, graph: &Graph) {
        self.states.sort_by_key(|state| {
            let at_sink = graph.is(state.step, NodeType::Sink);
            (at_sink, at_sink && state.status == NodeStateStatus::Completed)
        });
    }
}

impl Facts {
    /// The epoch that has the body which a token has after a step.
    pub(crate) fn epoch_of(&self, token: &TokenFacts, step: Step) -> Option<EpochNo> {
        let releases = token.memberships.iter().filter_map(|member| self.releases.get(&member.batch_no));
        if let Some(last) = releases.filter(|release| release.step <= step).max_by_key(|r| r.step) {
            return Some(last.epoch);
        }
        match token.key().origin() {
            TokenOrigin::Row(row) => self.rows.get(&row).map(|(_, epoch)| *epoch),
            TokenOrigin::Batch(number) => self.releases.get(&number).map(|release| release.epoch),
        }
    }

    /// Every epoch that has bodies of these tokens.
    pub(crate) fn epochs(&self) -> BTreeSet<EpochNo> {
        let of_rows = self.rows.values().map(|(_, epoch)| *epoch);
        of_rows.chain(self.releases.values().map(|release| release.epoch)).collect()
    }

    /// The node at which a token was made with a row of its own.
    pub(crate) fn made_at(&self, token: &TokenFacts) -> Option<Step> {
        if let Some(made_by) = &token.made_by {
            return self.releases.get(&made_by.batch_no).map(|release| release.step);
        }
        let parent = self.tokens.get(&token.parents.first()?.parent)?;
        parent.states.last().map(|state| state.step)
    }

    /// What a token came from, as far as it is here: its parents, or the members of the batch that made it.
    pub(crate) fn forebears(&self, token: &TokenFacts) -> Vec<TokenKey> {
        if let Some(made_by) = &token.made_by {
            let took = |other: &&TokenFacts| other.memberships.iter().any(|m| m.batch_no == made_by.batch_no);
            return self.tokens.values().filter(took).map(TokenFacts::key).collect();
        }
        let parents = token.parents.iter().map(|parent| parent.parent);
        parents.filter(|parent| self.tokens.contains_key(parent)).collect()
    }

    /// Every token after those it came from; else by number.
    pub(crate) fn in_order(&self) -> Vec<TokenKey> {
        let mut order = Vec::with_capacity(self.tokens.len());
        let mut seen = BTreeSet::new();
        for first in self.tokens.keys() {
            let mut open = vec![(*first, false)];
            while let Some((key, done)) = open.pop() {
                if done {
                    order.push(key);
                } else if seen.insert(key) {
                    open.push((key, true));
                    let forebears = self.tokens.get(&key).map(|token| self.forebears(token));
                    open.extend(forebears.into_iter().flatten().rev().map(|key| (key, false)));
                }
            }
        }
        order
    }
}
