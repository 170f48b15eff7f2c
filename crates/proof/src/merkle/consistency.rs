use alloc::vec::Vec;

use super::{BadProof, Tree, split};
use crate::hash::{Digest, Hash};

/// That the tree of these leaves continues the tree of the first `first` of them (RFC 9162, 2.1.4.1). Empty where there is
/// nothing to prove: for no leaf, or all of them.
///
/// # Panics
/// When `first` is more than there are leaves.
#[must_use]
pub fn prove_consistency(digest: Digest, leaves: &[Hash], first: usize) -> Vec<Hash> {
    assert!(first <= leaves.len(), "the caller has all leaves of the larger tree");
    let mut proof = Vec::new();
    if first > 0 && first < leaves.len() {
        subproof(digest, leaves, first, true, &mut proof);
    }
    proof
}

/// SUBPROOF of RFC 9162; `whole`: whether the first `first` leaves of the slice are all that the smaller tree has.
fn subproof(digest: Digest, leaves: &[Hash], first: usize, whole: bool, proof: &mut Vec<Hash>) {
    if first == leaves.len() {
        if !whole {
            proof.push(root(digest, leaves));
        }
        return;
    }
    let at = usize::try_from(split(leaves.len() as u64)).expect("it is below a length in memory");
    let (left, right) = leaves.split_at(at);
    if first <= at {
        subproof(digest, left, first, whole, proof);
        proof.push(root(digest, right));
    } else {
        subproof(digest, right, first - at, false, proof);
        proof.push(root(digest, left));
    }
}

fn root(digest: Digest, leaves: &[Hash]) -> Hash {
    let mut tree = Tree::new(digest);
    leaves.iter().for_each(|leaf| tree.push(*leaf));
    tree.root()
}

/// Checks that the second tree (size and root) continues the first (RFC 9162, 2.1.4.2).
///
/// # Errors
/// [`BadProof`] when it is not proven.
pub fn verify_consistency(
    digest: Digest,
    first: (u64, Hash),
    second: (u64, Hash),
    proof: &[Hash],
) -> Result<(), BadProof> {
    let ((size, root), (later_size, later_root)) = (first, second);
    if size > later_size {
        return Err(BadProof::Shrunk { first: size, second: later_size });
    }
    if size == 0 || size == later_size {
        // Nothing continues a tree without leaves more or less than anything else; equal sizes must have equal roots.
        let expected = if size == later_size { later_root } else { digest.empty() };
        let sound = root == expected && (later_size > 0 || root == digest.empty());
        return match (sound, proof) {
            (false, _) => Err(BadProof::Root),
            (true, []) => Ok(()),
            (true, _) => Err(BadProof::TooLong),
        };
    }
    // A smaller tree that is one complete subtree is its own first hash.
    let (seed, rest) = if size.is_power_of_two() {
        (root, proof)
    } else {
        let (seed, rest) = proof.split_first().ok_or(BadProof::TooShort)?;
        (*seed, rest)
    };
    let (made, made_later) = walk(digest, (size - 1, later_size - 1), seed, rest)?;
    if made == root && made_later == later_root { Ok(()) } else { Err(BadProof::Root) }
}

/// Steps 4 to 6 of RFC 9162, 2.1.4.2: from the last node that both trees have up to both roots.
fn walk(
    digest: Digest,
    (mut node, mut last): (u64, u64),
    seed: Hash,
    proof: &[Hash],
) -> Result<(Hash, Hash), BadProof> {
    let shared = node.trailing_ones();
    (node, last) = (node >> shared, last >> shared);
    let (mut first, mut second) = (seed, seed);
    for hash in proof {
        if last == 0 {
            return Err(BadProof::TooLong);
        }
        if node & 1 == 1 || node == last {
            first = digest.node(*hash, first);
            second = digest.node(*hash, second);
            if node & 1 == 0 {
                // Not 0: then `last` would be, too.
                let skipped = node.trailing_zeros();
                (node, last) = (node >> skipped, last >> skipped);
            }
        } else {
            second = digest.node(second, *hash);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last == 0 { Ok((first, second)) } else { Err(BadProof::TooShort) }
}
