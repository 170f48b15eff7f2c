//! Run phases: open, begin, epochs, publish, seal. No row logic, no YAML.
//!
//! [`run`] takes a [`RunPlan`] through one run. The engine decides epochs on its own threads; this crate makes each of
//! them durable before its sinks act, and records what they did together with the next epoch's decisions:
//!
//! ```text
//! engine:   decide 1 | decide 2        | decide 3        | ...
//! record:            | A1              | B1 A2           | B2 A3 ...
//! sinks:                  | act 1           | act 2           | ...
//! ```
//!
//! [`resume`] does the same for a run that stopped, from its last commit on.
//!
//! Invariant: a sink acts on an epoch only after the transaction with that epoch's decisions was committed, and a run
//! is `completed` only when every sink is published and every token has its outcome.

mod act;
mod budget;
mod error;
mod observe;
mod phases;
mod plan;
mod priority;
mod resume;

pub use budget::FailureBudget;
pub use error::RunError;
pub use observe::{Progress, RunObserver};
pub use phases::{RunEnd, run};
pub use plan::RunPlan;
pub use resume::resume;
