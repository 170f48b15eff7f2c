//! Trees of the shape of RFC 9162 (2.1.1): growing them, proving that leaves are in them, and that one continues another.
//!
//! A tree of no leaf has the digest of nothing as its root, one of a single leaf that leaf, and one of more the node of the
//! root of the first *k* and the root of the rest, *k* being the largest power of two below the number of leaves.

mod consistency;
mod inclusion;
mod tree;

pub use consistency::{prove_consistency, verify_consistency};
pub use inclusion::{Proof, Prover, root_from};
pub use tree::Tree;

use thiserror::Error;

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BadProof {
    /// A leaf is outside the tree, or not behind the one before it.
    #[error("leaf {0} is not a leaf of the tree, or out of order")]
    Leaf(u64),
    /// A hash that the proof must have is not there.
    #[error("a hash is missing in the proof")]
    TooShort,
    /// The proof has hashes that nothing needs.
    #[error("the proof has hashes that nothing needs")]
    TooLong,
    /// The proof does not lead to the root.
    #[error("the proof does not lead to the root")]
    Root,
    /// The tree that is to be continued is larger than the one that is to continue it.
    #[error("a tree of {second} leaves cannot continue one of {first}")]
    Shrunk {
        /// Leaves of the tree that is to be continued.
        first: u64,
        /// Leaves of the other.
        second: u64,
    },
}

/// Where a tree of that many leaves (at least two) is split: the largest power of two below.
const fn split(leaves: u64) -> u64 {
    1 << (leaves - 1).ilog2()
}

#[cfg(test)]
mod tests;
