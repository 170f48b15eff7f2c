//! The built-in batch transforms, which aggregations name.

pub(crate) mod batch_replicate;
pub(crate) mod batch_stats;
mod number;
mod spread;
mod statistics;
mod wide;
