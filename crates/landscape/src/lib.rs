//! The audit record: what is recorded about a run, by whom it is stored, how it is sealed, and how it is asked. No SQL.
//!
//! - [`Recorder`] takes a run through its epochs: [`Recorder::begin`], then for each epoch [`Recorder::stage`] (what was
//!   decided) and [`Recorder::commit`] (with what was done with the first epoch that waits for it), last [`Recorder::seal`].
//! - [`LandscapeWriter`] is what a database must do for a run that is being written, [`LandscapeReader`] what it must do
//!   for those who ask about runs.
//! - [`ResumePoint`] is where a run that stopped goes on; [`TakeUp`] makes it another process's, [`Recorder::take_up`] goes on
//!   recording it, and [`carried`] says what its tokens carry where they wait.
//! - [`integrity`] closes every commit with hashes that make an edited record visible; `docs/evidence-format.md` defines
//!   them byte for byte.
//! - [`registry`] is the log of all runs of a database, which shows when one of them is taken away.
//! - [`verify`] hashes everything again and says whether it is what was written.
//! - [`absence`] says how long a database is waited for whose server is away.
//! - [`purge`] removes bodies and leaves everything else.
//! - [`lineage`] answers "why?" about a row or token, [`failures`] lists what went wrong, [`RunReport`] counts.
//!
//! Invariant: an epoch's decisions (commit A) are durable before anybody acts on them, and what was done (commit B) is
//! committed in the order of epochs, with the decisions of a later one or by itself; at most [`MOST_PENDING`] epochs are
//! decided and not yet on record as acted on. A record that contradicts itself is a [`Corruption`] that names it, never a
//! default.
//!
//! This crate does not know databases, the graph's meaning, plugins or settings. A program can use it, with a store, to
//! record decisions of its own: see the example `record_decisions` of `elspeth-landscape-sql`.
//!
//! ```
//! use elspeth_canonical::HashVersion;
//! use elspeth_contracts::{RowIndex, RowRecord};
//! use elspeth_landscape::integrity::{LeafEncoder, MerkleTree};
//!
//! // The content root grows by one leaf for each row, and does not depend on when the row was read.
//! let version = HashVersion::Blake3V1;
//! let root_of = |amounts: &[&str], read_us: i64| {
//!     let (mut tree, mut leaf) = (MerkleTree::new(version), LeafEncoder::new(version));
//!     for (index, amount) in (0..).zip(amounts) {
//!         leaf.row(&RowRecord {
//!             row_index: RowIndex::new(index).unwrap(),
//!             source_data_hash: version.hash(amount.as_bytes()),
//!             read_us,
//!             valid: true,
//!         });
//!         tree.push(leaf.finish());
//!     }
//!     tree.root()
//! };
//! assert_eq!(root_of(&["19.50", "250"], 3), root_of(&["19.50", "250"], 8_000));
//! assert_ne!(root_of(&["19.50", "250"], 3), root_of(&["19.50", "25"], 3));
//! ```

pub mod absence;
mod carried;
mod counters;
pub mod epoch;
mod error;
pub mod export;
mod failures;
pub mod integrity;
pub mod journal;
pub mod lineage;
pub mod pending;
pub mod purge;
mod recorder;
pub mod registry;
mod report;
mod resume;
mod run;
mod shown;
mod store;
mod text;
pub mod verify;

pub use carried::{Carried, carried};
pub use epoch::{ActedEpoch, DecidedEpoch, SinkIntent, SinkProgress};
pub use error::{Corruption, LandscapeError};
pub use failures::{FailureGroup, FailureReport, FailureView, failures};
pub use recorder::Recorder;
pub use report::{RunListing, RunReport};
pub use resume::{Checkpoint, MOST_PENDING, PendingEpoch, ResumePoint, Resumption, ResumptionRecord, TakeUp};
pub use run::{
    ConservationBreach, Counters, Failure, RunRecord, RunRef, RunSeal, RunStart, RunSummary, SourceRecord,
};
pub use shown::Shown;
pub use store::{BatchSize, Durability, FailureCount, LandscapeReader, LandscapeWriter, Page};
