//! Ed25519 keys in the text form of C2SP signed notes (that of Go's `sumdb/note`, so that its tools read ours): making,
//! reading and printing them. Knows no files and no randomness: a seed is given by the caller.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::hash::{from_hex, to_hex};

/// The signature type of Ed25519.
const ED25519: u8 = 1;
/// What the text of a secret key begins with.
const SECRET: &str = "PRIVATE+KEY+";

/// Why a text or name is not that of a key. It never shows the text, which may be a secret one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BadKey {
    /// A name is empty, or has a space, a control character or a plus sign.
    #[error("a key's name is not empty and has no spaces, no control characters and no `+`")]
    Name,
    /// Not the form of a public key.
    #[error("not a public key: expected `<name>+<8 hex digits>+<base64>`")]
    PublicForm,
    /// Not the form of a secret key.
    #[error("not a secret key: expected `PRIVATE+KEY+<name>+<8 hex digits>+<base64>`")]
    SecretForm,
    /// Another signature type, or no point of the curve.
    #[error("not an Ed25519 key")]
    NotEd25519,
    /// The id in the text is not that of name and key.
    #[error("the id in the key's text is not that of its name and key: a character was changed")]
    Id,
}

/// Whether a key can have that name.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c == '+' || c.is_whitespace() || c.is_control())
}

/// Which key, for a signature to say: the first four bytes of SHA-256 over name, newline, 0x01 and public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub(crate) [u8; 4]);

impl KeyId {
    fn of(name: &str, key: &VerifyingKey) -> Self {
        let digest: [u8; 32] = Sha256::new_with_prefix(name.as_bytes())
            .chain_update([b'\n', ED25519])
            .chain_update(key.as_bytes())
            .finalize()
            .into();
        Self([digest[0], digest[1], digest[2], digest[3]])
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&to_hex(&self.0))
    }
}

/// A key that signatures are checked with. Its text is `<name>+<id>+<base64(0x01 ‖ public key)>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    name: String,
    id: KeyId,
    key: VerifyingKey,
}

impl PublicKey {
    fn new(name: String, key: VerifyingKey) -> Result<Self, BadKey> {
        if !is_name(&name) {
            return Err(BadKey::Name);
        }
        let id = KeyId::of(&name, &key);
        Ok(Self { name, id, key })
    }

    /// Whose it is.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its id, as signatures name it beside the name.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// What it is called where it is told from others: `<name>+<8 hex digits>`.
    #[must_use]
    pub fn short_name(&self) -> String {
        format!("{}+{}", self.name, self.id)
    }

    /// Whether this is its signature over `message`. Strict: no second form of a signature passes, and no weak key.
    #[must_use]
    pub fn accepts(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.key.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}+{}", self.name, self.id, encoded(self.key.as_bytes()))
    }
}

impl FromStr for PublicKey {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        let (name, id, bytes) = parts(text).ok_or(BadKey::PublicForm)?;
        let key = decoded(bytes).ok_or(BadKey::NotEd25519)?;
        let key = VerifyingKey::from_bytes(&key).map_err(|_| BadKey::NotEd25519)?;
        let key = Self::new(name.to_string(), key)?;
        if key.id == id { Ok(key) } else { Err(BadKey::Id) }
    }
}

/// A key that signs. Its text ([`SecretKey::to_text`]) is `PRIVATE+KEY+<name>+<id>+<base64(0x01 ‖ seed)>`; debug output
/// shows the public one.
#[derive(Clone)]
pub struct SecretKey {
    public: PublicKey,
    key: SigningKey,
}

impl SecretKey {
    /// The key of that seed, which must be 32 bytes that nobody can guess.
    ///
    /// # Errors
    /// [`BadKey::Name`] when no key can have that name.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, BadKey> {
        let key = SigningKey::from_bytes(seed);
        Ok(Self { public: PublicKey::new(name.to_string(), key.verifying_key())?, key })
    }

    /// The key for those who check.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Its signature over `message`.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }

    /// Its text, which is as secret as the key.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{SECRET}{}+{}+{}", self.public.name, self.public.id, encoded(self.key.as_bytes()))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.public)
    }
}

impl FromStr for SecretKey {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        let (name, id, bytes) = text.strip_prefix(SECRET).and_then(parts).ok_or(BadKey::SecretForm)?;
        let key = Self::from_seed(name, &decoded(bytes).ok_or(BadKey::NotEd25519)?)?;
        if key.public.id == id { Ok(key) } else { Err(BadKey::Id) }
    }
}

/// Name, id and the base64 of `<name>+<id>+<base64>`; base64 itself has plus signs.
fn parts(text: &str) -> Option<(&str, KeyId, &str)> {
    let (name, rest) = text.split_once('+')?;
    let (id, bytes) = rest.split_once('+')?;
    Some((name, KeyId(from_hex(id)?), bytes))
}

fn encoded(key: &[u8; 32]) -> String {
    let mut bytes = Vec::from([ED25519]);
    bytes.extend_from_slice(key);
    STANDARD.encode(bytes)
}

fn decoded(text: &str) -> Option<[u8; 32]> {
    let bytes = STANDARD.decode(text).ok()?;
    let (kind, key) = bytes.split_first()?;
    if *kind == ED25519 { key.try_into().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The example of Go's documentation of `sumdb/note`.
    const SECRET_TEXT: &str =
        "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    const PUBLIC_TEXT: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

    #[test]
    fn keys_have_the_text_that_go_gives_them() {
        let secret: SecretKey = SECRET_TEXT.parse().unwrap();
        assert_eq!(secret.public().to_string(), PUBLIC_TEXT);
        assert_eq!(secret.to_text(), SECRET_TEXT);
        assert_eq!(PUBLIC_TEXT.parse::<PublicKey>().unwrap(), *secret.public());
        assert_eq!(secret.public().id().to_string(), "c74f20a3");
        assert!(!format!("{secret:?}").contains("AYEKFALV"));
    }

    #[test]
    fn a_text_with_any_bit_changed_is_no_key() {
        for (text, is_secret) in [(PUBLIC_TEXT, false), (SECRET_TEXT, true)] {
            for at in 0..text.len() * 8 {
                let mut bytes = text.as_bytes().to_vec();
                bytes[at / 8] ^= 1 << (at % 8);
                let Ok(changed) = core::str::from_utf8(&bytes) else { continue };
                let refused = if is_secret {
                    changed.parse::<SecretKey>().is_err()
                } else {
                    changed.parse::<PublicKey>().is_err()
                };
                assert!(refused, "{changed}");
            }
        }
    }

    #[test]
    fn a_part_of_a_text_is_no_key() {
        for from in 0..PUBLIC_TEXT.len() {
            for to in from..PUBLIC_TEXT.len() + usize::from(from > 0) {
                assert!(PUBLIC_TEXT[from..to].parse::<PublicKey>().is_err());
            }
        }
        // Of another type, and too long, with ids that fit.
        for text in [
            "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        ] {
            assert_eq!(text.parse::<PublicKey>(), Err(BadKey::NotEd25519));
        }
    }

    #[test]
    fn a_name_that_would_break_the_text_is_refused() {
        for name in ["", "a b", "a+b", "a\u{2003}b", "a\nb", "a\u{7f}b"] {
            assert_eq!(SecretKey::from_seed(name, &[7; 32]).unwrap_err(), BadKey::Name, "{name:?}");
        }
        assert!(SecretKey::from_seed("example.org/aufträge", &[7; 32]).is_ok());
    }
}
