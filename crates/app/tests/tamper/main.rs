//! Records that are changed after they were written: every table, every column, in every way that one can think of.
//!
//! The tables and columns are asked of the database itself, so a new column is covered, or the test fails. What no check can
//! find is in a short list with a reason each ([`exempt`]); each entry must be one that is really not found.
#![expect(clippy::unwrap_used, reason = "what fails here fails its test, with the place")]

mod altered;
mod changes;
mod conserved;
mod exempt;
mod exported;
#[path = "../../../proof/tests/receipt/omit.rs"]
mod omit;
