use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A 32-byte digest of canonical bytes. Shown as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// Wraps a digest that was computed or stored elsewhere.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Which digest over which canonical form. The name is stored with every run; changed bytes mean a new version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum HashVersion {
    /// `blake3-rfc8785-v1`, the default.
    #[default]
    Blake3V1,
    /// `sha256-rfc8785-v1`, the Python system's.
    Sha256V1,
}

/// An incremental digest of one [`HashVersion`].
#[derive(Debug, Clone)]
pub struct Hasher;

/// A text that is not 64 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a hash: expected 64 hexadecimal digits")]
pub struct ParseHashError(pub String);

impl HashVersion {
    /// The stored name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Blake3V1 => "blake3-rfc8785-v1",
            Self::Sha256V1 => "sha256-rfc8785-v1",
        }
    }

    /// The version of that stored name, if there is one.
    #[must_use]
    pub fn from_name(_name: &str) -> Option<Self> {
        todo!()
    }

    /// The digest of `bytes`.
    #[must_use]
    pub fn hash(self, _bytes: &[u8]) -> ContentHash {
        todo!()
    }

    /// A digest to be fed in pieces.
    #[must_use]
    pub fn hasher(self) -> Hasher {
        todo!()
    }
}

impl Hasher {
    /// Feeds `bytes`.
    pub fn update(&mut self, _bytes: &[u8]) {
        todo!()
    }

    /// The digest of everything fed.
    #[must_use]
    pub fn finish(self) -> ContentHash {
        todo!()
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ContentHash {
    type Err = ParseHashError;

    fn from_str(_s: &str) -> Result<Self, Self::Err> {
        todo!()
    }
}
