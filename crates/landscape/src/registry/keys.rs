//! The keys that sign heads of a log, as its own entries tell of them.

use elspeth_contracts::Micros;
use elspeth_proof::{Note, PublicKey, SecretKey};
use thiserror::Error;

use super::entry::{Entry, KeyAdded, KeyRevoked};
use crate::LandscapeError;

/// The keys of a log: the one that signs now, those that did, those that are not to be trusted any more.
///
/// The first key comes by itself; each other takes the place of the one before, which signs that. So whoever trusts one of
/// them trusts all that come after it. A key that was replaced may end what it began (a run under way); one that was revoked may
/// not.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    known: Vec<KnownKey>,
}

/// A key of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownKey {
    /// The key.
    pub key: PublicKey,
    /// Since when.
    pub added_at: Micros,
    /// When it was revoked, and why.
    pub revoked: Option<(Micros, String)>,
    /// The text of the entry by which it took the place of the key before it, for [`elspeth_proof::Succession`]; a first key took
    /// no other's.
    pub succession: Option<String>,
}

/// What a log says to a key that is to sign its heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It never had a key: this one is its first.
    First,
    /// This is the one that signs.
    Current,
}

/// Why a key cannot be used for a log.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyRefused {
    /// Another one signs there.
    #[error(
        "the key {given} is not the one that signs this database's heads, which is {current}; use that one, or let {given} take \
         its place with `elspeth keys rotate`"
    )]
    Other {
        /// The key that was given.
        given: String,
        /// The key that signs.
        current: String,
    },
    /// It was revoked.
    #[error("the key {given} was revoked ({reason}); use {current}, which signs this database's heads now")]
    Revoked {
        /// The key that was given.
        given: String,
        /// Why.
        reason: String,
        /// The key that signs.
        current: String,
    },
    /// There is no such key.
    #[error("{given} is no key of this database; `elspeth keys list` shows those that are")]
    Unknown {
        /// The key that was given.
        given: String,
    },
    /// It signs, so that it cannot be given up yet.
    #[error(
        "the key {given} signs this database's heads; let another take its place first, with `elspeth keys rotate`"
    )]
    StillSigns {
        /// The key that was given.
        given: String,
    },
    /// It was there before.
    #[error(
        "the key {given} was in this database before and cannot come back; make a new one with `elspeth keys generate`"
    )]
    UsedBefore {
        /// The key that was given.
        given: String,
    },
}

impl KnownKey {
    /// Its short name.
    #[must_use]
    pub fn id(&self) -> String {
        self.key.short_name()
    }
}

impl Keys {
    /// All, in the order in which they came.
    #[must_use]
    pub fn all(&self) -> &[KnownKey] {
        &self.known
    }

    /// The one that signs.
    #[must_use]
    pub fn current(&self) -> Option<&KnownKey> {
        self.known.last()
    }

