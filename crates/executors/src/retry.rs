use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

/// How often, and after which waits, a retryable failure is tried again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    /// Attempts in all, at least 1.
    pub max_attempts: u8,
    /// Longest wait before the second attempt.
    pub initial_delay: Duration,
    /// Longest wait before any attempt.
    pub max_delay: Duration,
    /// Factor from one wait to the next, at least 1.
    pub exponential_base: f32,
}

/// How a thread waits. Tests replace it.
pub trait Pause: Send + Sync {
    /// Returns after `duration`.
    fn pause(&self, duration: Duration);
}

/// Puts the thread to sleep.
#[derive(Debug, Clone, Copy, Default)]
pub struct ThreadPause;

impl Pause for ThreadPause {
    fn pause(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}

impl RetryPolicy {
    /// One attempt.
    pub const NONE: Self = Self {
        max_attempts: 1,
        initial_delay: Duration::ZERO,
        max_delay: Duration::ZERO,
        exponential_base: 1.0,
    };

    /// Waits before the second, third, ... attempt: exponential, capped, each drawn evenly between zero and that bound
    /// ("full jitter") by a generator that `seed` determines.
    pub fn waits(&self, seed: u64) -> impl Iterator<Item = Duration> + use<> {
        let bounds = ExponentialBuilder::new()
            .with_factor(self.exponential_base.max(1.0))
            .with_min_delay(self.initial_delay)
            .with_max_delay(self.max_delay)
            .with_max_times(usize::from(self.max_attempts.saturating_sub(1)))
            .build();
        let mut state = seed;
        bounds.map(move |bound| bound.mul_f64(next_unit(&mut state)))
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): an even draw from [0, 1).
fn next_unit(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    #[expect(clippy::cast_precision_loss, reason = "the top 53 bits fit a double exactly")]
    let unit = (z >> 11) as f64 / (1u64 << 53) as f64;
    unit
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy = RetryPolicy {
        max_attempts: 6,
        initial_delay: Duration::from_secs(1),
        max_delay: Duration::from_secs(5),
        exponential_base: 2.0,
    };

    #[test]
    fn waits_are_drawn_below_an_exponential_and_capped_bound() {
        for seed in 0..200 {
            let waits: Vec<_> = POLICY.waits(seed).collect();
            assert_eq!(waits.len(), 5);
            for (wait, bound) in waits.iter().zip([1, 2, 4, 5, 5]) {
                assert!(*wait < Duration::from_secs(bound), "{wait:?} must be below {bound} s");
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_waits() {
        assert_eq!(POLICY.waits(7).collect::<Vec<_>>(), POLICY.waits(7).collect::<Vec<_>>());
        assert_ne!(POLICY.waits(7).collect::<Vec<_>>(), POLICY.waits(8).collect::<Vec<_>>());
    }

    #[test]
    fn one_attempt_has_no_waits() {
        assert_eq!(RetryPolicy::NONE.waits(1).count(), 0);
    }
}
