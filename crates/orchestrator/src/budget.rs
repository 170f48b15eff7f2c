use elspeth_contracts::TokenOutcomeRecord;
use elspeth_landscape::ActedEpoch;

use crate::RunError;

/// How many rows may fail before a run is stopped as failed. It can be resumed once the cause is mended.
///
/// What counts is a token whose way an error ended: quarantined, diverted, failed, or sent along an error edge.
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

/// How many tokens of an epoch failed.
pub(crate) fn failed_tokens(acted: &ActedEpoch) -> u64 {
    let failed = |outcome: &&TokenOutcomeRecord| outcome.error_at.is_some();
    acted.outcomes.iter().filter(failed).count() as u64
}

#[cfg(test)]
mod tests {
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
}
