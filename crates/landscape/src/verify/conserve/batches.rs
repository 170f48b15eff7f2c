use elspeth_contracts::{
    BatchMemberRecord, BatchRecord, BatchStatus, Outcome, TokenKey, TokenOrigin, TokenOutcomeRecord,
};

use super::super::gather::{Gathered, Known};

/// Whether everything about an epoch's batches is plainly right: each was flushed once, completed, and consumed all of its
/// members; what it made are its outputs; and whatever was born here ended here, or waited for a batch. `outcomes` are in the
/// order of their tokens.
///
/// Each member's end is looked at in the epoch of its batch, so that all epochs together show that every token has one.
pub(super) fn consumed(known: &Known<'_>, gathered: &Gathered, outcomes: &[&TokenOutcomeRecord]) -> bool {
    let Gathered { decided, .. } = gathered;
    let grouped = decided.tokens.iter().any(|token| token.group.is_some());
    !grouped
        && decided.token_parents.is_empty()
        && decided.batches.len() == decided.releases.len()
        && decided.batches.iter().all(|batch| flushed_once(known, gathered, batch))
        && decided.batch_members.iter().all(|member| known.places.release(member.batch_no).is_some())
        && all_members(known, gathered, outcomes)
        && all_ends(known, gathered, outcomes)
        && all_outputs(gathered)
}

/// By its first attempt, as the release that its node made, with members without a gap.
fn flushed_once(known: &Known<'_>, Gathered { decided, .. }: &Gathered, batch: &BatchRecord) -> bool {
    let members = known.places.members_of(batch.batch_no);
    let release = decided.releases.iter().find(|release| release.number == batch.batch_no);
    batch.attempt == 0
        && batch.status == BatchStatus::Completed
        && release.is_some_and(|release| release.step == batch.step)
        && !members.is_empty()
        && (0..).zip(members).all(|(ordinal, member)| member.ordinal == ordinal)
}

/// What was consumed are the members of the epoch's batches, each in its own.
fn all_members(
    known: &Known<'_>,
    Gathered { decided, .. }: &Gathered,
    outcomes: &[&TokenOutcomeRecord],
) -> bool {
    let place = |member: &BatchMemberRecord| (member.token, Some(member.batch_no));
    let mut members: Vec<(TokenKey, Option<u64>)> =
        decided.batches.iter().flat_map(|batch| known.places.members_of(batch.batch_no)).map(place).collect();
    members.sort_unstable();
    let consumed = outcomes.iter().filter(|outcome| outcome.outcome == Outcome::ConsumedInBatch);
    consumed.map(|outcome| (outcome.token, outcome.release())).eq(members)
}

/// Tokens that were born here ended here, but for those that a batch consumes, which may be later; and nothing else ended here.
fn all_ends(
    known: &Known<'_>,
    Gathered { decided, .. }: &Gathered,
    outcomes: &[&TokenOutcomeRecord],
) -> bool {
    let waits = |token: &TokenKey| known.places.releases_of(*token).next().is_some();
    let born = decided.tokens.iter().map(|token| token.token).filter(|token| !waits(token));
    let ended = outcomes.iter().filter(|outcome| outcome.outcome != Outcome::ConsumedInBatch);
    born.eq(ended.map(|outcome| outcome.token))
}

/// What releases made are the outputs of batches.
fn all_outputs(Gathered { decided, .. }: &Gathered) -> bool {
    let made = decided.tokens.iter().map(|token| token.token);
    let made = made.filter(|token| matches!(token.origin(), TokenOrigin::Batch(_)));
    let mut outputs: Vec<TokenKey> = decided.batch_outputs.iter().map(|output| output.token).collect();
    outputs.sort_unstable();
    made.eq(outputs)
}
