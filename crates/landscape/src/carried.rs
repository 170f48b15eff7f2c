//! What tokens carry where they wait.

use elspeth_canonical::ContentHash;
use elspeth_value::Row;

/// What a token carries where it waits: at a sink that has not written it, in an open batch, at a merge.
#[derive(Debug, Clone, PartialEq)]
pub struct Carried {
    /// Its row.
    pub row: Row,
    /// The row's hash.
    pub hash: ContentHash,
    /// Whether no state of it tells the hash yet.
    pub fresh: bool,
}
