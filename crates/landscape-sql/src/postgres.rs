//! The record in PostgreSQL.

mod address;
mod copy;
pub(crate) mod counting;
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
