//! Whole pipelines through the use cases, on a real SQLite file.
#![expect(clippy::unwrap_used, reason = "what fails here fails its test, with the place")]

mod bad_data;
mod example;
mod exporting;
mod journal;
mod lost_sinks;
mod outcomes;
mod promises;
mod resuming;
mod sinks_behind;
mod slow_sinks;
mod support;
mod telemetry;
#[cfg(target_os = "linux")]
mod timers;
