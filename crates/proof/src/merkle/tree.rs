use alloc::vec::Vec;

use crate::hash::{Digest, Hash};

/// A tree that only grows. It holds the roots of its complete subtrees and no leaves, so its size is the logarithm of theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    digest: Digest,
    size: u64,
    /// One root for every bit that is set in `size`, the largest subtree first.
    frontier: Vec<Hash>,
}

impl Tree {
    /// A tree without leaves.
    #[must_use]
    pub const fn new(digest: Digest) -> Self {
        Self { digest, size: 0, frontier: Vec::new() }
    }

    /// The tree of that many leaves whose complete subtrees have these roots, the largest first; `None` when there would have
    /// to be more or fewer of them.
    #[must_use]
    pub fn from_frontier(digest: Digest, size: u64, frontier: Vec<Hash>) -> Option<Self> {
        (frontier.len() == size.count_ones() as usize).then_some(Self { digest, size, frontier })
    }

    /// Appends a leaf, given by its hash.
    pub fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        for _ in 0..self.size.trailing_ones() {
            let left = self.frontier.pop().expect("one root for every bit of the size");
            node = self.digest.node(left, node);
        }
        self.frontier.push(node);
        self.size += 1;
    }

    /// How many leaves it has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The roots of its complete subtrees, the largest first.
    #[must_use]
    pub fn frontier(&self) -> &[Hash] {
        &self.frontier
    }

    /// Its root.
    #[must_use]
    pub fn root(&self) -> Hash {
        let joined = self.frontier.iter().rev().copied().reduce(|right, left| self.digest.node(left, right));
        joined.unwrap_or_else(|| self.digest.empty())
    }
}
