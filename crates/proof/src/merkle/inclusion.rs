use alloc::vec::Vec;

use super::{BadProof, split};
use crate::hash::{Digest, Hash};

/// That certain leaves are in a tree. Going down from the root, left first: a subtree without a proven leaf is the next hash
/// of the proof, a proven leaf is its own hash, and everything else is split. For one leaf it has the hashes of the proof of
/// RFC 9162 (2.1.3.1), from left to right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// How many leaves the tree has.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// What the root is made from beside the proven leaves.
    pub hashes: Vec<Hash>,
}

/// Makes the proof of some leaves while all of them pass by once. It holds the maximal subtrees without a proven leaf: of
/// *n* leaves of which *m* are proven at most about *m* log *n* hashes.
///
/// ```
/// use elspeth_proof::{Digest, merkle};
///
/// let leaf = |n: u64| Digest::Sha256.leaf(&n.to_be_bytes());
/// let mut prover = merkle::Prover::new(Digest::Sha256);
/// for n in 0..1_000 {
///     prover.push(leaf(n), n == 41 || n == 700);
/// }
/// let proof = prover.finish();
/// let proven = [(41, leaf(41)), (700, leaf(700))];
/// let root = merkle::root_from(Digest::Sha256, proof.size, &proven, &proof.hashes)?;
/// assert_eq!(root, proof.root);
/// # Ok::<(), merkle::BadProof>(())
/// ```
#[derive(Debug, Clone)]
pub struct Prover {
    digest: Digest,
    size: u64,
    /// One for every bit that is set in `size`, the largest first.
    frontier: Vec<Subtree>,
}

#[derive(Debug, Clone)]
struct Subtree {
    root: Hash,
    /// The proof within it, where it has a proven leaf.
    proof: Option<Vec<Hash>>,
}

impl Subtree {
    fn join(self, right: Self, digest: Digest) -> Self {
        let root = digest.node(self.root, right.root);
        let proof = match (self.proof, right.proof) {
            (None, None) => None,
            (Some(mut left), None) => {
                left.push(right.root);
                Some(left)
            }
            (None, Some(mut proof)) => {
                proof.insert(0, self.root);
                Some(proof)
            }
            (Some(mut left), Some(right)) => {
                left.extend(right);
                Some(left)
            }
        };
        Self { root, proof }
    }
}

impl Prover {
    /// Of a tree without leaves.
    #[must_use]
    pub const fn new(digest: Digest) -> Self {
        Self { digest, size: 0, frontier: Vec::new() }
    }

    /// Takes the hash of the next leaf, and whether it is to be proven.
    pub fn push(&mut self, leaf: Hash, proven: bool) {
        let mut node = Subtree { root: leaf, proof: proven.then(Vec::new) };
        for _ in 0..self.size.trailing_ones() {
            let left = self.frontier.pop().expect("one subtree for every bit of the size");
            node = left.join(node, self.digest);
        }
        self.frontier.push(node);
        self.size += 1;
    }

    /// The proof: of no leaf, it is the root alone, or nothing where there are none.
    #[must_use]
    pub fn finish(self) -> Proof {
        let Self { digest, size, frontier } = self;
        match frontier.into_iter().rev().reduce(|right, left| left.join(right, digest)) {
            None => Proof { size, root: digest.empty(), hashes: Vec::new() },
            Some(Subtree { root, proof }) => {
                Proof { size, root, hashes: proof.unwrap_or_else(|| Vec::from([root])) }
            }
        }
    }
}

/// The root of a tree of `size` leaves that has these (by index, in order) and for the rest the hashes of the proof. It is
/// for the caller to compare it with the root that is known.
///
/// # Errors
/// [`BadProof`] when a leaf is out of place, or the proof has not exactly the hashes that it must have.
pub fn root_from(
    digest: Digest,
    size: u64,
    leaves: &[(u64, Hash)],
    proof: &[Hash],
) -> Result<Hash, BadProof> {
    let mut least = 0;
    for &(index, _) in leaves {
        if index < least || index >= size {
            return Err(BadProof::Leaf(index));
        }
        least = index + 1;
    }
    let mut rest = Rest { digest, hashes: proof };
    let root = if size == 0 { digest.empty() } else { rest.subtree(0, size, leaves)? };
    if rest.hashes.is_empty() { Ok(root) } else { Err(BadProof::TooLong) }
}

/// What of the proof is not used yet.
struct Rest<'a> {
    digest: Digest,
    hashes: &'a [Hash],
}

impl Rest<'_> {
    /// The root of the `size` leaves from `start` on, of which these are proven. No deeper than a size has bits.
    fn subtree(&mut self, start: u64, size: u64, leaves: &[(u64, Hash)]) -> Result<Hash, BadProof> {
        match leaves {
            [] => {
                let (next, rest) = self.hashes.split_first().ok_or(BadProof::TooShort)?;
                self.hashes = rest;
                Ok(*next)
            }
            [(_, leaf)] if size == 1 => Ok(*leaf),
            several => {
                let left = split(size);
                let (before, behind) =
                    several.split_at(several.partition_point(|(index, _)| *index < start + left));
                let left_root = self.subtree(start, left, before)?;
                let right_root = self.subtree(start + left, size - left, behind)?;
                Ok(self.digest.node(left_root, right_root))
            }
        }
    }
}
