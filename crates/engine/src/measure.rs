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

/// The bound that epochs have next, by what those before it were like. Told by the thread that decides, and asked by the one that
/// reads.
pub(crate) struct Measure {
    next: AtomicUsize,
    bounds: EpochBounds,
    least: usize,
}

impl Measure {
    pub(crate) fn new(bounds: EpochBounds, workers: usize) -> Self {
        let first = match bounds.rows {
            RowBound::Fixed(rows) => rows,
            RowBound::UpTo(rows) => rows.min(FIRST),
        };
        Self { next: AtomicUsize::new(first), bounds, least: workers.saturating_mul(TURNS) }
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
        let by_time = share(rows, self.bounds.wait.as_micros(), took.as_micros()).max(self.least);
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
        Measure::new(EpochBounds { rows, ..EpochBounds::default() }, 4)
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
        measure.learn(250, Duration::from_secs(100), 1_000);
        assert_eq!(measure.rows(), 64);
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
