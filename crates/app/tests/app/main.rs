//! Whole pipelines through the use cases, on a real SQLite file.

mod bad_data;
mod outcomes;
mod promises;
mod support;
mod telemetry;
