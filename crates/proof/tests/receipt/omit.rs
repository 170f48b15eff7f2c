//! Leaving things out of a receipt so that all proofs are right: what is not shown any more is a hash of the proof.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use elspeth_proof::{Digest, Hash, Leaf, Leaves, Receipt, Record, Token, merkle};

/// What can be left out by itself: it is a leaf, or a leaf of a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Unit {
    /// A part of a release.
    Part {
        release: u64,
        part: u64,
    },
    /// A release of which no part is shown.
    Release(u64),
    Act(u64),
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Part { release, part } => write!(f, "part-{release}-{part}"),
            Self::Release(release) => write!(f, "release-{release}"),
            Self::Act(act) => write!(f, "act-{act}"),
        }
    }
}

/// Every unit with the token that it is about.
pub(crate) fn units(receipt: &Receipt) -> BTreeMap<Unit, Token> {
    let of = |leaf: &Leaf| {
        let record = &leaf.records[0];
        record.token("parent").or_else(|| record.token("token")).unwrap()
    };
    let releases = receipt.releases.leaves.iter();
    let parts = releases.flat_map(|release| release.parts.leaves.iter().map(|part| (release.index, part)));
    let parts = parts.map(|(release, part)| (Unit::Part { release, part: part.index }, of(part)));
    let acts = receipt.acts.leaves.iter().map(|act| (Unit::Act(act.index), of(act)));
    parts.chain(acts).collect()
}

/// Sets of units: each alone, each two, each release with all of its parts, and every token with all that was made of it (all
/// that tells of it, and only what became of it).
pub(crate) fn omissions(receipt: &Receipt) -> BTreeSet<BTreeSet<Unit>> {
    let units = units(receipt);
    let mut all = BTreeSet::new();
    for one in units.keys() {
        all.extend(units.keys().map(|other| BTreeSet::from([*one, *other])));
    }
    all.extend(releases(receipt));
    for root in units.values() {
        let mut family = offspring(receipt, *root);
        for with_root in [false, true] {
            if with_root {
                family.insert(*root);
            }
            let told = |unit: &Unit, token: &Token| {
                family.contains(token) || !with_root && token == root && matches!(unit, Unit::Act(_))
            };
            let of_all: BTreeSet<_> =
                units.iter().filter(|(unit, token)| told(unit, token)).map(|(unit, _)| *unit).collect();
            let empty = receipt.releases.leaves.iter().filter(|release| {
                let part = |part: &Leaf| Unit::Part { release: release.index, part: part.index };
                release.parts.leaves.iter().all(|it| of_all.contains(&part(it)))
            });
            let whole = empty.map(|release| Unit::Release(release.index));
            all.insert(of_all.iter().copied().chain(whole).collect());
            all.insert(of_all);
        }
    }
    all.remove(&BTreeSet::new());
    all
}

/// Each release with all of its parts: alone, with all acts of its tokens, and with those of the tokens that releases made; where
/// it is still shown that there is one, and where it is not.
pub(crate) fn releases(receipt: &Receipt) -> BTreeSet<BTreeSet<Unit>> {
    let units = units(receipt);
    let mut all = BTreeSet::new();
    for release in &receipt.releases.leaves {
        let part = |part: &Leaf| Unit::Part { release: release.index, part: part.index };
        let parts: BTreeSet<_> = release.parts.leaves.iter().map(part).collect();
        let tokens: BTreeSet<_> = parts.iter().map(|part| units[part]).collect();
        let acts = |made: bool| {
            let is_one = move |unit: &Unit, token: &Token| {
                matches!(unit, Unit::Act(_)) && (!made || token.release().is_some())
            };
            let of = units.iter().filter(move |(unit, token)| is_one(unit, token));
            of.filter(|(_, token)| tokens.contains(token)).map(|(unit, _)| *unit).collect::<Vec<_>>()
        };
        for acts in [Vec::new(), acts(false), acts(true)] {
            let some: BTreeSet<_> = parts.iter().copied().chain(acts).collect();
            all.insert(some.iter().copied().chain([Unit::Release(release.index)]).collect());
            all.insert(some);
        }
    }
    all
}

/// All that was made of a token.
fn offspring(receipt: &Receipt, root: Token) -> BTreeSet<Token> {
    let mut found = BTreeSet::new();
    let mut todo = vec![root];
    let parts = |release: &elspeth_proof::Release| -> Vec<Record> {
        release.parts.leaves.iter().flat_map(|part| part.records.clone()).collect()
    };
    let released: Vec<Vec<Record>> = receipt.releases.leaves.iter().map(parts).collect();
    while let Some(token) = todo.pop() {
        let all = receipt.decisions.records.iter().chain(released.iter().flatten());
        let mut made: Vec<Token> =
            all.filter(|it| it.token("parent") == Some(token)).filter_map(|it| it.token("token")).collect();
        for release in &released {
            let is = |kind: &str, it: &Record| it.kind().name() == kind;
            if release.iter().any(|it| is("batch_member", it) && it.token("token") == Some(token)) {
                let outputs = release.iter().filter(|it| is("batch_output", it));
                made.extend(outputs.filter_map(|it| it.token("token")));
            }
        }
        todo.extend(made.into_iter().filter(|child| found.insert(*child)));
    }
    found
}

