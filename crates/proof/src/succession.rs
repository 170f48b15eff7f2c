//! That a key took the place of another in a log: the log's own entry of that, which both keys signed.

use alloc::string::{String, ToString as _};

use thiserror::Error;

use crate::json::Json;
use crate::key::{BadKey, PublicKey};
use crate::note::{BadNote, Note};
use crate::shape::{BadShape, fields, list, text};

/// An entry `key_added` that names the key before it. Equal entries have equal texts: RFC 8785 and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Succession {
    /// The log that it is about, and no other.
    pub origin: String,
    /// The short name of the key before it.
    pub replaces: String,
    /// The key that signs from there on.
    pub key: PublicKey,
    note: Note,
}

/// A text that is no such entry, or one that was not signed as it says.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadSuccession {
    /// Not an entry of that form.
    #[error(transparent)]
    Shape(#[from] BadShape),
    /// Its key is none.
    #[error("its key cannot be read: {0}")]
    Key(#[from] BadKey),
    /// A signature is none, or wrong.
    #[error(transparent)]
    Note(#[from] BadNote),
    /// Not the old key and the new one signed it, in this order.
    #[error("it is not signed by {replaces} and {key}")]
    Signers {
        /// The short name of the key before it.
        replaces: String,
        /// The short name of the key that takes its place.
        key: String,
    },
}

impl Succession {
    /// Reads an entry, without its newline.
    ///
    /// # Errors
    /// [`BadSuccession`] for every other text. Whether the signatures are right is not looked at.
    pub fn parse(entry: &str) -> Result<Self, BadSuccession> {
        let json = Json::parse(entry).map_err(BadShape::from)?;
        let [added_at, kind, key, origin, replaces, signatures] =
            fields(&json, "entry", ["added_at", "entry", "key", "origin", "replaces", "signatures"])?;
        if !matches!(added_at, Json::Integer(_)) || text(kind, "entry")? != "key_added" {
            return Err(BadShape::Field("entry").into());
        }
        let mut signed = statement(&json) + "\n\n";
        for line in list(signatures, "signatures")? {
            signed.push_str(text(line, "signatures")?);
            signed.push('\n');
        }
        Ok(Self {
            origin: text(origin, "origin")?.to_string(),
            replaces: text(replaces, "replaces")?.to_string(),
            key: text(key, "key")?.parse()?,
            note: signed.parse()?,
        })
    }

    /// Whether that key and the new one signed it.
    ///
    /// # Errors
    /// [`BadSuccession`] when they did not.
    pub fn verify(&self, old: &PublicKey) -> Result<(), BadSuccession> {
        let by: [&PublicKey; 2] = [old, &self.key];
        let signatures = self.note.signatures();
        let signed =
            signatures.len() == by.len() && signatures.iter().zip(by).all(|(line, key)| line.is_by(key));
        if !signed {
            return Err(BadSuccession::Signers {
                replaces: self.replaces.clone(),
                key: self.key.short_name(),
            });
        }
        self.note.verify(&by.map(PublicKey::clone))?;
        Ok(())
    }
}

/// What is signed: the entry without its signatures.
fn statement(json: &Json) -> String {
    let Json::Object(entries) = json else { return String::new() };
    Json::Object(entries.iter().filter(|(name, _)| name != "signatures").cloned().collect()).to_text()
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;
    use alloc::vec::Vec;

    use super::*;
    use crate::SecretKey;

    fn key(name: &str) -> SecretKey {
        SecretKey::from_seed(name, &[name.len() as u8; 32]).unwrap()
    }

    /// The entry of a log by which a key takes another's place, signed by these.
    fn entry((old, new): (&str, &str), signers: &[&str]) -> String {
        let (replaces, new) = (key(old).public().short_name(), key(new).public().to_string());
        let text = format!(
            r#"{{"added_at":7,"entry":"key_added","key":"{new}","origin":"log","replaces":"{replaces}""#
        );
        let mut note = Note::new(&format!("{text}}}\n")).unwrap();
        signers.iter().for_each(|name| note.sign(&key(name)));
        let lines: Vec<String> =
            note.signatures().iter().map(|line| format!(r#""{}""#, line.line())).collect();
        format!(r#"{text},"signatures":[{}]}}"#, lines.join(","))
    }

    #[test]
    fn both_keys_sign_it_the_old_one_first() {
        let sound = Succession::parse(&entry(("a", "bb"), &["a", "bb"])).unwrap();
        assert_eq!((&*sound.origin, sound.replaces.clone()), ("log", key("a").public().short_name()));
        assert_eq!(sound.verify(key("a").public()), Ok(()));
        for signers in [&["a"][..], &["bb"], &["bb", "a"], &["a", "ccc"], &["a", "bb", "ccc"], &[]] {
            let read = Succession::parse(&entry(("a", "bb"), signers));
            assert!(read.is_err() || read.unwrap().verify(key("a").public()).is_err(), "{signers:?}");
        }
        assert!(sound.verify(key("ccc").public()).is_err());
    }

    #[test]
    fn no_other_byte_passes() {
        let sound = entry(("a", "bb"), &["a", "bb"]);
        for at in 0..sound.len() {
            let mut bytes = sound.clone().into_bytes();
            bytes[at] ^= 1;
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            let read = Succession::parse(&changed);
            let passes = read.is_ok_and(|read| read.verify(key("a").public()).is_ok());
            assert!(!passes, "byte {at}: {changed}");
        }
        for text in
            ["", "{}", "[]", "null", &format!("{sound}\n"), &sound.replace("key_added", "key_revoked")]
        {
            assert!(Succession::parse(text).is_err(), "{text}");
        }
    }
}