    /// The key of that short name.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&KnownKey> {
        self.known.iter().find(|known| known.id() == id)
    }

    /// Whether it may sign: it is known and was not revoked.
    #[must_use]
    pub fn is_live(&self, key: &PublicKey) -> bool {
        self.known.iter().any(|known| known.key == *key && known.revoked.is_none())
    }

    /// What the log says to a key that is to sign a run from its beginning.
    ///
    /// # Errors
    /// [`KeyRefused`] when another one signs.
    pub fn admit(&self, key: &PublicKey) -> Result<Admission, KeyRefused> {
        let Some(current) = self.current() else { return Ok(Admission::First) };
        if current.key == *key {
            return Ok(Admission::Current);
        }
        let (given, current) = (key.short_name(), current.id());
        match self.find(&given).and_then(|known| known.revoked.as_ref()) {
            Some((_, reason)) => Err(KeyRefused::Revoked { given, reason: reason.clone(), current }),
            None => Err(KeyRefused::Other { given, current }),
        }
    }

    /// The entry with which `new` takes the place of `old`.
    ///
    /// # Errors
    /// [`LandscapeError::Key`] when `old` does not sign, or `new` was there before.
    pub fn rotation(
        &self,
        (origin, now): (&str, Micros),
        old: &SecretKey,
        new: &SecretKey,
    ) -> Result<Entry, LandscapeError> {
        if self.admit(old.public())? == Admission::First {
            return Err(KeyRefused::Unknown { given: old.public().short_name() }.into());
        }
        if self.find(&new.public().short_name()).is_some() {
            return Err(KeyRefused::UsedBefore { given: new.public().short_name() }.into());
        }
        let added = KeyAdded {
            origin: origin.to_owned(),
            key: new.public().to_string(),
            added_at: now,
            replaces: Some(old.public().short_name()),
            signatures: Vec::new(),
        };
        let note = signed(&Entry::KeyAdded(added.clone()), &[old, new])?;
        Ok(Entry::KeyAdded(KeyAdded { signatures: note, ..added }))
    }

    /// The entry with which `by`, which signs, revokes the key of that short name.
    ///
    /// # Errors
    /// [`LandscapeError::Key`] when `by` does not sign, there is no such key, it signs itself, or it was revoked before.
    pub fn revocation(
        &self,
        (origin, now): (&str, Micros),
        by: &SecretKey,
        (key, reason): (&str, &str),
    ) -> Result<Entry, LandscapeError> {
        if self.admit(by.public())? == Admission::First {
            return Err(KeyRefused::Unknown { given: by.public().short_name() }.into());
        }
        self.check_revocable(key, &by.public().short_name())?;
        let revoked = KeyRevoked {
            origin: origin.to_owned(),
            key: key.to_owned(),
            revoked_at: now,
            reason: reason.to_owned(),
            signed_by: by.public().short_name(),
            signatures: Vec::new(),
        };
        let note = signed(&Entry::KeyRevoked(revoked.clone()), &[by])?;
        Ok(Entry::KeyRevoked(KeyRevoked { signatures: note, ..revoked }))
    }

    fn check_revocable(&self, key: &str, current: &str) -> Result<(), KeyRefused> {
        let given = key.to_owned();
        match self.find(key) {
            None => Err(KeyRefused::Unknown { given }),
            Some(known) => match &known.revoked {
                Some((_, reason)) => {
                    Err(KeyRefused::Revoked { given, reason: reason.clone(), current: current.to_owned() })
                }
                None if key == current => Err(KeyRefused::StillSigns { given }),
                None => Ok(()),
            },
        }
    }

    /// Takes in an entry of a log; those that are not about keys change nothing.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn enter(&mut self, origin: &str, entry: &Entry) -> Result<(), String> {
        match entry {
            Entry::KeyAdded(added) => self.add(origin, added, entry),
            Entry::KeyRevoked(revoked) => self.revoke(origin, revoked, entry),
            Entry::Opened(_)
            | Entry::Begun(_)
            | Entry::TakenUp(_)
            | Entry::Head(_)
            | Entry::Sealed(_)
            | Entry::PurgeRequested(_)
            | Entry::Purged(_)
            | Entry::Imported(_) => Ok(()),
        }
    }

    fn add(&mut self, origin: &str, added: &KeyAdded, entry: &Entry) -> Result<(), String> {
        let key: PublicKey = added.key.parse().map_err(|error| format!("its key cannot be read: {error}"))?;
        let current = self.current().map(|current| current.key.clone());
        let signers: Vec<PublicKey> = match &current {
            Some(current) => vec![current.clone(), key.clone()],
            None => Vec::new(),
        };
        if added.origin != origin {
            return Err("it is about another log".to_owned());
        } else if added.replaces != current.as_ref().map(PublicKey::short_name) {
            return Err("it does not take the place of the key before it".to_owned());
        } else if self.find(&key.short_name()).is_some() {
            return Err("its key was there before".to_owned());
        }
        check_signed(entry, &added.signatures, &signers)?;
        let succession = current.map(|_| entry.text().map_err(|error| error.to_string())).transpose()?;
        self.known.push(KnownKey { key, added_at: added.added_at, revoked: None, succession });
        Ok(())
    }

    fn revoke(&mut self, origin: &str, revoked: &KeyRevoked, entry: &Entry) -> Result<(), String> {
        let Some(current) = self.current().map(|current| current.key.clone()) else {
            return Err("there is no key that could say so".to_owned());
        };
        if revoked.origin != origin {
            return Err("it is about another log".to_owned());
        } else if revoked.signed_by != current.short_name() {
            return Err("it is not by the key that signs then".to_owned());
        } else if self.check_revocable(&revoked.key, &revoked.signed_by).is_err() {
            return Err("its key is not one that could be revoked then".to_owned());
        }
        check_signed(entry, &revoked.signatures, &[current])?;
        for known in self.known.iter_mut().filter(|known| known.id() == revoked.key) {
            known.revoked = Some((revoked.revoked_at, revoked.reason.clone()));
        }
        Ok(())
    }
}

/// The signature lines of these keys over what is signed of an entry.
fn signed(entry: &Entry, keys: &[&SecretKey]) -> Result<Vec<String>, LandscapeError> {
    let mut note = Note::new(&(entry.statement()? + "\n")).expect("JSON has no control characters");
    keys.iter().for_each(|key| note.sign(key));
    Ok(note.signatures().iter().map(elspeth_proof::NoteSignature::line).collect())
}

/// Exactly these keys signed, in this order.
fn check_signed(entry: &Entry, lines: &[String], keys: &[PublicKey]) -> Result<(), String> {
    let statement = entry.statement().map_err(|error| error.to_string())? + "\n";
    if lines.len() != keys.len() {
        return Err(format!("it has {} signatures instead of {}", lines.len(), keys.len()));
    }
    for (line, key) in lines.iter().zip(keys) {
        let note: Result<Note, _> = format!("{statement}\n{line}\n").parse();
        let by = note.and_then(|note| note.verify(std::slice::from_ref(key)).map(|by| by.len()));
        if by != Ok(1) {
            return Err(format!("the key {} did not sign it", key.short_name()));
        }
    }
    Ok(())
}
