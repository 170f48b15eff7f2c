//! One JSON Schema for everything: editors complete by it, and settings are checked by it, so the two never disagree.
//! What editors get says besides which texts may stand for numbers and truth values, which checking makes of them.

mod bounds;
mod check;
mod compose;
mod texts;
mod words;

pub(crate) use check::{Checked, check};
pub use compose::json_schema;
pub(crate) use compose::{named_plugins, with_options, without_options};
