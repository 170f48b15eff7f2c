//! Whom the one who verifies believes: keys, and heads that were remembered. Everything else is proven from there.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use thiserror::Error;

use crate::checkpoint::{BadCheckpoint, Checkpoint};
use crate::key::PublicKey;
use crate::note::{BadNote, Note};
use crate::succession::{BadSuccession, Succession};

/// What is believed without a proof, and the keys that follow from it.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    keys: Vec<PublicKey>,
    heads: Vec<Note>,
    /// Keys that took the place of believed ones, each in the log of that name.
    successors: Vec<(String, PublicKey)>,
}

/// Who stands for a head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vouched {
    /// The keys of these names, which the verifier gave.
    Signed(Vec<String>),
    /// The verifier, who saw it before.
    Remembered,
    /// Nobody whom the verifier named: all that is proven is that the receipt fits the head.
    Nobody,
}

/// Why a head is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadHead {
    /// It is no signed note, or a signature is wrong, or none is by a given key.
    #[error(transparent)]
    Note(#[from] BadNote),
    /// It is a note of something else.
    #[error(transparent)]
    Checkpoint(#[from] BadCheckpoint),
    /// The log had another root at that size.
    #[error("a head of {origin} was remembered that has another root for the same {size} entries")]
    Forked {
        /// Which log.
        origin: String,
        /// At which size.
        size: u64,
    },
}

impl Trust {
    /// Keys whose signatures count in every log, and heads that the verifier saw before, signed or not.
    #[must_use]
    pub const fn new(keys: Vec<PublicKey>, heads: Vec<Note>) -> Self {
        Self { keys, heads, successors: Vec::new() }
    }

    /// The same heads without any key.
    #[must_use]
    pub fn heads_alone(&self) -> Self {
        Self::new(Vec::new(), self.heads.clone())
    }

    /// Believes a key that took the place of one that is believed, in that log; `false` where the one before it is not.
    ///
    /// # Errors
    /// [`BadSuccession`] when the one before it is believed and they did not both sign.
    pub fn follow(&mut self, succession: &Succession) -> Result<bool, BadSuccession> {
        let keys = self.keys_of(&succession.origin);
        let Some(old) = keys.iter().find(|key| key.short_name() == succession.replaces) else {
            return Ok(false);
        };
        succession.verify(old)?;
        self.successors.push((succession.origin.clone(), succession.key.clone()));
        Ok(true)
    }

    /// The keys whose signatures count in every log.
    #[must_use]
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// The keys whose signatures count in the log of that name.
    #[must_use]
    pub fn keys_of(&self, origin: &str) -> Vec<PublicKey> {
        let successors = self.successors.iter().filter(|(of, _)| of == origin).map(|(_, key)| key);
        self.keys.iter().chain(successors).cloned().collect()
    }

    /// Whether nothing is believed at all.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.heads.is_empty()
    }

    /// Reads a head and says who stands for it. Every signature must be valid and by a given key, or stand in the remembered
    /// head of the same text; where keys were given, there must be at least one, or the head remembered.
    ///
    /// # Errors
    /// [`BadHead`] when anything about the head is wrong. That nobody stands for it is none.
    pub fn vouch(&self, head: &str) -> Result<(Checkpoint, Vouched), BadHead> {
        let note: Note = head.parse()?;
        let checkpoint: Checkpoint = note.text().parse()?;
        self.is_no_fork(&checkpoint)?;
        let remembered: Vec<&Note> = self.heads.iter().filter(|known| known.text() == note.text()).collect();
        let keys = self.keys_of(&checkpoint.origin);
        let mut signers = Vec::new();
        for signature in note.signatures() {
            match note.verify_one(signature, &keys) {
                Ok(key) => signers.push(key.name().to_string()),
                Err(BadNote::UnknownKey { .. })
                    if remembered.iter().any(|known| known.signatures().contains(signature)) => {}
                // Without keys, and for a head that was never seen, signatures tell nothing.
                Err(BadNote::UnknownKey { .. }) if self.keys.is_empty() && remembered.is_empty() => {}
                Err(error) => return Err(error.into()),
            }
        }
        let vouched = match (signers.is_empty(), remembered.is_empty()) {
            (false, _) => Vouched::Signed(signers),
            (true, false) => Vouched::Remembered,
            (true, true) if self.keys.is_empty() => Vouched::Nobody,
            (true, true) => return Err(BadNote::Unsigned.into()),
        };
        Ok((checkpoint, vouched))
    }

    fn is_no_fork(&self, head: &Checkpoint) -> Result<(), BadHead> {
        let known = self.heads.iter().filter_map(|note| note.text().parse::<Checkpoint>().ok());
        let mut same_time = known.filter(|known| known.origin == head.origin && known.size == head.size);
        if same_time.any(|known| known.root != head.root) {
            return Err(BadHead::Forked { origin: head.origin.clone(), size: head.size });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Digest;
    use crate::key::SecretKey;

    fn key(name: &str) -> SecretKey {
        SecretKey::from_seed(name, &[name.len() as u8; 32]).unwrap()
    }

    fn head(size: u64, signers: &[&str]) -> Note {
        let root = Digest::Sha256.hash(&[1]);
        let mut note = Note::new(&Checkpoint { origin: "log".to_owned(), size, root }.to_string()).unwrap();
        signers.iter().for_each(|name| note.sign(&key(name)));
        note
    }

    fn vouched(trust: &Trust, head: &Note) -> Result<Vouched, BadHead> {
        trust.vouch(&head.to_string()).map(|(_, vouched)| vouched)
    }

    fn believing(keys: &[&str], heads: &[Note]) -> Trust {
        Trust::new(keys.iter().map(|name| key(name).public().clone()).collect(), heads.to_vec())
    }

    #[test]
    fn keys_stand_for_what_they_alone_signed() {
        let trust = believing(&["a", "bb"], &[]);
        let signed =
            |names: &[&str]| Ok(Vouched::Signed(names.iter().map(|name| (*name).to_owned()).collect()));
        assert_eq!(vouched(&trust, &head(4, &["a"])), signed(&["a"]));
        assert_eq!(vouched(&trust, &head(4, &["bb", "a"])), signed(&["bb", "a"]));
        assert_eq!(vouched(&trust, &head(4, &[])), Err(BadHead::Note(BadNote::Unsigned)));
        let unknown = vouched(&trust, &head(4, &["a", "ccc"]));
        assert!(matches!(unknown, Err(BadHead::Note(BadNote::UnknownKey { name, .. })) if name == "ccc"));
    }

    #[test]
    fn a_remembered_head_needs_no_key_but_its_signatures_must_be_those_remembered() {
        for (remembered, shown) in [(head(4, &[]), head(4, &[])), (head(4, &["a", "bb"]), head(4, &["a"]))] {
            assert_eq!(vouched(&believing(&[], &[remembered]), &shown), Ok(Vouched::Remembered));
        }
        let signed_since = vouched(&believing(&[], &[head(4, &[])]), &head(4, &["a"]));
        assert!(matches!(signed_since, Err(BadHead::Note(BadNote::UnknownKey { .. }))));
        assert_eq!(vouched(&believing(&["a"], &[head(4, &[])]), &head(4, &[])), Ok(Vouched::Remembered));
    }

    #[test]
    fn for_another_head_nobody_stands() {
        assert_eq!(vouched(&Trust::default(), &head(4, &["a"])), Ok(Vouched::Nobody));
        assert_eq!(vouched(&believing(&[], &[head(3, &[])]), &head(4, &["a"])), Ok(Vouched::Nobody));
        assert!(vouched(&believing(&["bb"], &[head(3, &[])]), &head(4, &["a"])).is_err());
    }

    #[test]
    fn another_root_at_a_remembered_size_is_a_fork() {
        let other = Checkpoint { origin: "log".to_owned(), size: 4, root: Digest::Sha256.hash(&[2]) };
        let trust = believing(&["a"], &[Note::new(&other.to_string()).unwrap()]);
        assert_eq!(
            vouched(&trust, &head(4, &["a"])),
            Err(BadHead::Forked { origin: "log".to_owned(), size: 4 })
        );
    }
}
