//! Hashes that make an edited record visible.

use elspeth_canonical::ContentHash;

/// What closes an epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochHashes {
    /// The staged epoch's own hash over commit A, times included, chained to what came before.
    pub chain: ContentHash,
    /// Root of the tree of row leaves up to and including the staged epoch.
    pub content: ContentHash,
    /// State from which both can be continued: JSON.
    pub state: String,
}
