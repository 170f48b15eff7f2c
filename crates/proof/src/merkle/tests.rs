//! Against the definitions of RFC 9162, taken literally.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::hash::{Digest, Hash};

fn leaf(digest: Digest, number: u64) -> Hash {
    digest.leaf(format!("leaf {number}").as_bytes())
}

fn leaves(digest: Digest, size: usize) -> Vec<Hash> {
    (0..size as u64).map(|number| leaf(digest, number)).collect()
}

/// 2.1.1
fn root(digest: Digest, leaves: &[Hash]) -> Hash {
    match leaves {
        [] => digest.hash(&[]),
        [one] => *one,
        several => {
            let (left, right) = several.split_at(1 << (several.len() - 1).ilog2());
            let mut bytes = vec![1];
            bytes.extend_from_slice(root(digest, left).as_bytes());
            bytes.extend_from_slice(root(digest, right).as_bytes());
            digest.hash(&bytes)
        }
    }
}

/// 2.1.3.1: PATH(m, D_n), from the leaf to the root.
fn path(digest: Digest, index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let at = 1 << (leaves.len() - 1).ilog2();
    let (left, right) = leaves.split_at(at);
    let (mut path, other) = if index < at {
        (path(digest, index, left), root(digest, right))
    } else {
        (path(digest, index - at, right), root(digest, left))
    };
    path.push(other);
    path
}

fn digests() -> impl Strategy<Value = Digest> {
    prop_oneof![Just(Digest::Blake3), Just(Digest::Sha256)]
}

fn prove(digest: Digest, leaves: &[Hash], marked: &BTreeSet<usize>) -> Proof {
    let mut prover = Prover::new(digest);
    leaves.iter().enumerate().for_each(|(at, leaf)| prover.push(*leaf, marked.contains(&at)));
    prover.finish()
}

fn proven(leaves: &[Hash], marked: &BTreeSet<usize>) -> Vec<(u64, Hash)> {
    marked.iter().map(|at| (*at as u64, leaves[*at])).collect()
}

fn some_of_some() -> impl Strategy<Value = (usize, BTreeSet<usize>)> {
    (1_usize..200).prop_flat_map(|size| (Just(size), prop::collection::btree_set(0..size, 0..12)))
}

