//! Hashes that make an edited record visible. Byte for byte defined in `docs/evidence-format.md`.
//!
//! - [`LeafEncoder`] turns what was decided about one row into one leaf, [`ReleaseRecords`] what a release decided (a batch's
//!   flush, a merge that waited across rows) into another; an epoch's acts give one leaf per token. Each kind goes into a
//!   [`MerkleTree`] of its own; together they make the *content root*, which depends on nothing but input, settings and
//!   program: not on time, host, run id, workers or epochs.
//! - Every half of an epoch (decided, acted) is hashed with all its fields, times included, and chained to what came
//!   before; with the seal that makes the *record root*.
//!
//! Invariant: equal records give equal bytes, and no two different records give the same bytes: every field has a fixed
//! width or its length in front, and every record begins with its tag.

mod acted;
mod ahead;
mod batch;
mod chain;
mod continuation;
mod encode;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod independence;
mod leaf;
mod merkle;
mod release;
#[cfg(test)]
mod shown;

use elspeth_canonical::ContentHash;

use crate::registry::RunHead;

pub(crate) use acted::each_act;
pub use ahead::TreesAhead;
pub use batch::LeafBatch;
pub use chain::{ActedDigest, DecidedDigest};
pub(crate) use chain::{Acts, RecorderState, Registered};
pub(crate) use continuation::{GoingOn, intents_hash, position_of};
pub use leaf::LeafEncoder;
pub use merkle::{MerkleTree, TreeState};
pub use release::{Members, Picked, ReleaseRecords};

/// Hashes over that from which a run goes on after an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Continuing {
    /// Over all that the checkpoint has, this included:
    pub all: ContentHash,
    /// Over what the sinks are about to write.
    pub intents: ContentHash,
}

/// What closes an epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochHashes {
    /// The staged epoch's own hash over commit A, times included, chained to what was decided before.
    pub chain: ContentHash,
    /// The same over what was done so far: the chain of commits B.
    pub acted_chain: ContentHash,
    /// Root of the tree of row leaves up to and including the staged epoch.
    pub content: ContentHash,
    /// State from which both can be continued: JSON.
    pub state: String,
    /// From where the staged epoch lets the run go on; absent where none is staged.
    pub staged: Option<Continuing>,
    /// From where the sinks go on that the epoch acted on has written to: for each, by step, the step (u16, big endian) and the
    /// hash of its position.
    pub positions: Vec<u8>,
    /// What is entered in the registry with this commit; now and then, where heads are signed.
    pub head: Option<RunHead>,
}
