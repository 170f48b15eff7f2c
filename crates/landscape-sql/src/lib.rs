//! The audit record in SQLite files (read through `sqlx`, written through `rusqlite`) and in PostgreSQL (through `sqlx`).
//!
//! A database holds any number of runs, and any number of processes read it while some write. Tables, views and files
//! are described in `docs/landscape.md`.
//!
//! - [`Landscape`] opens whichever database a path or URL names; [`SqliteLandscape`] and [`PostgresLandscape`] are the two;
//!   [`Location`] reads paths and URLs.
//! - [`SqliteWriter`] is the [`LandscapeWriter`](elspeth_landscape::LandscapeWriter): one connection, one transaction for
//!   each commit, multi-row inserts with cached text; and a thread that counts meanwhile what is durable, for the check of
//!   conservation.
//! - [`Reader`] is the [`LandscapeReader`](elspeth_landscape::LandscapeReader). It never creates or changes
//!   anything. What it reads and cannot be is [`Corruption`](elspeth_landscape::Corruption), never a default.
//! - [`Scans`] gives a verifier everything that is stored of a run.
//! - [`Import`] takes a run that was exported from another database.
//! - [`AuditRegistry`] is the registry for whoever manages keys and remembers heads.
//! - [`DatabasePurger`] is the [`LandscapePurger`](elspeth_landscape::purge::LandscapePurger): what it deletes is overwritten,
//!   and gone from the write-ahead log.
//!
//! Invariant: what [`commit`](elspeth_landscape::LandscapeWriter::commit) wrote is on the disk when its
//! [`durability`](elspeth_landscape::LandscapeWriter::durability) says so, and is seen by readers as a whole or not at all; a token
//! never gets a second terminal outcome.
//!
//! The crate does not know what a record means: which records are made, in which order, and how they are hashed, is
//! [`elspeth_landscape`]'s.
//!
//! ```
//! use elspeth_landscape::{LandscapeReader as _, RunRef};
//! use elspeth_landscape_sql::SqliteLandscape;
//!
//! # async fn example() -> Result<(), elspeth_landscape::LandscapeError> {
//! // A database that is gone at the end; `sqlite:///./state/audit.db` or a path names one that stays.
//! let landscape = SqliteLandscape::at("sqlite:///:memory:")?;
//! let writer = landscape.writer().await?; // for `elspeth_landscape::Recorder::begin`
//!
//! let reader = landscape.reader().await?;
//! assert!(reader.runs().await?.is_empty());
//! let nothing = reader.run(&RunRef::Latest).await.unwrap_err();
//! assert_eq!(nothing.to_string(), "no run is recorded in :memory:");
//! # drop(writer);
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example()).unwrap();
//! ```

mod asking;
mod background;
mod batch_rules;
mod census;
mod connect;
mod conservation;
mod counters;
mod db;
mod error;
mod export_status;
mod failures;
mod families;
mod folding;
mod fresh;
mod import;
mod insert;
mod landscape;
mod location;
mod log;
mod place;
mod postgres;
mod presence;
mod purge;
mod reader;
mod registry;
mod resume;
mod scan;
mod schema;
mod sqlite_landscape;
mod stored;
mod tables;
mod taking;
mod tally;
mod views;
mod writer;

pub use connect::Synchronous;
pub use import::Import;
pub use landscape::{Landscape, PostgresLandscape};
pub use location::Location;
pub use purge::{DatabasePurgeView, DatabasePurger};
pub use reader::Reader;
pub use registry::AuditRegistry;
pub use scan::Scans;
pub use sqlite_landscape::SqliteLandscape;
pub use writer::SqliteWriter;