proptest! {
    #[test]
    fn the_root_is_the_one_that_rfc_9162_defines(digest in digests(), size in 0_usize..300, stop in 0_usize..300) {
        let leaves = leaves(digest, size);
        let mut tree = Tree::new(digest);
        for (at, leaf) in leaves.iter().enumerate() {
            if at == stop {
                let frontier = tree.frontier().to_vec();
                tree = Tree::from_frontier(digest, tree.size(), frontier).unwrap();
            }
            tree.push(*leaf);
        }
        prop_assert_eq!((tree.size(), tree.root()), (size as u64, root(digest, &leaves)));
    }

    #[test]
    fn what_is_proven_leads_to_the_root(digest in digests(), (size, marked) in some_of_some()) {
        let leaves = leaves(digest, size);
        let proof = prove(digest, &leaves, &marked);
        prop_assert_eq!((proof.size, proof.root), (size as u64, root(digest, &leaves)));
        let found = root_from(digest, proof.size, &proven(&leaves, &marked), &proof.hashes);
        prop_assert_eq!(found, Ok(proof.root));
    }

    #[test]
    fn the_proof_of_one_leaf_has_the_hashes_of_rfc_9162(digest in digests(), size in 1_usize..200, at in 0_usize..200) {
        let (at, leaves) = (at % size, leaves(digest, size));
        let hashes: BTreeSet<Hash> = prove(digest, &leaves, &BTreeSet::from([at])).hashes.into_iter().collect();
        prop_assert_eq!(hashes, path(digest, at, &leaves).into_iter().collect::<BTreeSet<_>>());
    }

    #[test]
    fn a_proof_with_one_hash_more_less_or_other_is_refused(
        (size, marked) in some_of_some(), at in any::<prop::sample::Index>(), bit in 0_usize..256,
    ) {
        let digest = Digest::Sha256;
        let leaves = leaves(digest, size);
        let proof = prove(digest, &leaves, &marked);
        let proven = proven(&leaves, &marked);
        let check = |hashes: &[Hash]| root_from(digest, proof.size, &proven, hashes);
        let mut longer = proof.hashes.clone();
        longer.insert(at.index(longer.len() + 1), leaves[0]);
        prop_assert_eq!(check(&longer), Err(BadProof::TooLong));
        if proof.hashes.is_empty() {
            return Ok(());
        }
        let at = at.index(proof.hashes.len());
        let mut shorter = proof.hashes.clone();
        shorter.remove(at);
        prop_assert_eq!(check(&shorter), Err(BadProof::TooShort));
        let mut other = proof.hashes.clone();
        let mut bytes = *other[at].as_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        other[at] = Hash::from_bytes(bytes);
        prop_assert_ne!(check(&other), Ok(proof.root));
    }

    #[test]
    fn every_tree_continues_every_smaller_one(digest in digests(), size in 0_usize..130, first in 0_usize..130) {
        let (first, leaves) = (first % (size + 1), leaves(digest, size));
        let proof = prove_consistency(digest, &leaves, first);
        let (before, after) = (root(digest, &leaves[..first]), root(digest, &leaves));
        let check = |before, after, proof: &[Hash]| {
            verify_consistency(digest, (first as u64, before), (size as u64, after), proof)
        };
        prop_assert_eq!(check(before, after, &proof), Ok(()));
        let stranger = digest.hash(b"another root");
        prop_assert!(check(stranger, after, &proof).is_err());
        prop_assert!(first == 0 || check(before, stranger, &proof).is_err());
        let mut longer = proof.clone();
        longer.push(stranger);
        prop_assert!(check(before, after, &longer).is_err());
        if let Some((_, rest)) = proof.split_first() {
            prop_assert!(check(before, after, rest).is_err());
        }
    }
}

#[test]
fn a_leaf_that_is_out_of_place_is_refused() {
    let digest = Digest::Blake3;
    let (a, b) = (leaf(digest, 0), leaf(digest, 1));
    for (size, leaves) in
        [(2, vec![(0, a), (0, b)]), (2, vec![(1, b), (0, a)]), (0, vec![(0, a)]), (1, vec![(1, a)])]
    {
        assert!(matches!(root_from(digest, size, &leaves, &[]), Err(BadProof::Leaf(_))), "{leaves:?}");
    }
    assert_eq!(root_from(digest, 0, &[], &[]), Ok(digest.empty()));
    assert_eq!(root_from(digest, u64::MAX, &[(u64::MAX - 1, a)], &[]), Err(BadProof::TooShort));
}

#[test]
fn a_frontier_that_no_tree_has_is_refused() {
    let digest = Digest::Sha256;
    let frontier = |roots| vec![digest.empty(); roots];
    assert!(Tree::from_frontier(digest, 5, frontier(2)).is_some());
    assert!(Tree::from_frontier(digest, 2, frontier(2)).is_none());
    assert!(Tree::from_frontier(digest, 3, frontier(1)).is_none());
}

#[test]
fn a_tree_does_not_continue_a_larger_one() {
    let digest = Digest::Sha256;
    let empty = digest.empty();
    let shrunk = Err(BadProof::Shrunk { first: 2, second: 1 });
    assert_eq!(verify_consistency(digest, (2, empty), (1, empty), &[]), shrunk);
    let other = digest.hash(b"x");
    assert_eq!(verify_consistency(digest, (0, other), (0, other), &[]), Err(BadProof::Root));
    assert_eq!(verify_consistency(digest, (0, other), (3, other), &[]), Err(BadProof::Root));
}
