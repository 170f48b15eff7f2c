//! Rows that were written to a database or read from one, as one hash that can go on after a stop without reading anything back.
//!
//! Of no rows it is the hash of no bytes. Each row makes a new one of it: the hash of the 32 bytes of the hash so far and of
//! the row's canonical JSON. It depends on rows and their order alone, so that anybody who has the
//! rows as canonical JSON lines can compute it again. The size is that of those lines, line ends included.

use elspeth_canonical::{ContentHash, HashVersion};
use serde::{Deserialize, Serialize};

/// See the module's documentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chain {
    version: HashVersion,
    pub(crate) hash: ContentHash,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
}

/// The same as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredChain {
    rows: u64,
    bytes: u64,
    content_hash: String,
    hash_version: String,
}

impl StoredChain {
    /// Whether there is a row in it.
    pub(crate) fn has_rows(&self) -> bool {
        self.rows > 0
    }
}

impl Chain {
    pub(crate) fn new(version: HashVersion) -> Self {
        Self { version, hash: version.hash(b""), rows: 0, bytes: 0 }
    }

    /// Adds a row's canonical bytes.
    pub(crate) fn add(&mut self, canonical: &[u8]) {
        let mut hasher = self.version.hasher();
        hasher.update(self.hash.as_bytes());
        hasher.update(canonical);
        self.hash = hasher.finish();
        self.rows += 1;
        self.bytes += canonical.len() as u64 + 1;
    }

    pub(crate) fn stored(&self) -> StoredChain {
        StoredChain {
            rows: self.rows,
            bytes: self.bytes,
            content_hash: self.hash.to_string(),
            hash_version: self.version.name().to_owned(),
        }
    }

    /// # Errors
    /// It was made with another digest, or is none.
    pub(crate) fn load(stored: &StoredChain, version: HashVersion) -> Result<Self, String> {
        if stored.hash_version != version.name() {
            return Err(format!(
                "its rows were hashed with {}, and now {} is asked for",
                stored.hash_version,
                version.name()
            ));
        }
        let hash = stored.content_hash.parse();
        let hash = hash.map_err(|e| format!("its recorded position cannot be read: {e}"))?;
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
