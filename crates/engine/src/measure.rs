//! How many rows an epoch takes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::EpochBounds;
use crate::epoch::RowBound;

/// Rows of a first epoch, of which nothing is known.
const FIRST: usize = 1_000;

/// Records after which more of them at once make none of them cheaper; they are in memory until they are committed.
const RECORDS: u64 = 1 << 16;

/// How often each worker takes a row in an epoch, at least: its end waits for the slowest of the last ones.
const TURNS: usize = 16;

/// How long an epoch may be decided for the sake of that: whoever stops the process waits so long, and whoever kills it loses so much.
const LONGEST: Duration = Duration::from_secs(5);

/// The bound that epochs have next, by what those before it were like. Told by the thread that decides, and asked by the one that
/// reads.
pub(crate) struct Measure {
    next: AtomicUsize,
    bounds: EpochBounds,
    workers: usize,
    pace: Pace,
}

/// What an epoch's rows may wait for while they are decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Nothing that is known.
    Free,
    /// A service that takes only so many in a minute.
    Limited,
    /// Timers, which are asked between epochs only.
    Timed,
}

impl Measure {
    pub(crate) fn new(bounds: EpochBounds, workers: usize, pace: Pace) -> Self {
        let first = match (bounds.rows, pace) {
            (RowBound::Fixed(rows), _) => rows,
            (RowBound::UpTo(rows), Pace::Free) => rows.min(FIRST),
            (RowBound::UpTo(rows), Pace::Limited | Pace::Timed) => rows.min(workers),
        };
        Self { next: AtomicUsize::new(first), bounds, workers, pace }
    }

    /// Rows of the next epoch, at most.
    pub(crate) fn rows(&self) -> usize {
        self.next.load(Ordering::Relaxed)
    }

    /// An epoch of so many rows took so long to be decided and has so many records. The next one is to take no longer than rows
    /// wait for each other, and to have no more records than are of use; and at most twice the rows.
    pub(crate) fn learn(&self, rows: usize, took: Duration, records: u64) {
        let RowBound::UpTo(most) = self.bounds.rows else { return };
        if rows == 0 {
            return;
        }
        let in_time = |time: Duration| share(rows, time.as_micros(), took.as_micros());
        let least = match self.pace {
            Pace::Free | Pace::Limited => {
                self.workers.saturating_mul(TURNS).min(in_time(LONGEST)).max(self.workers)
            }
            Pace::Timed => 1,
        };
        let by_time = in_time(self.bounds.wait).max(least);
        let by_records = share(rows, RECORDS.into(), records.into()).max(1);
        let doubled = self.rows().saturating_mul(2);
        self.next.store(by_time.min(by_records).min(doubled).min(most), Ordering::Relaxed);
    }
}

/// `rows` times `bound` by `had`.
fn share(rows: usize, bound: u128, had: u128) -> usize {
    usize::try_from(rows as u128 * bound / had.max(1)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_millis(1);

    fn measure(rows: RowBound) -> Measure {
        paced(rows, Pace::Free)
    }

    fn paced(rows: RowBound, pace: Pace) -> Measure {
        Measure::new(EpochBounds { rows, ..EpochBounds::default() }, 4, pace)
    }

    #[test]
    fn where_rows_may_have_to_wait_the_first_epoch_has_one_for_each_worker() {
        for pace in [Pace::Limited, Pace::Timed] {
            assert_eq!(paced(RowBound::UpTo(1_000), pace).rows(), 4);
            assert_eq!(paced(RowBound::Fixed(1_000), pace).rows(), 1_000);
        }
    }

    #[test]
    fn where_timers_run_an_epoch_is_decided_no_longer_than_they_may_wait() {
        let measure = paced(RowBound::UpTo(1_000), Pace::Timed);
        measure.learn(4, Duration::from_secs(4), 16);
        assert_eq!(measure.rows(), 1);
    }

    #[test]
    fn epochs_grow_to_their_bound_while_they_are_quick_and_small() {
        let measure = measure(RowBound::UpTo(3_000));
        let sizes: Vec<usize> = (0..4)
            .map(|_| {
                let rows = measure.rows();
                measure.learn(rows, QUICK, rows as u64 * 4);
                rows
            })
            .collect();
        assert_eq!(sizes, [1_000, 2_000, 3_000, 3_000]);
    }

    #[test]
    fn rows_that_take_long_make_epochs_small_but_leave_each_worker_some() {
        let measure = measure(RowBound::UpTo(3_000));
        measure.learn(1_000, Duration::from_secs(1), 4_000);
        assert_eq!(measure.rows(), 250);
        measure.learn(250, Duration::from_secs(10), 1_000);
        assert_eq!(measure.rows(), 64);
        measure.learn(64, Duration::from_secs(32), 256);
        assert_eq!(measure.rows(), 10, "five seconds' worth");
        measure.learn(10, Duration::from_secs(100), 40);
        assert_eq!(measure.rows(), 4, "one for each worker");
    }

    #[test]
    fn rows_with_many_records_make_epochs_small() {
        let measure = measure(RowBound::UpTo(8_000));
        measure.learn(1_000, QUICK, 1_000 * 64);
        assert_eq!(measure.rows(), 1_024);
        measure.learn(1, QUICK, 1_000_000);
        assert_eq!(measure.rows(), 1);
    }

    #[test]
    fn what_was_asked_for_stays() {
        let measure = measure(RowBound::Fixed(5_000));
        measure.learn(5_000, Duration::from_secs(100), 1_000_000);
        assert_eq!(measure.rows(), 5_000);
    }

    #[test]
    fn an_epoch_without_rows_teaches_nothing() {
        let measure = measure(RowBound::UpTo(3_000));
        measure.learn(0, Duration::from_secs(1), 5);
        assert_eq!(measure.rows(), 1_000);
    }
}
