use elspeth_canonical::{ContentHash, HashVersion, Texts};

use super::encode::UNPROVEN;

/// Leaves that are hashed together, because that takes a quarter of the time. See [`super::LeafEncoder::finish_later`].
#[derive(Debug, Default)]
pub struct LeafBatch {
    texts: Texts,
    /// Those that were too large to wait, by their place.
    done: Vec<(usize, ContentHash)>,
}

impl LeafBatch {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.texts.push(bytes);
    }

    pub(super) fn add_done(&mut self, hash: ContentHash) {
        self.done.push((self.texts.len(), hash));
        self.texts.push(&[]);
    }

    /// The leaves in the order in which they came; the batch is empty then.
    pub fn hashes(&mut self, version: HashVersion) -> Vec<ContentHash> {
        let mut hashes = if UNPROVEN {
            vec![ContentHash::from_bytes([0; 32]); self.texts.len()]
        } else {
            version.hash_all(&self.texts)
        };
        self.texts.clear();
        for (at, hash) in self.done.drain(..) {
            hashes[at] = hash;
        }
        hashes
    }
}
