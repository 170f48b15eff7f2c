use std::collections::BTreeSet;

use elspeth_contracts::{FailureKind, TokenKey, TokenOrigin, TransformErrorRecord};
use elspeth_landscape::{ActedEpoch, DecidedEpoch, LandscapeError, LandscapeReader};

use crate::RunError;

/// How many rows may fail before a run is stopped as failed. It can be resumed once the cause is mended.
///
/// A row counts once when an error ended the way of any of its tokens: quarantined, diverted, failed, or sent along an error edge.
/// What came of a batch counts once for the batch. What came too late for a merge that needed it no more does not count.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct FailureBudget {
    /// This many may; one more stops the run.
    pub max_rows: Option<u64>,
    /// This share of the rows read may, from 0 to 1. Asked from the hundredth row on, and at the end.
    pub max_ratio: Option<f64>,
}

/// Rows from which a share of them says something.
const ENOUGH_ROWS: u64 = 100;

impl FailureBudget {
    /// Whether there is one.
    pub(crate) const fn is_limited(&self) -> bool {
        self.max_rows.is_some() || self.max_ratio.is_some()
    }

    /// Whether a run may go on that has so many failures in so many rows; `end` when it has no more.
    ///
    /// # Errors
    /// [`RunError::Budget`] when it may not.
    pub(crate) fn check(&self, failed: u64, rows: u64, end: bool) -> Result<(), RunError> {
        let limit = match (self.max_rows, self.max_ratio) {
            (Some(most), _) if failed > most => format!("at most {most} may (max_failed_rows)"),
            (_, Some(most)) if (end || rows >= ENOUGH_ROWS) && share(failed, rows) > most => {
                format!("at most a share of {most} may (max_failed_ratio)")
            }
            (Some(_) | None, Some(_) | None) => return Ok(()),
        };
        Err(RunError::Budget { failed, rows, limit })
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share need not be exact beyond 2^53 rows")]
fn share(failed: u64, rows: u64) -> f64 {
    if rows == 0 { 0.0 } else { failed as f64 / rows as f64 }
}

/// Tokens that are read at once.
const PAGE: u32 = 10_000;

/// What failed so far. A row counts once, however many of its tokens fail and when; so does what came of one batch, or of one
/// merge across rows. A branch that comes too late for a merge is no failure.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    rows: Numbers,
    releases: Numbers,
    /// Tokens that came too late for their merge, as long as their outcome is not on record.
    late: BTreeSet<TokenKey>,
}

impl Failures {
    /// As of a run's last commit.
    pub(crate) async fn read(
        reader: &dyn LandscapeReader,
        run_no: i64,
        late: &[TokenKey],
    ) -> Result<Self, LandscapeError> {
        let mut failures = Self::with_late(late);
        let mut last = None;
        loop {
            let tokens = reader.failed_tokens(run_no, last, PAGE).await?;
            tokens.iter().for_each(|token| failures.add(token.origin()));
            match tokens.last() {
                Some(token) => last = Some(*token),
                None => return Ok(failures),
            }
        }
    }

    fn with_late(late: &[TokenKey]) -> Self {
        Self { late: late.iter().copied().collect(), ..Self::default() }
    }

    /// How many failed of so many rows: what came of batches cannot make it more than all.
    pub(crate) fn count(&self, rows: u64) -> u64 {
        (self.rows.count + self.releases.count).min(rows)
    }

    /// What an epoch's decisions say of what will fail in it.
    pub(crate) fn decided(&mut self, decided: &DecidedEpoch) {
        let late = |error: &&TransformErrorRecord| error.reason.kind == FailureKind::LateArrivalAfterMerge;
        self.late.extend(decided.transform_errors.iter().filter(late).map(|error| error.token));
    }

    /// What failed in an epoch.
    pub(crate) fn acted(&mut self, acted: &ActedEpoch) {
        for outcome in acted.outcomes.iter().filter(|outcome| outcome.error_at.is_some()) {
            if !self.late.remove(&outcome.token) {
                self.add(outcome.token.origin());
            }
        }
    }

