use elspeth_contracts::{TokenKey, TokenOutcomeRecord};

use crate::Cause;

/// Outcomes of tokens, each with what brought it about.
///
/// The members of a batch end alike and by the same cause, and there may be millions of them: a run of such outcomes is kept
/// as the first one and the tokens of the others.
#[derive(Debug, Default)]
pub struct Settled {
    runs: Vec<Run>,
}

/// Outcomes that differ in nothing but the token.
#[derive(Debug)]
struct Run {
    cause: Cause,
    first: TokenOutcomeRecord,
    more: Vec<TokenKey>,
}

impl Settled {
    /// Adds an outcome.
    pub fn push(&mut self, cause: Cause, outcome: TokenOutcomeRecord) {
        match self.runs.last_mut().filter(|run| run.goes_on_with(cause, &outcome)) {
            Some(run) => run.more.push(outcome.token),
            None => self.runs.push(Run { cause, first: outcome, more: Vec::new() }),
        }
    }

    /// Adds those of another list.
    pub fn append(&mut self, mut other: Self) {
        self.runs.append(&mut other.runs);
    }

    /// How many there are.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.runs.iter().map(Run::len).sum()
    }

    /// Each of them, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (Cause, TokenOutcomeRecord)> + '_ {
        self.runs.iter().flat_map(|run| run.iter().map(|outcome| (run.cause, outcome)))
    }

    /// The outcomes in canonical order: by cause, then by token.
    #[must_use]
    pub fn into_canonical(mut self) -> Vec<TokenOutcomeRecord> {
        self.runs.sort_by_key(Run::start);
        if self.runs.is_sorted_by(|run, next| run.end() <= next.start()) && self.runs.iter().all(Run::ascends)
        {
            let mut outcomes = Vec::with_capacity(self.len());
            self.runs.into_iter().for_each(|run| outcomes.extend(run.iter()));
            return outcomes;
        }
        let mut keyed: Vec<_> = self.iter().collect();
        // A token ends once, and a stable sort would need memory of its own.
        keyed.sort_unstable_by_key(|(cause, outcome)| (*cause, outcome.token));
        keyed.into_iter().map(|(_, outcome)| outcome).collect()
    }
}

impl FromIterator<(Cause, TokenOutcomeRecord)> for Settled {
    fn from_iter<I: IntoIterator<Item = (Cause, TokenOutcomeRecord)>>(outcomes: I) -> Self {
        let mut settled = Self::default();
        outcomes.into_iter().for_each(|(cause, outcome)| settled.push(cause, outcome));
        settled
    }
}

impl Run {
    fn goes_on_with(&self, cause: Cause, outcome: &TokenOutcomeRecord) -> bool {
        self.cause == cause && self.outcome_of(outcome.token) == *outcome
    }

    fn outcome_of(&self, token: TokenKey) -> TokenOutcomeRecord {
        TokenOutcomeRecord { token, ..self.first.clone() }
    }

    fn len(&self) -> usize {
        1 + self.more.len()
    }

    fn iter(&self) -> impl Iterator<Item = TokenOutcomeRecord> + '_ {
        let more = self.more.iter().map(|token| self.outcome_of(*token));
        std::iter::once(self.first.clone()).chain(more)
    }

    fn start(&self) -> (Cause, TokenKey) {
        (self.cause, self.first.token)
    }

    fn end(&self) -> (Cause, TokenKey) {
        (self.cause, self.more.last().copied().unwrap_or(self.first.token))
    }

    fn ascends(&self) -> bool {
        self.more.first().is_none_or(|next| self.first.token <= *next) && self.more.is_sorted()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use elspeth_contracts::{Outcome, ReleaseNo, RowIndex, Step};
    use proptest::prelude::*;

    use super::*;

    fn outcome() -> impl Strategy<Value = (Cause, TokenOutcomeRecord)> {
        let token = (0u64..8, 0u32..5).prop_map(|(row, ordinal)| {
            TokenKey::of_row(RowIndex::new(row).unwrap(), ordinal).expect("small numbers")
        });
        let ends = prop_oneof![
            Just((Outcome::ConsumedInBatch, ReleaseNo::new(1))),
            Just((Outcome::Completed, None))
        ];
        (0u64..3, any::<bool>(), token, ends).prop_map(|(row, after, token, (outcome, batch_no))| {
            let sink = Step::new(3).unwrap();
            let cause = Cause { row: RowIndex::new(row).unwrap(), after };
            (cause, TokenOutcomeRecord { batch_no, ..TokenOutcomeRecord::at_sink(token, outcome, sink) })
        })
    }

    proptest! {
        #[test]
        fn it_is_a_list_that_can_be_sorted(
            first in prop::collection::vec(outcome(), 0..20),
            second in prop::collection::vec(outcome(), 0..20),
        ) {
            // A token ends once.
            let mut seen = BTreeSet::new();
            let mut once = |list: Vec<(Cause, TokenOutcomeRecord)>| -> Vec<_> {
                list.into_iter().filter(|(_, outcome)| seen.insert(outcome.token)).collect()
            };
            let (first, second) = (once(first), once(second));
            let mut settled: Settled = first.iter().cloned().collect();
            settled.append(second.iter().cloned().collect());
            let mut all = [first, second].concat();
            prop_assert_eq!(settled.iter().collect::<Vec<_>>(), all.clone());
            all.sort_by_key(|(cause, outcome)| (*cause, outcome.token));
            let sorted = settled.into_canonical();
            let expected: Vec<_> = all.into_iter().map(|(_, outcome)| outcome).collect();
            prop_assert_eq!(sorted, expected);
        }
    }

    #[test]
    fn members_of_a_batch_are_one_run() {
        let of = |row: u64| TokenOutcomeRecord {
            token: TokenKey::of_row(RowIndex::new(row).unwrap(), 0).unwrap(),
            outcome: Outcome::ConsumedInBatch,
            sink: None,
            group: None,
            batch_no: ReleaseNo::new(4),
            error_at: None,
        };
        let settled: Settled = (0..1000).map(|row| (Cause::default(), of(row))).collect();
        assert_eq!(settled.runs.len(), 1);
        assert_eq!(settled.into_canonical(), (0..1000).map(of).collect::<Vec<_>>());
    }
}