/// The receipt without these, as honest as it can be made to look.
pub(crate) fn without(receipt: &Receipt, out: &BTreeSet<Unit>) -> Receipt {
    let digest = receipt.digest;
    let mut less = receipt.clone();
    for release in &mut less.releases.leaves {
        let index = release.index;
        reduce(digest, &mut release.parts, |part| !out.contains(&Unit::Part { release: index, part }));
    }
    let roots = receipt.releases.leaves.iter().map(|release| {
        let parts: Vec<_> =
            release.parts.leaves.iter().map(|part| (part.index, hash(digest, part))).collect();
        let root = merkle::root_from(digest, release.parts.size, &parts, &release.parts.proof).unwrap();
        let mut bytes: Vec<u8> = release.batches.iter().flat_map(Record::to_bytes).collect();
        bytes.extend_from_slice(&release.parts.size.to_be_bytes());
        bytes.extend_from_slice(root.as_bytes());
        (release.index, digest.leaf(&bytes))
    });
    let roots: Vec<_> = roots.collect();
    let kept = |index: &u64| !out.contains(&Unit::Release(*index));
    let keep: BTreeSet<_> = roots.iter().map(|(index, _)| *index).filter(kept).collect();
    less.releases.proof = proof(digest, (receipt.releases.size, &roots), &receipt.releases.proof, &keep);
    less.releases.leaves.retain(|release| keep.contains(&release.index));
    reduce(digest, &mut less.acts, |act| !out.contains(&Unit::Act(act)));
    let mut named: BTreeSet<Hash> = less.decisions.records.iter().flat_map(Record::hashes).collect();
    let parts = less.releases.leaves.iter().flat_map(|release| &release.parts.leaves);
    named.extend(parts.chain(&less.acts.leaves).flat_map(|leaf| &leaf.records).flat_map(Record::hashes));
    less.bodies.retain(|body| named.contains(&digest.hash(body.as_bytes())));
    less
}

fn hash(digest: Digest, leaf: &Leaf) -> Hash {
    digest.leaf(&leaf.records.iter().flat_map(Record::to_bytes).collect::<Vec<u8>>())
}

fn reduce(digest: Digest, leaves: &mut Leaves<Leaf>, kept: impl Fn(u64) -> bool) {
    let hashes: Vec<_> = leaves.leaves.iter().map(|leaf| (leaf.index, hash(digest, leaf))).collect();
    let keep = hashes.iter().map(|(index, _)| *index).filter(|index| kept(*index)).collect();
    leaves.proof = proof(digest, (leaves.size, &hashes), &leaves.proof, &keep);
    leaves.leaves.retain(|leaf| kept(leaf.index));
}

/// The proof of some of the leaves of which there is a proof.
fn proof(
    digest: Digest,
    (size, leaves): (u64, &[(u64, Hash)]),
    old: &[Hash],
    keep: &BTreeSet<u64>,
) -> Vec<Hash> {
    if size == 0 {
        return Vec::new();
    }
    let (mut rest, mut new) = (old.iter(), Vec::new());
    let root = subtree(digest, (0, size), leaves, (&mut rest, keep), &mut new);
    if keep.is_empty() { vec![root] } else { new }
}

fn subtree(
    digest: Digest,
    (start, size): (u64, u64),
    leaves: &[(u64, Hash)],
    (old, keep): (&mut std::slice::Iter<'_, Hash>, &BTreeSet<u64>),
    new: &mut Vec<Hash>,
) -> Hash {
    let before = new.len();
    let root = match leaves {
        [] => *old.next().unwrap(),
        [(_, leaf)] if size == 1 => *leaf,
        several => {
            let left = size.next_power_of_two() / 2;
            let (first, second) = several.split_at(several.partition_point(|(at, _)| *at < start + left));
            let first = subtree(digest, (start, left), first, (&mut *old, keep), new);
            let second = subtree(digest, (start + left, size - left), second, (old, keep), new);
            digest.node(first, second)
        }
    };
    if keep.range(start..start + size).next().is_none() {
        new.truncate(before);
        new.push(root);
    }
    root
}

/// Where records are.
type Place = Box<dyn Fn(&mut Receipt) -> &mut Vec<Record>>;

/// The receipt without one record, for each; nothing is made to fit it.
pub(crate) fn without_one_record(receipt: &Receipt) -> Vec<Receipt> {
    let mut all = Vec::new();
    let mut places: Vec<Place> = vec![Box::new(|it| &mut it.decisions.records)];
    for (at, release) in receipt.releases.leaves.iter().enumerate() {
        places.push(Box::new(move |it| &mut it.releases.leaves[at].batches));
        for part in 0..release.parts.leaves.len() {
            places.push(Box::new(move |it| &mut it.releases.leaves[at].parts.leaves[part].records));
        }
    }
    for act in 0..receipt.acts.leaves.len() {
        places.push(Box::new(move |it| &mut it.acts.leaves[act].records));
    }
    for place in places {
        for record in 0..place(&mut receipt.clone()).len() {
            let mut less = receipt.clone();
            place(&mut less).remove(record);
            all.push(less);
        }
    }
    all
}
