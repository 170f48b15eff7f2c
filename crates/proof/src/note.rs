//! Signed notes as C2SP defines them (<https://c2sp.org/signed-note>): a text and lines with signatures over it. Ed25519
//! only. Which keys are to be trusted is said by the caller.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use crate::key::{KeyId, PublicKey, SecretKey, is_name};

/// What a signature line begins with: an em dash and a space.
const MARK: &str = "\u{2014} ";

/// Why a text is not that of a note, or its signatures are worth nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadNote {
    /// A text that cannot be signed: without newline at its end, or with control characters.
    #[error("the text of a note ends with a newline and has no control characters")]
    Text,
    /// What should be lines of signatures is not.
    #[error("line {0} of the signatures is not `\u{2014} <key name> <base64 of id and signature>`")]
    Line(usize),
    /// Two signatures by one key.
    #[error("the key {0} signed twice")]
    Twice(String),
    /// Nobody signed.
    #[error("nobody signed it")]
    Unsigned,
    /// Signed by a key that was not given.
    #[error("signed with the key {name} ({id}), which is none of those given")]
    UnknownKey {
        /// Whose.
        name: String,
        /// Which.
        id: KeyId,
    },
    /// A signature by a given key is wrong.
    #[error("the signature of the key {0} is wrong")]
    Signature(String),
}

/// One signature of a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    name: String,
    id: KeyId,
    bytes: [u8; 64],
}

impl NoteSignature {
    /// Whose key is said to have signed.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which key.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// Whether that key is the one that is said to have signed.
    #[must_use]
    pub fn is_by(&self, key: &PublicKey) -> bool {
        self.id == key.id() && self.name == key.name()
    }

    /// Its line without the newline.
    #[must_use]
    pub fn line(&self) -> String {
        let mut bytes = Vec::from(self.id.0);
        bytes.extend_from_slice(&self.bytes);
        let mut line = String::from(MARK);
        line.push_str(&self.name);
        line.push(' ');
        STANDARD.encode_string(bytes, &mut line);
        line
    }

    fn parse(line: &str) -> Option<Self> {
        let (name, encoded) = line.strip_prefix(MARK)?.split_once(' ')?;
        // The engine refuses padding bits that are not 0, so there is one text for these bytes.
        let bytes = STANDARD.decode(encoded).ok().filter(|_| is_name(name))?;
        let (id, bytes) = bytes.split_at_checked(4)?;
        Some(Self { name: name.to_string(), id: KeyId(id.try_into().ok()?), bytes: bytes.try_into().ok()? })
    }
}

/// A text, with or without signatures. Equal notes have equal bytes: parsing and printing change nothing.
///
/// ```
/// use elspeth_proof::{Note, SecretKey};
///
/// let key = SecretKey::from_seed("example.org/log", &[7; 32]).unwrap();
/// let mut note = Note::new("a line to be signed\n").unwrap();
/// note.sign(&key);
/// let read: Note = note.to_string().parse().unwrap();
/// assert!(read.verify(&[key.public().clone()]).is_ok());
/// assert!(read.verify(&[]).is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl Note {
    /// A note that nobody signed yet.
    ///
    /// # Errors
    /// [`BadNote::Text`] for a text that cannot be one.
    pub fn new(text: &str) -> Result<Self, BadNote> {
        let sound = text.ends_with('\n') && !text.chars().any(|c| c.is_control() && c != '\n');
        if sound { Ok(Self { text: text.to_string(), signatures: Vec::new() }) } else { Err(BadNote::Text) }
    }

    /// What is signed, with its last newline.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures as they are, whoever made them.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Signs it; a signature that this key made before is replaced.
    pub fn sign(&mut self, key: &SecretKey) {
        let public = key.public();
        self.signatures.retain(|signature| !signature.is_by(public));
        self.signatures.push(NoteSignature {
            name: public.name().to_string(),
            id: public.id(),
            bytes: key.sign(self.text.as_bytes()),
        });
    }

    /// The keys that signed, in the order of their lines: at least one. Every signature must be by one of `keys`.
    ///
    /// # Errors
    /// [`BadNote`] when a signature is wrong, by another key, or there is none.
    pub fn verify<'k>(&self, keys: &'k [PublicKey]) -> Result<Vec<&'k PublicKey>, BadNote> {
        if self.signatures.is_empty() {
            return Err(BadNote::Unsigned);
        }
        self.signatures.iter().map(|signature| self.verify_one(signature, keys)).collect()
    }

    /// The key that made this signature of the note.
    ///
    /// # Errors
    /// [`BadNote`] when it is wrong or by none of the keys.
    pub fn verify_one<'k>(
        &self,
        signature: &NoteSignature,
        keys: &'k [PublicKey],
    ) -> Result<&'k PublicKey, BadNote> {
        let mut named = keys.iter().filter(|key| signature.is_by(key)).peekable();
        if named.peek().is_none() {
            return Err(BadNote::UnknownKey { name: signature.name.clone(), id: signature.id });
        }
        named
            .find(|key| key.accepts(self.text.as_bytes(), &signature.bytes))
            .ok_or_else(|| BadNote::Signature(signature.name.clone()))
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        if !self.signatures.is_empty() {
            f.write_str("\n")?;
        }
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{}", signature.line()))
    }
}

impl FromStr for Note {
    type Err = BadNote;

    /// The signatures are what stands behind the last empty line, when that begins with their mark.
    fn from_str(whole: &str) -> Result<Self, BadNote> {
        let Some(at) = whole.rfind("\n\n").filter(|at| whole[at + 2..].starts_with(MARK)) else {
            return Self::new(whole);
        };
        let mut note = Self::new(&whole[..=at])?;
        for (number, line) in whole[at + 2..].split_inclusive('\n').enumerate() {
            let signature = line.strip_suffix('\n').and_then(NoteSignature::parse);
            let signature = signature.ok_or(BadNote::Line(number + 1))?;
            if note.signatures.iter().any(|other| other.id == signature.id && other.name == signature.name) {
                return Err(BadNote::Twice(signature.name));
            }
            note.signatures.push(signature);
        }
        Ok(note)
    }
}

#[cfg(test)]
mod tests;
