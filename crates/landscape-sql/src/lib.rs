//! The audit record on SQLite through sqlx.

mod connect;
mod conservation;
mod counters;
mod error;
mod failures;
mod insert;
mod landscape;
mod location;
mod reader;
mod schema;
mod stored;
mod tables;
mod views;
mod writer;

pub use landscape::SqliteLandscape;
pub use location::Location;
pub use reader::SqliteReader;
pub use writer::SqliteWriter;
