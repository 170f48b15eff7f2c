//! Many short texts, hashed side by side.

use crate::lanes::{BLOCK, BLOCKS, LANES, side_by_side};
use crate::{ContentHash, HashVersion};

/// Texts that are to be hashed, one behind the other in one buffer.
///
/// ```
/// use elspeth_canonical::{HashVersion, Texts};
///
/// let mut texts = Texts::default();
/// texts.push(b"one");
/// texts.add(|out| out.extend_from_slice(b"two"));
/// let version = HashVersion::Blake3V1;
/// assert_eq!(version.hash_all(&texts), [version.hash(b"one"), version.hash(b"two")]);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Texts {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Texts {
    /// Adds one.
    pub fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len());
    }

    /// Adds what `write` appends to the buffer.
    pub fn add<T>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        let written = write(&mut self.bytes);
        self.ends.push(self.bytes.len());
        written
    }

    /// Adds what `write` appends, unless that fails: then nothing is added.
    ///
    /// # Errors
    /// Those of `write`.
    pub fn try_add<T, E>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<T, E>) -> Result<T, E> {
        let from = self.bytes.len();
        let written = write(&mut self.bytes);
        match written {
            Ok(_) => self.ends.push(self.bytes.len()),
            Err(_) => self.bytes.truncate(from),
        }
        written
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// How many bytes they have together.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Throws them away and keeps the buffer.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    fn get(&self, at: usize) -> &[u8] {
        let from = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.bytes[from..self.ends[at]]
    }
}

/// Fewer texts of one length than these are hashed sooner one by one.
const FEW: usize = 4;

impl HashVersion {
    /// The digests of all texts, in their order: those that [`HashVersion::hash`] gives, in about a quarter of the time where
    /// they are short and many.
    #[must_use]
    pub fn hash_all(self, texts: &Texts) -> Vec<ContentHash> {
        match self {
            Self::Blake3V1 => blake3(texts),
            Self::Sha256V1 => (0..texts.len()).map(|at| self.hash(texts.get(at))).collect(),
        }
    }
}

/// Texts of as many blocks are worked on together, however they are mixed with others.
fn blake3(texts: &Texts) -> Vec<ContentHash> {
    let mut hashes = vec![ContentHash::from_bytes([0; 32]); texts.len()];
    let mut waiting = [[0; LANES]; BLOCKS];
    let mut number = [0; BLOCKS];
    for at in 0..texts.len() {
        let blocks = texts.get(at).len().div_ceil(BLOCK).max(1);
        if blocks > BLOCKS {
            hashes[at] = HashVersion::Blake3V1.hash(texts.get(at));
            continue;
        }
        let class = blocks - 1;
        waiting[class][number[class]] = at;
        number[class] += 1;
        if number[class] == LANES {
            together(texts, &waiting[class], &mut hashes);
            number[class] = 0;
        }
    }
    for (places, number) in waiting.iter().zip(number) {
        match &places[..number] {
            few if number < FEW => {
                few.iter().for_each(|at| hashes[*at] = HashVersion::Blake3V1.hash(texts.get(*at)));
            }
            many => together(texts, many, &mut hashes),
        }
    }
    hashes
}

/// Hashes at most [`LANES`] texts of as many blocks; lanes that are left over do the first one's work again.
fn together(texts: &Texts, places: &[usize], hashes: &mut [ContentHash]) {
    let lane = |lane: usize| texts.get(places[if lane < places.len() { lane } else { 0 }]);
    let digests = side_by_side(&std::array::from_fn(lane));
    for (at, digest) in places.iter().zip(digests) {
        hashes[*at] = ContentHash::from_bytes(digest);
    }
}
