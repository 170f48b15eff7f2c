use elspeth_canonical::{ContentHash, HashVersion};
use elspeth_proof::{Checkpoint, Hash, Note, SecretKey};

use super::Entry;
use crate::LandscapeError;
use crate::integrity::{MerkleTree, TreeState};

/// The digest of the registry's tree, whatever its runs have.
const DIGEST: HashVersion = HashVersion::Sha256V1;
/// What the bytes of a leaf begin with (RFC 9162, 2.1.1).
const LEAF_PREFIX: u8 = 0;

/// Who signs heads.
#[derive(Debug, Clone, Copy)]
pub struct Signer<'a> {
    /// Of which log.
    pub origin: &'a str,
    /// With which key.
    pub key: &'a SecretKey,
}

/// What is to be stored of an entry that was appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// Its number.
    pub number: u64,
    /// Its text.
    pub text: String,
    /// The frontier after it.
    pub peaks: Vec<u8>,
    /// The signed head after it.
    pub note: Option<String>,
}

/// The log up to some entry: how many there are, and the frontier of their tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    tree: MerkleTree,
}

impl Log {
    /// Without an entry.
    #[must_use]
    pub const fn empty() -> Self {
        Self { tree: MerkleTree::new(DIGEST) }
    }

    /// As it is after so many entries, from what is stored beside the last of them; `None` when no log has such a frontier.
    #[must_use]
    pub fn from_stored(size: u64, peaks: &[u8]) -> Option<Self> {
        let (peaks, rest) = peaks.as_chunks::<32>();
        let frontier = peaks.iter().map(|peak| ContentHash::from_bytes(*peak)).collect();
        let tree = MerkleTree::from_state(DIGEST, TreeState { size, frontier })?;
        rest.is_empty().then_some(Self { tree })
    }

    /// Appends an entry. Where there is a signer, it says so in the entries after which a head is signed, and signs it; an entry
    /// about keys is always followed by a signed head.
    ///
    /// # Errors
    /// As [`Entry::text`].
    pub fn enter(
        &mut self,
        mut entry: Entry,
        signer: Option<Signer<'_>>,
    ) -> Result<Appended, LandscapeError> {
        let signer = signer.filter(|signer| match entry.signer_mut() {
            Some(signed_by) => {
                *signed_by = Some(signer.key.public().short_name());
                true
            }
            None => entry.is_about_keys(),
        });
        let (number, text) = (self.size(), entry.text()?);
        self.append(&text);
        let note = signer.map(|signer| self.signed(&signer));
        Ok(Appended { number, text, peaks: self.peaks(), note })
    }

    /// The log's head, as a checkpoint.
    #[must_use]
    pub fn head(&self, origin: &str) -> Checkpoint {
        let root = Hash::from_bytes(*self.root().as_bytes());
        Checkpoint { origin: origin.to_owned(), size: self.size(), root }
    }

    fn signed(&self, signer: &Signer<'_>) -> String {
        let text = self.head(signer.origin).to_string();
        let mut note = Note::new(&text).expect("origins, numbers and base64 have no control characters");
        note.sign(signer.key);
        note.to_string()
    }

    /// Takes in the next entry's text.
    pub fn append(&mut self, text: &str) {
        self.tree.push(Self::leaf(text));
    }

    /// The hash of an entry's text as a leaf.
    #[must_use]
    pub fn leaf(text: &str) -> ContentHash {
        let mut leaf = DIGEST.hasher();
        leaf.update(&[LEAF_PREFIX]);
        leaf.update(text.as_bytes());
        leaf.finish()
    }

    /// The frontier: the roots of the complete subtrees, the largest first.
    #[must_use]
    pub fn peaks(&self) -> Vec<u8> {
        self.tree.state().frontier.iter().flat_map(|root| *root.as_bytes()).collect()
    }

    /// Entries.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.tree.size()
    }

    /// The root of their tree.
    #[must_use]
    pub fn root(&self) -> ContentHash {
        self.tree.root()
    }
}
