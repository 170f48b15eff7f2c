//! The record in PostgreSQL.

mod address;
mod copy;
mod dialect;
mod parameters;
mod run;
mod schema;
mod session;
mod writer;

pub(crate) use address::Address;
pub(crate) use copy::{Bulk, push};
pub(crate) use session::Session;
pub(crate) use writer::PostgresWriter;
