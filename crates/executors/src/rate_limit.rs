use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use elspeth_contracts::{Clock, Step};
use elspeth_graph::ExecutionGraph;
use governor::clock::{Clock as GovernorClock, Reference as _};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::Pause;

type Limiter = RateLimiter<NotKeyed, InMemoryState, RunClock, NoOpMiddleware<Nanos>>;

/// How often services may be asked: one token bucket for each service, shared by all nodes that name it.
///
/// A bucket holds one minute's requests, and is full in the beginning.
pub struct RateLimits {
    by_step: BTreeMap<Step, Arc<Limiter>>,
    clock: RunClock,
}

impl RateLimits {
    /// No limits.
    #[must_use]
    pub fn none(clock: Arc<dyn Clock>) -> Self {
        Self { by_step: BTreeMap::new(), clock: RunClock(clock) }
    }

    /// Limits for the nodes of `graph` that name a service; `per_minute` says how many requests a service takes, or that
    /// nobody limits it.
    #[must_use]
    pub fn new(
        graph: &ExecutionGraph,
        per_minute: impl Fn(&str) -> Option<NonZeroU32>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let mut limits = Self::none(clock);
        let mut by_service: BTreeMap<&str, Arc<Limiter>> = BTreeMap::new();
        for node in graph.nodes() {
            let Some(service) = node.service.as_deref() else { continue };
            let Some(quota) = per_minute(service).map(Quota::per_minute) else { continue };
            let limiter = by_service
                .entry(service)
                .or_insert_with(|| Arc::new(RateLimiter::direct_with_clock(quota, limits.clock.clone())));
            limits.by_step.insert(node.step, Arc::clone(limiter));
        }
        limits
    }

    /// Takes one request's place, waiting as long as it takes; how long that was.
    pub fn wait(&self, step: Step, pause: &dyn Pause) -> Duration {
        let Some(limiter) = self.by_step.get(&step) else { return Duration::ZERO };
        let began = self.clock.now();
        while let Err(not_yet) = limiter.check() {
            pause.pause(not_yet.wait_time_from(self.clock.now()));
        }
        self.clock.now().duration_since(began).into()
    }
}

/// The run's clock for the limiters.
#[derive(Clone)]
struct RunClock(Arc<dyn Clock>);

impl GovernorClock for RunClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(Duration::from_micros(self.0.monotonic_us()))
    }
}

impl fmt::Debug for RunClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RunClock")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use elspeth_contracts::Micros;
    use elspeth_testkit::ManualClock;

    use super::*;

    /// Lets the clock go on by every pause, and remembers them.
    struct Waiting(Arc<ManualClock>, Mutex<Vec<Duration>>);

    impl Pause for Waiting {
        fn pause(&self, duration: Duration) {
            self.0.advance(u64::try_from(duration.as_micros()).unwrap() + 1);
            self.1.lock().unwrap().push(duration);
        }
    }

    fn limits(per_minute: u32, steps: &[u16]) -> (RateLimits, Waiting) {
        let clock = Arc::new(ManualClock::at(Micros(0)));
        let mut limits = RateLimits::none(Arc::clone(&clock) as Arc<dyn Clock>);
        let quota = Quota::per_minute(NonZeroU32::new(per_minute).unwrap());
        let limiter = Arc::new(RateLimiter::direct_with_clock(quota, limits.clock.clone()));
        for step in steps {
            limits.by_step.insert(Step::new(*step).unwrap(), Arc::clone(&limiter));
        }
        (limits, Waiting(clock, Mutex::default()))
    }

    #[test]
    fn nodes_of_one_service_share_its_requests() {
        let (limits, pause) = limits(4, &[1, 2]);
        let step = |number| Step::new(number).unwrap();
        for number in [1, 2, 1, 2] {
            assert_eq!(limits.wait(step(number), &pause), Duration::ZERO);
        }
        // A place is free again every fifteen seconds, whoever asks.
        let waits = [limits.wait(step(2), &pause), limits.wait(step(1), &pause)];
        for wait in waits {
            assert!((wait.as_secs_f64() - 15.0).abs() < 0.01, "{wait:?}");
        }
        assert_eq!(pause.1.lock().unwrap().len(), 2, "one wait for each request, not many small ones");
    }

    #[test]
    fn other_nodes_never_wait() {
        let (limits, pause) = limits(1, &[1]);
        for _ in 0..100 {
            assert_eq!(limits.wait(Step::new(3).unwrap(), &pause), Duration::ZERO);
        }
    }
}
