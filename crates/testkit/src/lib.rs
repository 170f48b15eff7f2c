//! Test support: a clock that only the test moves, run ids from a seed, scratch folders.
//!
//! - [`ManualClock`] stands where it was put until [`ManualClock::advance`] moves it; [`ManualClock::ticking`] moves it a
//!   little with every look, for tests that want distinct times.
//! - [`SeededIds`] gives the same run ids for the same seed.
//! - [`Scratch`] is a folder that disappears with the test.
//! - [`PgCluster`] is a PostgreSQL server that disappears with the test, where the machine has the binaries.
//!
//! Invariant: nothing here looks at the real time or at real randomness.
//!
//! This crate does not know rows, graphs or stores.
//!
//! ```
//! use elspeth_contracts::{Clock, IdSource, Micros};
//! use elspeth_testkit::{ManualClock, SeededIds};
//!
//! let clock = ManualClock::at(Micros(1_000_000));
//! clock.advance(250);
//! assert_eq!((clock.now(), clock.monotonic_us()), (Micros(1_000_250), 250));
//! assert_eq!(SeededIds::new(7).next_run_id(), SeededIds::new(7).next_run_id());
//! ```

mod clock;
mod ids;
#[cfg(unix)]
mod postgres;
mod scratch;

pub use clock::ManualClock;
pub use ids::SeededIds;
#[cfg(unix)]
pub use postgres::{PG_GUARDED, PG_SUPERUSER, PgCluster, PgDurability, SmallDisk};
pub use scratch::Scratch;
