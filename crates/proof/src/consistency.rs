//! That a log was only appended to between two of its heads.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use thiserror::Error;

use crate::checkpoint::Checkpoint;
use crate::hash::{Digest, Hash};
use crate::merkle::{BadProof, verify_consistency};
use crate::shape::{self, BadShape};
use crate::trust::{BadHead, Trust, Vouched};

/// What a file says that it is.
const FORMAT: &str = "elspeth-consistency-v1";

/// Two heads of one log, and the proof that the second continues the first.
///
/// ```
/// use elspeth_proof::{Checkpoint, Consistency, Digest, Note, Trust, merkle};
///
/// let leaves = [1_u8, 2, 3].map(|n| Digest::Sha256.leaf(&[n]));
/// let head = |size: usize| {
///     let mut tree = merkle::Tree::new(Digest::Sha256);
///     leaves[..size].iter().for_each(|leaf| tree.push(*leaf));
///     Checkpoint { origin: "log".into(), size: tree.size(), root: tree.root() }.to_string()
/// };
/// let proof = merkle::prove_consistency(Digest::Sha256, &leaves, 2);
/// let consistency = Consistency { first: head(2), second: head(3), proof };
/// let read = Consistency::parse(&consistency.to_text())?;
/// let trust = Trust::new(Vec::new(), vec![Note::new(&head(2)).unwrap()]);
/// assert!(read.verify(&trust)?.is_vouched());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consistency {
    /// The head that is continued, as it was published.
    pub first: String,
    /// The head that continues it.
    pub second: String,
    /// The hashes of RFC 9162 (2.1.4.1).
    pub proof: Vec<Hash>,
}

/// What was proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Continued {
    /// The log as it was.
    pub first: Checkpoint,
    /// Who stands for that.
    pub first_vouched: Vouched,
    /// The log as it became.
    pub second: Checkpoint,
    /// Who stands for that.
    pub second_vouched: Vouched,
}

impl Continued {
    /// Whether it rests on anybody's word. A head for which nobody stands will do where the other one was remembered: it is
    /// a beginning of that one, or continues it.
    #[must_use]
    pub fn is_vouched(&self) -> bool {
        let [first, second] = [&self.first_vouched, &self.second_vouched];
        match (first, second) {
            (Vouched::Remembered, _) | (_, Vouched::Remembered) => true,
            (Vouched::Nobody, _) | (_, Vouched::Nobody) => false,
            (Vouched::Signed(_), Vouched::Signed(_)) => true,
        }
    }
}

/// Why nothing is proven.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadConsistency {
    /// Not a file of this format.
    #[error(transparent)]
    Shape(#[from] BadShape),
    /// A head is not to be believed.
    #[error("the {which} head: {error}")]
    Head {
        /// Which of the two.
        which: &'static str,
        /// Why.
        error: BadHead,
    },
    /// They are heads of two logs.
    #[error("the heads are those of two logs")]
    Origin,
    /// The second head does not continue the first.
    #[error("the second head does not continue the first: {0}")]
    Proof(#[from] BadProof),
}

impl Consistency {
    /// The file's text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let json = shape::object([
            ("first", shape::of_text(&*self.first)),
            ("format", shape::of_text(FORMAT)),
            ("proof", shape::of_hashes(&self.proof)),
            ("second", shape::of_text(&*self.second)),
        ]);
        json.to_text() + "\n"
    }

    /// What the file with that text says.
    ///
    /// # Errors
    /// [`BadConsistency::Shape`] for every other text.
    pub fn parse(text: &str) -> Result<Self, BadConsistency> {
        let json = shape::of_file(text)?;
        let [first, format, proof, second] =
            shape::fields(&json, "file", ["first", "format", "proof", "second"])?;
        if shape::text(format, "format")? != FORMAT {
            return Err(BadShape::Field("format").into());
        }
        Ok(Self {
            first: shape::text(first, "first")?.to_string(),
            second: shape::text(second, "second")?.to_string(),
            proof: shape::hashes(proof, "proof")?,
        })
    }

    /// Checks that the second head continues the first, and says who stands for them.
    ///
    /// # Errors
    /// [`BadConsistency`] when anything is wrong.
    pub fn verify(&self, trust: &Trust) -> Result<Continued, BadConsistency> {
        let vouch =
            |which, head: &str| trust.vouch(head).map_err(|error| BadConsistency::Head { which, error });
        let (first, first_vouched) = vouch("first", &self.first)?;
        let (second, second_vouched) = vouch("second", &self.second)?;
        if first.origin != second.origin {
            return Err(BadConsistency::Origin);
        }
        // The registry hashes with SHA-256, as other logs do.
        verify_consistency(
            Digest::Sha256,
            (first.size, first.root),
            (second.size, second.root),
            &self.proof,
        )?;
        Ok(Continued { first, first_vouched, second, second_vouched })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SecretKey;
    use crate::merkle::{Tree, prove_consistency};
    use crate::note::Note;

    fn log(origin: &str, size: usize) -> (Vec<Hash>, Note) {
        let leaves: Vec<_> = (0..size).map(|n| Digest::Sha256.leaf(&n.to_be_bytes())).collect();
        let mut tree = Tree::new(Digest::Sha256);
        leaves.iter().for_each(|leaf| tree.push(*leaf));
        let head = Checkpoint { origin: origin.to_owned(), size: tree.size(), root: tree.root() };
        (leaves, Note::new(&head.to_string()).unwrap())
    }

    fn key() -> SecretKey {
        SecretKey::from_seed("log", &[3; 32]).unwrap()
    }

    fn signed(first: usize, second: usize) -> Consistency {
        let (leaves, mut later) = log("log", second);
        let (_, mut earlier) = log("log", first);
        earlier.sign(&key());
        later.sign(&key());
        let proof = prove_consistency(Digest::Sha256, &leaves, first);
        Consistency { first: earlier.to_string(), second: later.to_string(), proof }
    }

    fn trust() -> Trust {
        Trust::new(vec![key().public().clone()], Vec::new())
    }

    #[test]
    fn no_bit_of_the_file_can_be_changed() {
        let text = signed(5, 13).to_text();
        let accepted = |text: &str| Consistency::parse(text).is_ok_and(|it| it.verify(&trust()).is_ok());
        assert!(accepted(&text));
        for at in 0..text.len() * 8 {
            let mut bytes = text.clone().into_bytes();
            bytes[at / 8] ^= 1 << (at % 8);
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            assert!(!accepted(&changed), "{changed}");
        }
    }

    #[test]
    fn heads_of_two_logs_prove_nothing() {
        let (_, mut other) = log("other", 5);
        other.sign(&key());
        let mixed = Consistency { first: other.to_string(), ..signed(5, 13) };
        assert_eq!(mixed.verify(&trust()), Err(BadConsistency::Origin));
    }

    #[test]
    fn one_remembered_head_is_enough_and_none_is_not() {
        let consistency = signed(5, 13);
        for size in [5, 13] {
            let mut remembered = log("log", size).1;
            remembered.sign(&key());
            let trust = Trust::new(Vec::new(), vec![remembered]);
            assert!(consistency.verify(&trust).unwrap().is_vouched(), "{size}");
        }
        let unrelated = Trust::new(Vec::new(), vec![log("log", 7).1]);
        assert!(!consistency.verify(&unrelated).unwrap().is_vouched());
        assert!(!consistency.verify(&Trust::default()).unwrap().is_vouched());
        assert!(consistency.verify(&trust()).unwrap().is_vouched());
    }
}
