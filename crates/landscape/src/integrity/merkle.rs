use elspeth_canonical::{ContentHash, HashVersion, Texts};
use serde::{Deserialize, Serialize};

use super::encode::UNPROVEN;

/// What an inner node's bytes begin with (RFC 9162, 2.1.1).
const NODE_PREFIX: u8 = 1;

/// Leaves that are joined level by level at once: enough for every lane, and few enough to stay small.
const TOGETHER: usize = 4_096;

/// A Merkle tree of the shape of RFC 9162 that only grows. It holds the roots of its complete subtrees and no leaves, so its
/// size is the logarithm of theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MerkleTree {
    version: HashVersion,
    size: u64,
    /// One root for every bit that is set in `size`, the largest subtree first.
    frontier: Vec<ContentHash>,
}

/// A tree as it is stored, to be grown further later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TreeState {
    /// Leaves.
    pub size: u64,
    /// Roots of the complete subtrees, the largest first.
    pub frontier: Vec<ContentHash>,
}

impl MerkleTree {
    /// A tree without leaves.
    #[must_use]
    pub const fn new(version: HashVersion) -> Self {
        Self { version, size: 0, frontier: Vec::new() }
    }

    /// How many leaves it has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf, given by its hash.
    pub fn push(&mut self, leaf: ContentHash) {
        let mut node = leaf;
        for _ in 0..self.size.trailing_ones() {
            let left = self.frontier.pop().expect("one root for every bit of the size");
            node = self.join(left, node);
        }
        self.frontier.push(node);
        self.size += 1;
    }

    /// Appends leaves, as [`MerkleTree::push`] one after the other would: level by level, since nodes that are joined together
    /// take a quarter of the time.
    pub fn extend(&mut self, leaves: &[ContentHash]) {
        leaves.chunks(TOGETHER).for_each(|part| self.extend_by(part));
    }

    fn extend_by(&mut self, leaves: &[ContentHash]) {
        let (mut nodes, mut odd, mut texts) = (leaves.to_vec(), Vec::new(), Texts::default());
        let mut before = self.size;
        while !nodes.is_empty() {
            if before % 2 == 1 {
                nodes.insert(0, self.frontier.pop().expect("one root for every bit of the size"));
            }
            if nodes.len() % 2 == 1 {
                odd.extend(nodes.pop());
            }
            nodes = self.join_all(&nodes, &mut texts);
            before /= 2;
        }
        self.frontier.extend(odd.into_iter().rev());
        self.size += leaves.len() as u64;
    }

    /// Joins each node with its neighbour.
    fn join_all(&self, nodes: &[ContentHash], texts: &mut Texts) -> Vec<ContentHash> {
        let (pairs, _) = nodes.as_chunks::<2>();
        if UNPROVEN {
            return pairs.iter().map(|[left, _]| *left).collect();
        }
        texts.clear();
        pairs.iter().for_each(|[left, right]| texts.push(&node(left, right)));
        self.version.hash_all(texts)
    }

    /// Its root; the hash of nothing when it has no leaves.
    #[must_use]
    pub fn root(&self) -> ContentHash {
        let joined = self.frontier.iter().rev().copied().reduce(|right, left| self.join(left, right));
        joined.unwrap_or_else(|| self.version.hash(&[]))
    }

    /// Its stored form.
    #[must_use]
    pub fn state(&self) -> TreeState {
        TreeState { size: self.size, frontier: self.frontier.clone() }
    }

    /// The tree of that stored form; `None` when no tree has it.
    #[must_use]
    pub fn from_state(version: HashVersion, state: TreeState) -> Option<Self> {
        let TreeState { size, frontier } = state;
        (frontier.len() == size.count_ones() as usize).then_some(Self { version, size, frontier })
    }

    fn join(&self, left: ContentHash, right: ContentHash) -> ContentHash {
        if UNPROVEN {
            return left;
        }
        self.version.hash(&node(&left, &right))
    }
}

fn node(left: &ContentHash, right: &ContentHash) -> [u8; 65] {
    let mut bytes = [NODE_PREFIX; 65];
    bytes[1..33].copy_from_slice(left.as_bytes());
    bytes[33..].copy_from_slice(right.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn leaf(version: HashVersion, number: usize) -> ContentHash {
        version.hash(format!("leaf {number}").as_bytes())
    }

    /// The definition of RFC 9162, 2.1.1, taken literally.
    fn defined(version: HashVersion, leaves: &[ContentHash]) -> ContentHash {
        match leaves {
            [] => version.hash(&[]),
            [one] => *one,
            several => {
                let split = 1 << (several.len() - 1).ilog2();
                let (left, right) = several.split_at(split);
                let mut bytes = vec![1];
                bytes.extend_from_slice(defined(version, left).as_bytes());
                bytes.extend_from_slice(defined(version, right).as_bytes());
                version.hash(&bytes)
            }
        }
    }

    fn versions() -> impl Strategy<Value = HashVersion> {
        prop_oneof![Just(HashVersion::Blake3V1), Just(HashVersion::Sha256V1)]
    }

    proptest! {
        #[test]
        fn the_root_is_the_one_that_rfc_9162_defines(version in versions(), size in 0_usize..300) {
            let leaves: Vec<_> = (0..size).map(|n| leaf(version, n)).collect();
            let mut tree = MerkleTree::new(version);
            leaves.iter().for_each(|l| tree.push(*l));
            prop_assert_eq!(tree.size(), size as u64);
            prop_assert_eq!(tree.root(), defined(version, &leaves));
        }

        #[test]
        fn leaves_may_come_singly_or_together(version in versions(), cuts in proptest::collection::vec(0_usize..40, 0..12)) {
            let (mut singly, mut together) = (MerkleTree::new(version), MerkleTree::new(version));
            let mut number = 0;
            for cut in cuts {
                let leaves: Vec<_> = (number..number + cut).map(|n| leaf(version, n)).collect();
                leaves.iter().for_each(|leaf| singly.push(*leaf));
                together.extend(&leaves);
                number += cut;
                prop_assert_eq!(&together, &singly);
            }
        }

        #[test]
        fn a_tree_read_back_grows_as_the_one_that_was_stored(first in 0_usize..100, more in 0_usize..100) {
            let version = HashVersion::Blake3V1;
            let mut tree = MerkleTree::new(version);
            (0..first).for_each(|n| tree.push(leaf(version, n)));
            let mut again = MerkleTree::from_state(version, tree.state()).unwrap();
            prop_assert_eq!(&again, &tree);
            for n in first..first + more {
                tree.push(leaf(version, n));
                again.push(leaf(version, n));
            }
            prop_assert_eq!(again.root(), tree.root());
        }
    }

    #[test]
    fn a_state_that_no_tree_has_is_refused() {
        let version = HashVersion::Blake3V1;
        let state = |size, roots| TreeState { size, frontier: vec![leaf(version, 0); roots] };
        assert!(MerkleTree::from_state(version, state(5, 2)).is_some());
        assert!(MerkleTree::from_state(version, state(2, 2)).is_none());
        assert!(MerkleTree::from_state(version, state(3, 1)).is_none());
    }
}
