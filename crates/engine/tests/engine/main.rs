//! The engine through its door: sources from memory, plugins from functions, a clock that tests move.

mod epochs;
mod limits;
mod reopening;
mod support;
mod waiting;
