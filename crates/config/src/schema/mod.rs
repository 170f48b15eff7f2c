//! One JSON Schema for everything: editors complete by it, and settings are checked by it, so the two never disagree.

mod bounds;
mod check;
mod compose;
mod words;

pub(crate) use check::{Checked, check};
pub use compose::json_schema;
pub(crate) use compose::{named_plugins, with_options, without_options};