    fn add(&mut self, origin: TokenOrigin) {
        match origin {
            TokenOrigin::Row(row) => self.rows.add(row.get()),
            TokenOrigin::Batch(number) => self.releases.add(number),
        }
    }
}

/// A set of numbers that begin at 0 and have few gaps: a bit each.
#[derive(Debug, Default)]
struct Numbers {
    bits: Vec<u64>,
    count: u64,
}

impl Numbers {
    fn add(&mut self, number: u64) {
        let Ok(word) = usize::try_from(number / 64) else { return };
        if self.bits.len() <= word {
            self.bits.resize(word + 1, 0);
        }
        let bit = 1 << (number % 64);
        self.count += u64::from(self.bits[word] & bit == 0);
        self.bits[word] |= bit;
    }
}

#[cfg(test)]
mod tests {
    use elspeth_contracts::{ErrorReason, Outcome, RowIndex, Step, TokenOutcomeRecord};

    use super::*;

    #[test]
    fn a_run_may_fail_as_often_as_its_budget_says_and_no_more() {
        let rows = |most| FailureBudget { max_rows: Some(most), max_ratio: None };
        let ratio = |most| FailureBudget { max_rows: None, max_ratio: Some(most) };
        let none = FailureBudget::default();
        let cases = [
            (none, 1_000, 1_000, true, true),
            (rows(5), 5, 10, true, true),
            (rows(5), 6, 1_000_000, false, false),
            (rows(0), 1, 1, false, false),
            (ratio(0.1), 9, 10, false, true),
            (ratio(0.1), 9, 10, true, false),
            (ratio(0.1), 10, 100, false, true),
            (ratio(0.1), 11, 100, false, false),
            (ratio(0.0), 0, 0, true, true),
        ];
        for (budget, failed, rows, end, goes_on) in cases {
            assert_eq!(budget.check(failed, rows, end).is_ok(), goes_on, "{budget:?}: {failed} of {rows}");
        }
    }

    fn token(row: u64, ordinal: u32) -> TokenKey {
        TokenKey::of_row(RowIndex::new(row).unwrap(), ordinal).unwrap()
    }

    fn acted(failed: &[TokenKey]) -> ActedEpoch {
        let step = Step::new(1).unwrap();
        let outcome = |token: &TokenKey| TokenOutcomeRecord {
            error_at: Some((step, 0)),
            ..TokenOutcomeRecord::at_sink(*token, Outcome::Failed, step)
        };
        ActedEpoch { outcomes: failed.iter().map(outcome).collect(), ..ActedEpoch::default() }
    }

    #[test]
    fn a_row_counts_once_and_so_does_what_came_of_a_batch() {
        let mut failures = Failures::default();
        failures.acted(&acted(&[token(70, 0), token(3, 1), token(3, 2)]));
        failures.acted(&acted(&[token(3, 3), TokenKey::of_batch(0, 5).unwrap()]));
        failures.acted(&acted(&[TokenKey::of_batch(0, 6).unwrap(), TokenKey::of_batch(2, 0).unwrap()]));
        assert_eq!((failures.count(100), failures.count(3)), (4, 3));
    }

    #[test]
    fn what_comes_too_late_for_a_merge_is_no_failure_also_after_a_stop() {
        let reason = ErrorReason::new(FailureKind::LateArrivalAfterMerge, "the merge was over");
        let late = TransformErrorRecord {
            token: token(1, 2),
            step: Step::new(1).unwrap(),
            attempt: 0,
            reason,
            destination: None,
        };
        let mut failures = Failures::default();
        failures.decided(&DecidedEpoch { transform_errors: vec![late], ..DecidedEpoch::default() });
        for mut failures in [failures, Failures::with_late(&[token(1, 2)])] {
            failures.acted(&acted(&[token(1, 2), token(2, 0)]));
            assert_eq!(failures.count(10), 1);
        }
    }
}
