//! The two digests of the record, and what RFC 9162 (2.1.1) hashes with them. Knows no trees.

use alloc::string::String;
use core::fmt;

use sha2::{Digest as _, Sha256};

/// What the bytes of a leaf begin with, so that no leaf can be taken for an inner node.
const LEAF: u8 = 0;
/// What the bytes of an inner node begin with.
const NODE: u8 = 1;

/// A digest's 32 bytes. Shown as 64 lower-case hex digits, and read from nothing else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// Wraps a digest that was made elsewhere.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The hash of that text; `None` for everything but 64 lower-case hex digits.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        from_hex(text).map(Self)
    }
}

/// The bytes of lower-case hex digits.
pub(crate) fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = hex_digit(pair[0])? << 4 | hex_digit(pair[1])?;
    }
    Some(bytes)
}

const fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// Lower-case hex digits.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
    }
    text
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&to_hex(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Which digest, under the name that a run has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digest {
    /// `blake3-rfc8785-v1`.
    Blake3,
    /// `sha256-rfc8785-v1`; also that of the registry, whatever its runs have.
    Sha256,
}

impl Digest {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Blake3, Self::Sha256];

    /// The name of the hash version.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Blake3 => "blake3-rfc8785-v1",
            Self::Sha256 => "sha256-rfc8785-v1",
        }
    }

    /// The digest of the hash version with that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|digest| digest.name() == name)
    }

    /// The digest of `bytes`.
    #[must_use]
    pub fn hash(self, bytes: &[u8]) -> Hash {
        Hash(match self {
            Self::Blake3 => *blake3::hash(bytes).as_bytes(),
            Self::Sha256 => Sha256::digest(bytes).into(),
        })
    }

    /// The hash of the leaf with these bytes: of 0x00 and the bytes.
    #[must_use]
    pub fn leaf(self, bytes: &[u8]) -> Hash {
        self.joined(&[LEAF], bytes, &[])
    }

    /// The hash of an inner node: of 0x01, the root on the left and the root on the right.
    #[must_use]
    pub fn node(self, left: Hash, right: Hash) -> Hash {
        self.joined(&[NODE], &left.0, &right.0)
    }

    /// The root of a tree without leaves.
    #[must_use]
    pub fn empty(self) -> Hash {
        self.hash(&[])
    }

    fn joined(self, first: &[u8], second: &[u8], third: &[u8]) -> Hash {
        Hash(match self {
            Self::Blake3 => {
                let mut hasher = blake3::Hasher::new();
                hasher.update(first).update(second).update(third);
                *hasher.finalize().as_bytes()
            }
            Self::Sha256 => {
                let hasher = Sha256::new_with_prefix(first).chain_update(second).chain_update(third);
                hasher.finalize().into()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString as _;

    use super::*;

    #[test]
    fn a_hash_is_read_from_its_own_text_only() {
        let hash = Digest::Sha256.empty();
        let text = hash.to_string();
        assert_eq!(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(Hash::from_hex(&text), Some(hash));
        for other in [text.to_uppercase(), text[1..].to_owned(), format!(" {}", &text[1..]), "+".repeat(64)] {
            assert_eq!(Hash::from_hex(&other), None, "{other}");
        }
    }

    #[test]
    fn leaves_and_nodes_have_their_prefix() {
        for digest in Digest::ALL {
            let leaf = digest.leaf(b"x");
            assert_eq!(leaf, digest.hash(b"\0x"));
            let mut bytes = vec![1];
            bytes.extend_from_slice(leaf.as_bytes());
            bytes.extend_from_slice(digest.empty().as_bytes());
            assert_eq!(digest.node(leaf, digest.empty()), digest.hash(&bytes));
            assert_eq!(Digest::from_name(digest.name()), Some(digest));
        }
    }
}
