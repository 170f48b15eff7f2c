//! Two epochs with batches, and what they release.

use elspeth_contracts::{
    BatchMemberRecord, BatchOutputRecord, BatchRecord, BatchStatus, EpochNo, NodeStateRecord, Outcome,
    ReleaseNo, ReleaseRecord, TokenKey, TokenOutcomeRecord, TokenParentRecord, TokenRecord, TriggerType,
};
use elspeth_landscape::{ActedEpoch, DecidedEpoch};

use super::sample::*;

pub(crate) const TOTALS: u16 = 5;
pub(crate) const MERGED: u16 = 6;

/// The `ordinal`-th token that release `number` made.
pub(crate) fn released(number: u64, ordinal: u32) -> TokenKey {
    TokenKey::of_batch(number, ordinal).unwrap()
}

pub(crate) fn member(batch_no: u64, ordinal: u32, token: TokenKey) -> BatchMemberRecord {
    BatchMemberRecord { batch_no, ordinal, token }
}

fn batch(batch_no: u64, attempt: u8, status: BatchStatus) -> BatchRecord {
    let failed = status == BatchStatus::Failed;
    BatchRecord {
        batch_no,
        step: step(TOTALS),
        attempt,
        status,
        trigger: Some(if batch_no == 0 { TriggerType::Count } else { TriggerType::EndOfSource }),
        reason: failed.then(|| "no answer".to_owned()),
    }
}

/// Batch 0 takes rows 0 and 1, fails once, and gives two tokens: the first goes to a sink, the second is forked. Row 2
/// waits in batch 1 until the next epoch. Row 3 meets no batch.
pub(crate) fn first_epoch() -> (DecidedEpoch, ActedEpoch) {
    let (mut decided, mut acted) = plain_epoch(0, 0..4);
    decided.buffers = "{\"open\":[1]}".to_owned();
    decided.tokens.extend([TokenRecord::plain(released(0, 0)), TokenRecord::plain(released(0, 1))]);
    fork(&mut decided, released(0, 1), [released(0, 2), released(0, 3)]);
    decided.states.extend([state(token(0), TOTALS), state(token(1), TOTALS), state(released(0, 1), GATE)]);
    decided.states.sort_by_key(|state| (state.token, state.step));
    decided.batches = vec![batch(0, 0, BatchStatus::Failed), batch(0, 1, BatchStatus::Completed)];
    decided.batch_members = vec![member(0, 0, token(0)), member(0, 1, token(1)), member(1, 0, token(2))];
    decided.batch_outputs = [0, 1].map(|ordinal| output(0, ordinal)).to_vec();
    decided.releases = vec![release(0, 0, 1, false)];
    acted.sink_states = vec![
        state(token(3), APPROVED),
        NodeStateRecord { input_hash: Some(hash(7)), ..state(released(0, 0), APPROVED) },
        state(released(0, 2), APPROVED),
        state(released(0, 3), REFUSED),
    ];
    acted.outcomes = vec![
        consumed(token(0), 0),
        consumed(token(1), 0),
        TokenOutcomeRecord::at_sink(released(0, 0), Outcome::Completed, step(APPROVED)),
        forked(released(0, 1)),
        TokenOutcomeRecord::at_sink(released(0, 2), Outcome::Completed, step(APPROVED)),
        TokenOutcomeRecord::at_sink(released(0, 3), Outcome::Completed, step(REFUSED)),
        TokenOutcomeRecord::at_sink(token(3), Outcome::Routed, step(APPROVED)),
    ];
    (decided, acted)
}

/// Row 4 joins row 2 in batch 1, which lets both go on: row 2 to a sink, row 4 to a fork.
pub(crate) fn second_epoch() -> (DecidedEpoch, ActedEpoch) {
    let (mut decided, mut acted) = plain_epoch(1, 4..5);
    fork(&mut decided, token(4), [released(1, 0), released(1, 1)]);
    decided.states = vec![
        state(token(2), TOTALS),
        state(token(4), TRANSFORM),
        state(token(4), GATE),
        state(token(4), TOTALS),
    ];
    decided.batches = vec![batch(1, 0, BatchStatus::Completed)];
    decided.batch_members = vec![member(1, 1, token(4))];
    decided.releases = vec![release(1, 1, 4, true)];
    acted.sink_states =
        vec![state(token(2), APPROVED), state(released(1, 0), APPROVED), state(released(1, 1), REFUSED)];
    acted.outcomes = vec![
        TokenOutcomeRecord::at_sink(token(2), Outcome::Completed, step(APPROVED)),
        forked(token(4)),
        TokenOutcomeRecord::at_sink(released(1, 0), Outcome::Completed, step(APPROVED)),
        TokenOutcomeRecord::at_sink(released(1, 1), Outcome::Completed, step(REFUSED)),
    ];
    (decided, acted)
}

fn fork(decided: &mut DecidedEpoch, parent: TokenKey, children: [TokenKey; 2]) {
    for (token, branch) in children.into_iter().zip(["left", "right"]) {
        let (branch, group) = (Some(branch.into()), Some(parent));
        decided.tokens.push(TokenRecord { token, branch, group });
        decided.token_parents.push(TokenParentRecord { token, parent, ordinal: 0 });
    }
}

pub(crate) fn output(batch_no: u64, ordinal: u32) -> BatchOutputRecord {
    BatchOutputRecord { batch_no, ordinal, token: released(batch_no, ordinal) }
}

fn release(number: u64, epoch: u64, last: u64, after: bool) -> ReleaseRecord {
    ReleaseRecord { number, step: step(TOTALS), epoch: EpochNo(epoch), row: row(last), after }
}

fn outcome(token: TokenKey, outcome: Outcome) -> TokenOutcomeRecord {
    TokenOutcomeRecord { token, outcome, sink: None, group: None, batch_no: None, error_at: None }
}

fn consumed(token: TokenKey, batch_no: u64) -> TokenOutcomeRecord {
    TokenOutcomeRecord { batch_no: ReleaseNo::new(batch_no), ..outcome(token, Outcome::ConsumedInBatch) }
}

fn forked(token: TokenKey) -> TokenOutcomeRecord {
    TokenOutcomeRecord { group: Some(token), ..outcome(token, Outcome::Forked) }
}
