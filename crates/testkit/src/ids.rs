use std::sync::atomic::{AtomicU64, Ordering};

use elspeth_contracts::{IdSource, RunId};
use ulid::Ulid;

/// Run ids that are a pure function of a seed. Each sorts after the one before, as real ones do.
#[derive(Debug)]
pub struct SeededIds {
    seed: u64,
    given: AtomicU64,
}

impl SeededIds {
    /// Milliseconds of 2026-01-01T00:00:00Z, where the ids' time part begins.
    const FIRST_MILLIS: u64 = 1_767_225_600_000;

    /// Ids of that seed, from the first one.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed, given: AtomicU64::new(0) }
    }
}

impl IdSource for SeededIds {
    fn next_run_id(&self) -> RunId {
        let number = self.given.fetch_add(1, Ordering::SeqCst);
        let high = scatter(self.seed ^ scatter(number));
        let random = u128::from(high) << 64 | u128::from(scatter(high));
        RunId::from_ulid(Ulid::from_parts(Self::FIRST_MILLIS + number, random))
    }
}

/// The output function of SplitMix64 (Steele, Lea and Flood, 2014).
const fn scatter(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_series_of_rising_ids() {
        let (ids, again) = (SeededIds::new(1), SeededIds::new(1));
        let series: Vec<RunId> = (0..100).map(|_| ids.next_run_id()).collect();
        assert!(series.is_sorted_by(|a, b| a < b));
        assert!(series.iter().all(|id| *id == again.next_run_id()));
        assert_ne!(SeededIds::new(2).next_run_id(), series[0]);
    }
}
