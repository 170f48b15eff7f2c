use elspeth_canonical::{ContentHash, HashVersion};

use crate::integrity::{MerkleTree, TreeState};

/// The digest of the registry's tree, whatever its runs have.
const DIGEST: HashVersion = HashVersion::Sha256V1;
/// What the bytes of a leaf begin with (RFC 9162, 2.1.1).
const LEAF_PREFIX: u8 = 0;

/// The log up to some entry: how many there are, and the frontier of their tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    tree: MerkleTree,
}

impl Log {
    /// Without an entry.
    #[must_use]
    pub const fn empty() -> Self {
        Self { tree: MerkleTree::new(DIGEST) }
    }

    /// As it is after so many entries, from what is stored beside the last of them; `None` when no log has such a frontier.
    #[must_use]
    pub fn from_stored(size: u64, peaks: &[u8]) -> Option<Self> {
        let (peaks, rest) = peaks.as_chunks::<32>();
        let frontier = peaks.iter().map(|peak| ContentHash::from_bytes(*peak)).collect();
        let tree = MerkleTree::from_state(DIGEST, TreeState { size, frontier })?;
        rest.is_empty().then_some(Self { tree })
    }

    /// Takes in the next entry's text.
    pub fn append(&mut self, text: &str) {
        self.tree.push(Self::leaf(text));
    }

    /// The hash of an entry's text as a leaf.
    #[must_use]
    pub fn leaf(text: &str) -> ContentHash {
        let mut leaf = DIGEST.hasher();
        leaf.update(&[LEAF_PREFIX]);
        leaf.update(text.as_bytes());
        leaf.finish()
    }

    /// The frontier: the roots of the complete subtrees, the largest first.
    #[must_use]
    pub fn peaks(&self) -> Vec<u8> {
        self.tree.state().frontier.iter().flat_map(|root| *root.as_bytes()).collect()
    }

    /// Entries.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.tree.size()
    }

    /// The root of their tree.
    #[must_use]
    pub fn root(&self) -> ContentHash {
        self.tree.root()
    }
}
