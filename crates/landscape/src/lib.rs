//! The audit record: store traits, recorder, lineage, integrity. No SQL.
//!
//! - [`LandscapeWriter`] is what a database must do for a run that is being written, [`LandscapeReader`] what it must do
//!   for those who ask about runs.
//! - [`Recorder`] drives a writer through a run's epochs and closes each with the hashes of [`integrity`].
//! - [`lineage`] answers "why?" from a reader.
//!
//! Invariant: an epoch's decisions (commit A) are durable before anybody acts on them, and what was done (commit B)
//! becomes durable together with the next epoch's decisions.

pub mod epoch;
mod error;
mod failures;
pub mod integrity;
pub mod lineage;
mod recorder;
mod report;
mod run;
mod shown;
mod store;
mod text;

pub use epoch::{ActedEpoch, DecidedEpoch, SinkIntent, SinkProgress};
pub use error::{Corruption, LandscapeError};
pub use failures::{FailureGroup, FailureReport, FailureView, failures};
pub use recorder::Recorder;
pub use report::{RunListing, RunReport};
pub use run::{
    ConservationBreach, Counters, Failure, RunRecord, RunRef, RunSeal, RunStart, RunSummary, SourceRecord,
};
pub use shown::Shown;
pub use store::{FailureCount, LandscapeReader, LandscapeWriter};
