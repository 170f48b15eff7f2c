use std::sync::atomic::{AtomicU64, Ordering};

use elspeth_contracts::{Clock, Micros};

/// A clock that only the test moves.
#[derive(Debug)]
pub struct ManualClock {
    start: Micros,
    elapsed: AtomicU64,
    step: u64,
}

impl ManualClock {
    /// A clock that stands at `start`.
    #[must_use]
    pub const fn at(start: Micros) -> Self {
        Self { start, elapsed: AtomicU64::new(0), step: 0 }
    }

    /// A clock that goes on by `step` microseconds after every look, beginning at `start`.
    #[must_use]
    pub const fn ticking(start: Micros, step: u64) -> Self {
        Self { start, elapsed: AtomicU64::new(0), step }
    }

    /// Moves it on by that many microseconds.
    pub fn advance(&self, micros: u64) {
        self.elapsed.fetch_add(micros, Ordering::SeqCst);
    }

    fn look(&self) -> u64 {
        self.elapsed.fetch_add(self.step, Ordering::SeqCst)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Micros {
        let elapsed = i64::try_from(self.look()).expect("tests do not last 290,000 years");
        Micros(self.start.0 + elapsed)
    }

    fn monotonic_us(&self) -> u64 {
        self.look()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_stands_until_it_is_moved() {
        let clock = ManualClock::at(Micros(5));
        assert_eq!((clock.now(), clock.now()), (Micros(5), Micros(5)));
        clock.advance(10);
        assert_eq!((clock.now(), clock.monotonic_us()), (Micros(15), 10));
    }

    #[test]
    fn a_ticking_clock_never_shows_a_time_twice() {
        let clock = ManualClock::ticking(Micros(0), 3);
        assert_eq!((clock.now(), clock.monotonic_us(), clock.now()), (Micros(0), 3, Micros(6)));
    }
}
