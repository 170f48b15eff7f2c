use elspeth_canonical::{ContentHash, HashVersion, Texts};
use elspeth_phases::{Phase, within};

use super::encode::UNPROVEN;

/// Bytes of leaves that wait to be hashed; more of them at once would not be hashed faster.
const WAITING: usize = 1 << 16;

/// Leaves that are hashed together, because that takes a quarter of the time. See [`super::LeafEncoder::finish_later`].
#[derive(Debug)]
pub struct LeafBatch {
    version: HashVersion,
    waiting: Texts,
    hashes: Vec<ContentHash>,
}

impl LeafBatch {
    /// Of no leaves.
    #[must_use]
    pub fn new(version: HashVersion) -> Self {
        Self { version, waiting: Texts::default(), hashes: Vec::new() }
    }

    /// The same, with room for as many leaves.
    #[must_use]
    pub(crate) fn with_room(version: HashVersion, leaves: usize) -> Self {
        Self { hashes: Vec::with_capacity(leaves), ..Self::new(version) }
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        if UNPROVEN {
            return self.hashes.push(ContentHash::from_bytes([0; 32]));
        }
        self.waiting.push(bytes);
        if self.waiting.bytes() > WAITING {
            self.hash();
        }
    }

    pub(super) fn add_done(&mut self, hash: ContentHash) {
        self.hash();
        self.hashes.push(hash);
    }

    /// How many leaves are hashed; the last ones may wait.
    pub(super) const fn hashed(&self) -> usize {
        self.hashes.len()
    }

    /// The leaves in the order in which they came; the batch is empty then.
    pub fn take(&mut self) -> Vec<ContentHash> {
        self.hash();
        std::mem::take(&mut self.hashes)
    }

    fn hash(&mut self) {
        self.hashes.extend(within(Phase::Hash, || self.version.hash_all(&self.waiting)));
        self.waiting.clear();
    }
}
