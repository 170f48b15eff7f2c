//! Tokens, epochs and the walk of a row through the graph.
//!
//! [`drive`] reads a source on one thread, cuts it into epochs ([`EpochBounds`]), lets `max_workers` workers walk the rows
//! of an epoch through the graph, puts the results back into canonical order, and hands each finished [`EpochWork`] to
//! its caller: what is to be recorded ([`elspeth_landscape::DecidedEpoch`]) and what the sinks are to write.
//!
//! Invariant: whatever the number of workers and whatever their speed, the same rows give the same epochs' content in
//! the same order.
//!
//! This crate does not know how an epoch becomes durable, nor when sinks may act: the orchestrator does.

mod chunk;
mod drive;
mod epoch;
mod intake;
mod walk;
mod workers;

pub use drive::{EngineError, EngineOptions, Finished, Pipeline, drive};
pub use epoch::{EpochBounds, EpochWork};
