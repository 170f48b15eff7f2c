//! Ids, closed enums, record structs and the error taxonomy of the audit record.
//!
//! Everything that two crates must agree on about *the record* is here: how a row, a token, a node state is named
//! ([`RowIndex`], [`TokenKey`], [`StateKey`]), which values a status can have ([`Outcome`], [`RunStatus`], ...), and what
//! one record holds ([`NodeStateRecord`], [`TokenOutcomeRecord`], ...).
//!
//! Invariant: a public id is a pure function of the run id and a position, so the same work done again has the same
//! ids, and nothing but the run id needs to be stored (see [`RunId::token_id`]).
//!
//! This crate does not know how records are stored, nor how rows are processed.
//!
//! ```
//! use elspeth_contracts::{RowIndex, RunId, TokenKey};
//!
//! let run: RunId = "01JZ8Q4Z8N5X2V7K3M9T0B6C1D".parse().unwrap();
//! let token = TokenKey::of_row(RowIndex::new(41).unwrap(), 0).unwrap();
//! let public = run.token_id(token);
//! assert_eq!(run.parse_token_id(public), Some(token));
//! ```

mod clock;
mod disk;
mod enums;
mod folders;
mod ids;
mod reason;
mod records;
mod topology;

pub use clock::{Clock, IdSource, Micros, ParseMicrosError, RandomIds, SystemClock};
pub use disk::disk_advice;
pub use enums::*;
pub use folders::{create_durable, create_folders, open_plain, sync_folder};
pub use ids::*;
pub use reason::{ErrorReason, FailureKind};
pub use records::*;
pub use topology::{Topology, TopologyEdge, TopologyNode};
