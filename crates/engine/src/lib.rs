//! Tokens, epochs and the walk of a row through the graph.
//!
//! [`drive`] reads a source on one thread, cuts it into epochs ([`EpochBounds`]), lets `max_workers` workers walk the rows
//! of an epoch through the graph, puts the results back into canonical order, and hands each finished [`EpochWork`] to
//! its caller: what is to be recorded ([`elspeth_landscape::DecidedEpoch`]) and what the sinks are to write.
//!
//! A token goes from node to node on one worker, with everything that forks, expands or merges from it. Aggregations, and
//! coalesces of which a branch can wait in one, need more than one row: they are worked on between the walks, in the
//! order of the rows that brought them what they have, and what they let go is walked in turn.
//!
//! Invariant: whatever the number of workers, their speed, and wherever epochs end, the same rows give the same content in
//! the same order: that of a run in which each row went through the whole graph before the next.
//!
//! This crate does not know how an epoch becomes durable, nor when sinks may act: the orchestrator does.

mod branch;
mod chunk;
mod drive;
mod epoch;
mod fork;
mod intake;
mod measure;
mod members;
mod open;
mod ordered;
mod release;
mod row;
mod signal;
mod walk;
mod workers;

pub use drive::{EngineError, EngineOptions, Finished, NotKept, Pipeline, Start, drive};
pub use epoch::{EpochBounds, EpochWork, RowBound};
pub use open::{StillOpen, Wait, waits};
