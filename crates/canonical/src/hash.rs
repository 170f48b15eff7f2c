//! Digests of canonical bytes.
//!
//! [`HashVersion`] names a digest together with the canonical form that it is taken over; [`ContentHash`] is what comes
//! out. A version never changes meaning: other bytes or another digest get a new name. Nothing here knows what was hashed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// A 32-byte digest of canonical bytes. Shown, parsed and serialised as 64 hex digits, lower case.
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
pub struct Hasher(State);

#[derive(Debug, Clone)]
enum State {
    // Boxed: its state is 2 kB, and hashers are kept in enums and maps.
    Blake3(Box<blake3::Hasher>),
    Sha256(Sha256),
}

/// A text that is not 64 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a hash: expected 64 hexadecimal digits")]
pub struct ParseHashError(pub String);

impl HashVersion {
    /// Every version, newest default first.
    pub const ALL: [Self; 2] = [Self::Blake3V1, Self::Sha256V1];

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
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.name() == name)
    }

    /// The digest of `bytes`.
    #[must_use]
    pub fn hash(self, bytes: &[u8]) -> ContentHash {
        match self {
            Self::Blake3V1 => ContentHash(*blake3::hash(bytes).as_bytes()),
            Self::Sha256V1 => ContentHash(Sha256::digest(bytes).into()),
        }
    }

    /// A digest to be fed in pieces.
    #[must_use]
    pub fn hasher(self) -> Hasher {
        Hasher(match self {
            Self::Blake3V1 => State::Blake3(Box::new(blake3::Hasher::new())),
            Self::Sha256V1 => State::Sha256(Sha256::new()),
        })
    }
}

impl Hasher {
    /// Feeds `bytes`.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Blake3(hasher) => {
                hasher.update(bytes);
            }
            State::Sha256(hasher) => hasher.update(bytes),
        }
    }

    /// The digest of everything fed.
    #[must_use]
    pub fn finish(self) -> ContentHash {
        match self.0 {
            State::Blake3(hasher) => ContentHash(*hasher.finalize().as_bytes()),
            State::Sha256(hasher) => ContentHash(hasher.finalize().into()),
        }
    }
}

impl fmt::Display for HashVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair[0] = HEX[usize::from(byte >> 4)];
            pair[1] = HEX[usize::from(byte & 15)];
        }
        f.pad(std::str::from_utf8(&text).expect("hex digits are ASCII"))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ContentHash {
    type Err = ParseHashError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let refused = || ParseHashError(s.chars().take(80).collect());
        if s.len() != 64 {
            return Err(refused());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(s.as_bytes().chunks_exact(2)) {
            let high = hex_digit(pair[0]).ok_or_else(refused)?;
            let low = hex_digit(pair[1]).ok_or_else(refused)?;
            *byte = high << 4 | low;
        }
        Ok(Self(bytes))
    }
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

impl Serialize for ContentHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ContentHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for HashVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for HashVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::from_name(&name)
            .ok_or_else(|| serde::de::Error::custom(format_args!("unknown hash version `{name}`")))
    }
}
