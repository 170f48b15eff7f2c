//! What was written, as one hash that can go on after a stop without reading anything back.
//!
//! Of no rows it is the hash of no bytes. Each row makes a new one of it: the hash of the 32 bytes of the hash so far and of
//! the row's canonical JSON as the sink was given it. It depends on rows and their order alone, so that anybody who has the
//! rows as canonical JSON lines can compute it again. The size is that of those lines, line ends included.

use elspeth_canonical::{ContentHash, HashVersion};
use elspeth_plugin::SinkError;
use serde::{Deserialize, Serialize};

/// See the module's documentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chain {
    version: HashVersion,
    pub(super) hash: ContentHash,
    pub(super) rows: u64,
    pub(super) bytes: u64,
}

/// The same as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredChain {
    rows: u64,
    bytes: u64,
    content_hash: String,
    hash_version: String,
}

impl StoredChain {
    /// Whether there is a row in it.
    pub(super) fn has_rows(&self) -> bool {
        self.rows > 0
    }
}

impl Chain {
    pub(super) fn new(version: HashVersion) -> Self {
        Self { version, hash: version.hash(b""), rows: 0, bytes: 0 }
    }

    /// Adds a row's canonical bytes.
    pub(super) fn add(&mut self, canonical: &[u8]) {
        let mut hasher = self.version.hasher();
        hasher.update(self.hash.as_bytes());
        hasher.update(canonical);
        self.hash = hasher.finish();
        self.rows += 1;
        self.bytes += canonical.len() as u64 + 1;
    }

    pub(super) fn stored(&self) -> StoredChain {
        StoredChain {
            rows: self.rows,
            bytes: self.bytes,
            content_hash: self.hash.to_string(),
            hash_version: self.version.name().to_owned(),
        }
    }

    /// # Errors
    /// It was made with another digest, or is none.
    pub(super) fn load(stored: &StoredChain, version: HashVersion) -> Result<Self, SinkError> {
        if stored.hash_version != version.name() {
            let message = format!("what is in the table was hashed with {}", stored.hash_version);
            return Err(SinkError::new(message).with_help("start a new run"));
        }
        let hash = stored.content_hash.parse();
        let hash =
            hash.map_err(|e| SinkError::new(format!("the sink's recorded position cannot be read: {e}")))?;
        Ok(Self { version, hash, rows: stored.rows, bytes: stored.bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_hashed_behind_the_hash_of_those_before_it() {
        let version = HashVersion::Sha256V1;
        let mut chain = Chain::new(version);
        assert_eq!(chain.hash, version.hash(b""));
        chain.add(br#"{"id":1}"#);
        let one = version.hash(&[version.hash(b"").as_bytes(), br#"{"id":1}"#.as_slice()].concat());
        assert_eq!((chain.hash, chain.rows, chain.bytes), (one, 1, 9));
        let mut loaded = Chain::load(&chain.stored(), version).unwrap();
        assert_eq!(loaded, chain);
        loaded.add(b"{}");
        chain.add(b"{}");
        assert_eq!(loaded, chain);
        assert!(Chain::load(&chain.stored(), HashVersion::Blake3V1).is_err());
    }
}
