//! The records of one epoch, put together as they were when they were hashed.

use elspeth_canonical::HashVersion;
use elspeth_contracts::{
    ArtifactRecord, EdgeRecord, NodeRecord, NodeType, OperationRecord, RunId, Step, TokenKey,
};

use super::ledger::Names;
use super::places::{Epoch, Moment, Places};
use super::scan::{BatchRecords, Effect, Effects, RecordScan, RowRecords, TokenRecords};
use super::{Bad, leaves};
use crate::{ActedEpoch, DecidedEpoch, LandscapeError};

/// What is known of the run before its epochs are looked at.
pub(super) struct Known<'a> {
    pub(super) run_id: RunId,
    pub(super) version: HashVersion,
    pub(super) nodes: &'a [NodeRecord],
    pub(super) edges: &'a [EdgeRecord],
    pub(super) places: Places,
}

impl Known<'_> {
    pub(super) fn names(&self) -> Names {
        Names::of(self.run_id)
    }

    pub(super) fn node(&self, step: Step) -> Option<&NodeRecord> {
        self.nodes.iter().find(|node| node.step == step)
    }

    pub(super) fn is(&self, step: Step, kind: NodeType) -> bool {
        self.node(step).is_some_and(|node| node.node_type == kind)
    }
}

/// The records of an epoch.
pub(super) struct Gathered {
    pub(super) decided: DecidedEpoch,
    pub(super) acted: ActedEpoch,
    /// What was done with the publication.
    pub(super) published: ActedEpoch,
    /// How many records of tables that are counted there are.
    pub(super) counted: Numbers,
}

/// Numbers of records of [`super::scan::Counted`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Numbers {
    pub(super) batches: u64,
    pub(super) outputs: u64,
    pub(super) operations: u64,
    pub(super) artifacts: u64,
    pub(super) of_released: u64,
}

impl Numbers {
    pub(super) fn add(&mut self, other: Self) {
        self.batches += other.batches;
        self.outputs += other.outputs;
        self.operations += other.operations;
        self.artifacts += other.artifacts;
        self.of_released += other.of_released;
    }
}

/// Reads an epoch's records and makes their leaves; what belongs to none goes to `bad`.
pub(super) fn gather(
    scan: &mut dyn RecordScan,
    known: &Known<'_>,
    (at, epoch): (usize, &Epoch),
    bad: &mut Vec<Bad>,
) -> Result<Gathered, LandscapeError> {
    let mut gathered = read(scan, known, (at, epoch), bad)?;
    leaves::add(known, &mut gathered.decided);
    Ok(gathered)
}

/// The same without leaves.
pub(super) fn read(
    scan: &mut dyn RecordScan,
    known: &Known<'_>,
    (at, epoch): (usize, &Epoch),
    bad: &mut Vec<Bad>,
) -> Result<Gathered, LandscapeError> {
    let mut rows = RowRecords::default();
    if let Some(range) = epoch.record.rows {
        scan.rows(range, &mut rows)?;
    }
    let mut tokens = TokenRecords::default();
    for range in &epoch.tokens {
        let before = Before::of(&tokens);
        scan.tokens(*range, &mut tokens)?;
        if !known.places.is_simple() {
            before.keep(&mut tokens, known, at);
        }
    }
    let batches = batches(scan, epoch)?;
    let members = known.places.taken(epoch).cloned().collect();
    let effects = scan.effects(epoch.number())?;
    let counted = Numbers {
        batches: batches.batches.len() as u64,
        outputs: batches.outputs.len() as u64,
        operations: effects.operations.len() as u64,
        artifacts: effects.artifacts.len() as u64,
        of_released: of_released(&tokens),
    };
    check_effects(&effects, epoch, bad);
    let (mut decided, acted, published) = halves(known, epoch, (rows, tokens), effects);
    decided.batches = batches.batches;
    decided.batch_outputs = batches.outputs;
    decided.batch_members = members;
    decided.releases = epoch.releases.clone();
    Ok(Gathered { decided, acted, published, counted })
}

fn batches(scan: &mut dyn RecordScan, epoch: &Epoch) -> Result<BatchRecords, LandscapeError> {
    let mut numbers: Vec<u64> = epoch.releases.iter().map(|release| release.number).collect();
    numbers.sort_unstable();
    let mut out = BatchRecords::default();
    if let (Some(first), Some(last)) = (numbers.first(), numbers.last()) {
        scan.batches((*first, *last), &mut out)?;
        out.batches.retain(|batch| numbers.binary_search(&batch.batch_no).is_ok());
        out.outputs.retain(|output| numbers.binary_search(&output.batch_no).is_ok());
    }
    Ok(out)
}

