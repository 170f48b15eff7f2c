//! Conservation where tokens wait nowhere but in batches that consume them: then each rule is about one epoch, and can be looked
//! at while the epoch is in memory. Whatever is not plainly right here is asked of the database, which has all rules and names
//! what breaks them.

mod batches;

use std::collections::BTreeMap;

use elspeth_contracts::{
    FailureKind, NodeStateStatus, NodeType, Outcome, Step, TokenKey, TokenOutcomeRecord,
};

use super::gather::{Gathered, Known};
use super::near::Near;
use crate::Counters;

/// Counters of some epochs.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Whether an epoch's tokens end in other epochs, or a rule is not plainly right.
    pub(super) open: bool,
    rows: u64,
    outcomes: [u64; Outcome::ALL.len()],
    sinks: BTreeMap<Step, u64>,
    failed_merges: u64,
}

impl Tally {
    /// Of an epoch that cannot be read.
    pub(super) fn unknown() -> Self {
        Self { open: true, ..Self::default() }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.open |= other.open;
        self.rows += other.rows;
        self.failed_merges += other.failed_merges;
        self.outcomes.iter_mut().zip(other.outcomes).for_each(|(ours, theirs)| *ours += theirs);
        for (sink, states) in other.sinks {
            *self.sinks.entry(sink).or_default() += states;
        }
    }

    /// The counters of a run of which these are all epochs.
    pub(super) fn counters(&self, known: &Known<'_>) -> Counters {
        let of = |outcome: Outcome| self.outcomes[usize::from(outcome.code())];
        let sinks = known.nodes.iter().filter(|node| node.node_type == NodeType::Sink);
        let arrived = |sink: Step| self.sinks.get(&sink).copied().unwrap_or_default();
        Counters {
            processed: self.rows,
            succeeded: of(Outcome::Completed),
            failed: of(Outcome::Failed),
            routed: of(Outcome::Routed),
            quarantined: of(Outcome::Quarantined),
            forked: of(Outcome::Forked),
            coalesced: of(Outcome::Coalesced),
            coalesce_failed: self.failed_merges,
            expanded: of(Outcome::Expanded),
            buffered: 0,
            diverted: of(Outcome::Diverted),
            destinations: sinks.map(|sink| (sink.name.clone(), arrived(sink.step))).collect(),
        }
    }
}

/// Looks at an epoch.
pub(super) fn tally(known: &Known<'_>, gathered: &Gathered) -> Tally {
    let Gathered { decided, acted, .. } = gathered;
    let mut tally = Tally { rows: decided.rows.len() as u64, ..Tally::default() };
    let mut outcomes: Vec<&TokenOutcomeRecord> = acted.outcomes.iter().collect();
    outcomes.sort_by_key(|outcome| outcome.token);
    let ended = match known.places.is_simple() {
        true => {
            decided.tokens.iter().map(|t| t.token).eq(outcomes.iter().map(|o| o.token)) && families(gathered)
        }
        false => batches::consumed(known, gathered, &outcomes),
    };
    tally.open = !ended || !arrivals(gathered, &outcomes, &mut tally);
    for outcome in &acted.outcomes {
        tally.outcomes[usize::from(outcome.outcome.code())] += 1;
        tally.open |= match outcome.outcome {
            Outcome::Completed | Outcome::Routed => outcome.sink.is_none(),
            Outcome::ConsumedInBatch => known.places.is_simple(),
            Outcome::Buffered => true,
            Outcome::Forked
            | Outcome::Expanded
            | Outcome::Coalesced
            | Outcome::Quarantined
            | Outcome::Diverted
            | Outcome::Failed => false,
        };
    }
    tally.failed_merges = failed_merges(known, gathered);
    tally
}

/// Each outcome that names a sink has its completed state there; where both are as many, there is no other.
fn arrivals(gathered: &Gathered, outcomes: &[&TokenOutcomeRecord], tally: &mut Tally) -> bool {
    let states = &gathered.acted.sink_states;
    let (mut completed, mut at_sinks, mut from) = (0_u64, 0_u64, 0);
    for state in states.iter().filter(|state| state.status == NodeStateStatus::Completed) {
        completed += 1;
        *tally.sinks.entry(state.step).or_default() += 1;
    }
    for outcome in outcomes {
        let Some(sink) = outcome.sink else { continue };
        at_sinks += 1;
        while states.get(from).is_some_and(|state| state.token < outcome.token) {
            from += 1;
        }
        let mut of_token = states[from..].iter().take_while(|state| state.token == outcome.token);
        if !of_token.any(|state| state.step == sink && state.status == NodeStateStatus::Completed) {
            return false;
        }
        match outcome.outcome {
            Outcome::Completed | Outcome::Routed | Outcome::Quarantined | Outcome::Diverted => {}
            Outcome::Forked
            | Outcome::Expanded
            | Outcome::Coalesced
            | Outcome::ConsumedInBatch
            | Outcome::Failed
            | Outcome::Buffered => return false,
        }
    }
    completed == at_sinks
}

/// Children of forks and expansions are in the group of their parent, which was forked or expanded; what a merged token came
/// from was coalesced into it; and every group has children.
fn families(gathered: &Gathered) -> bool {
    let Gathered { decided, acted, .. } = gathered;
    let parents = &decided.token_parents;
    let (outcomes, tokens) = (Near::new(&acted.outcomes), Near::new(&decided.tokens));
    let linked = parents.iter().all(|link| {
        let child = tokens.find(&link.token, |token| token.token);
        let Some((child, end)) = child.zip(outcomes.find(&link.parent, |outcome| outcome.token)) else {
            return false;
        };
        let merged = child.group == Some(child.token);
        match end.outcome {
            Outcome::Forked | Outcome::Expanded => {
                !merged && child.group == Some(link.parent) && end.group == child.group && link.ordinal == 0
            }
            Outcome::Coalesced => merged && end.group == child.group,
            Outcome::Completed
            | Outcome::Routed
            | Outcome::ConsumedInBatch
            | Outcome::Quarantined
            | Outcome::Diverted
            | Outcome::Failed
            | Outcome::Buffered => false,
        }
    });
    let is_parent = |outcome: &&TokenOutcomeRecord| {
        matches!(outcome.outcome, Outcome::Forked | Outcome::Expanded | Outcome::Coalesced)
    };
    let mut of: Vec<TokenKey> = parents.iter().map(|link| link.parent).collect();
    of.sort_unstable();
    of.dedup();
    let grouped = decided.tokens.iter().filter(|token| token.group.is_some());
    let mut children: Vec<TokenKey> = parents.iter().map(|link| link.token).collect();
    children.dedup();
    linked
        && acted.outcomes.iter().filter(is_parent).map(|outcome| outcome.token).eq(of)
        && grouped.map(|token| token.token).eq(children)
}

/// Merges that failed, however many branches had come: the context of one of them tells of the merge.
fn failed_merges(known: &Known<'_>, gathered: &Gathered) -> u64 {
    let decided = &gathered.decided;
    let told = |key| decided.contexts.binary_search_by_key(&key, |c| (c.token, c.step, c.attempt)).is_ok();
    let failed = decided.transform_errors.iter().filter(|error| {
        known.is(error.step, NodeType::Coalesce)
            && error.reason.kind != FailureKind::LateArrivalAfterMerge
            && told((error.token, error.step, error.attempt))
    });
    failed.count() as u64
}