fn halves(
    known: &Known<'_>,
    epoch: &Epoch,
    (rows, tokens): (RowRecords, TokenRecords),
    effects: Effects,
) -> (DecidedEpoch, ActedEpoch, ActedEpoch) {
    let number = epoch.number();
    let at_sink = |step: Step| known.is(step, NodeType::Sink);
    let (sink_routing, routing) = tokens.routing.into_iter().partition(|r| at_sink(r.step));
    let (sink_errors, errors) = tokens.transform_errors.into_iter().partition(|e| at_sink(e.step));
    let (loads, writes): (Vec<_>, Vec<_>) =
        effects.operations.into_iter().partition(|o| o.record.step == Step::SOURCE);
    let mut outcomes = tokens.outcomes;
    let key = |token: TokenKey| (known.places.cause(known.places.walk(token, Moment::End)), token);
    if !known.places.is_simple() {
        outcomes.sort_by_cached_key(|outcome| key(outcome.token));
    }
    let mut calls = tokens.calls;
    calls.sort_by_key(|call| call.call_no);
    let decided = DecidedEpoch {
        epoch: number,
        started: epoch.record.started_at,
        rows: rows.rows,
        validation_errors: rows.validation_errors,
        tokens: tokens.tokens,
        token_parents: tokens.parents,
        states: tokens.states,
        contexts: tokens.contexts,
        routing,
        calls,
        transform_errors: errors,
        operations: loads.into_iter().map(|load| load.record).collect(),
        ..DecidedEpoch::default()
    };
    let mut acted = ActedEpoch {
        epoch: number,
        sink_states: tokens.sink_states,
        transform_errors: sink_errors,
        routing: sink_routing,
        outcomes,
        ..ActedEpoch::default()
    };
    let mut published = ActedEpoch { epoch: number, ..ActedEpoch::default() };
    for Effect { published: late, record, .. } in writes {
        let target: &mut Vec<OperationRecord> =
            if late { &mut published.operations } else { &mut acted.operations };
        target.push(record);
    }
    for Effect { published: late, record, .. } in effects.artifacts {
        let target: &mut Vec<ArtifactRecord> =
            if late { &mut published.artifacts } else { &mut acted.artifacts };
        target.push(record);
    }
    (decided, acted, published)
}

/// Numbers of one node in one epoch have no gap, and what came with the publication comes last.
fn check_effects(effects: &Effects, epoch: &Epoch, bad: &mut Vec<Bad>) {
    let operations = effects.operations.iter().map(|e| (e.record.step, e.ordinal, e.published));
    check_ordinals("operations", operations, epoch, bad);
    for load in effects.operations.iter().filter(|e| e.record.step == Step::SOURCE && e.published) {
        let name = format!("epoch {}, step 0, number {}", epoch.number().0, load.ordinal);
        bad.push(Bad::exact("operations", name).what("a source publishes nothing"));
    }
    let artifacts = effects.artifacts.iter().map(|e| (e.record.step, e.ordinal, e.published));
    check_ordinals("artifacts", artifacts, epoch, bad);
}

fn check_ordinals(
    table: &'static str,
    effects: impl Iterator<Item = (Step, u64, bool)>,
    epoch: &Epoch,
    bad: &mut Vec<Bad>,
) {
    let mut last: Option<(Step, u64, bool)> = None;
    for (step, ordinal, published) in effects {
        let (expected, late) = match last {
            Some((of, before, late)) if of == step => (before.wrapping_add(1), late),
            Some(_) | None => (0, false),
        };
        let name = || format!("epoch {}, step {}, number {ordinal}", epoch.number().0, step.get());
        if ordinal != expected {
            bad.push(Bad::exact(table, name()).what(format!("number {expected} is missing before it")));
        } else if late && !published {
            bad.push(Bad::exact(table, name()).what("it comes after the publication"));
        }
        last = Some((step, ordinal, published));
    }
}

fn of_released(tokens: &TokenRecords) -> u64 {
    fn count<R>(records: &[R], token: fn(&R) -> TokenKey) -> u64 {
        let first = elspeth_contracts::TokenOrigin::Batch(0).tokens().0;
        records.iter().filter(|record| token(record) >= first).count() as u64
    }
    count(&tokens.tokens, |r| r.token)
        + count(&tokens.parents, |r| r.token)
        + count(&tokens.states, |r| r.token)
        + count(&tokens.sink_states, |r| r.token)
        + count(&tokens.contexts, |r| r.token)
        + count(&tokens.routing, |r| r.token)
        + count(&tokens.calls, |r| r.token)
        + count(&tokens.transform_errors, |r| r.token)
        + count(&tokens.outcomes, |r| r.token)
}

/// How long the lists were.
struct Before {
    lengths: [usize; 9],
}

impl Before {
    fn of(tokens: &TokenRecords) -> Self {
        let lengths = [
            tokens.tokens.len(),
            tokens.parents.len(),
            tokens.states.len(),
            tokens.sink_states.len(),
            tokens.contexts.len(),
            tokens.routing.len(),
            tokens.calls.len(),
            tokens.transform_errors.len(),
            tokens.outcomes.len(),
        ];
        Self { lengths }
    }

    /// Drops what was read since and is another epoch's.
    fn keep(&self, tokens: &mut TokenRecords, known: &Known<'_>, at: usize) {
        let here = |token: TokenKey, moment: Moment| {
            known.places.epoch(known.places.walk(token, moment)) == Some(at)
        };
        let [births, parents, states, sinks, contexts, routing, calls, errors, outcomes] = self.lengths;
        retain(&mut tokens.tokens, births, |r| here(r.token, Moment::Birth));
        retain(&mut tokens.parents, parents, |r| here(r.token, Moment::Birth));
        retain(&mut tokens.states, states, |r| here(r.token, Moment::Visit(r.step)));
        retain(&mut tokens.sink_states, sinks, |r| here(r.token, Moment::Visit(r.step)));
        retain(&mut tokens.contexts, contexts, |r| here(r.token, Moment::Visit(r.step)));
        retain(&mut tokens.routing, routing, |r| here(r.token, Moment::Visit(r.step)));
        retain(&mut tokens.calls, calls, |r| here(r.token, Moment::Visit(r.step)));
        retain(&mut tokens.transform_errors, errors, |r| here(r.token, Moment::Visit(r.step)));
        retain(&mut tokens.outcomes, outcomes, |r| here(r.token, Moment::End));
    }
}

fn retain<R>(records: &mut Vec<R>, from: usize, mut here: impl FnMut(&R) -> bool) {
    let mut at = 0;
    records.retain(|record| {
        at += 1;
        at <= from || here(record)
    });
}
