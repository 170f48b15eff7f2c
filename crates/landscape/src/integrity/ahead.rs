use elspeth_canonical::{ContentHash, HashVersion};

use super::MerkleTree;
use crate::registry::TreeHead;

/// The trees of a run as far as one thread has hashed it, ahead of the commits. Whoever hashes the epochs of a run in their
/// order grows them with each digest, and the commit takes them over instead of joining every leaf.
///
/// They are no more than a forecast: where a commit finds other trees than these grew from (an epoch was given up), it joins
/// the leaves itself. Those of a run that was taken up begin with [`crate::Recorder::trees`].
#[derive(Debug, Clone, PartialEq)]
pub struct TreesAhead {
    pub(super) decided: MerkleTree,
    pub(super) released: MerkleTree,
    pub(super) acted: MerkleTree,
}

impl TreesAhead {
    /// The trees of a run before its first epoch.
    #[must_use]
    pub const fn new(version: HashVersion) -> Self {
        let empty = MerkleTree::new(version);
        Self { decided: MerkleTree::new(version), released: MerkleTree::new(version), acted: empty }
    }

    /// Sizes and roots: of decisions, releases and acts.
    pub(crate) fn heads(&self) -> [TreeHead; 3] {
        [&self.decided, &self.released, &self.acted]
            .map(|tree| TreeHead { size: tree.size(), root: tree.root() })
    }
}

/// Leaves that come next in a tree.
#[derive(Debug, Clone)]
pub(super) struct Leaves {
    /// `None` where they are too many to be kept; a tree has grown by them then.
    hashes: Option<Vec<ContentHash>>,
    /// A tree before and after them.
    grown: Option<(MerkleTree, MerkleTree)>,
}

impl Leaves {
    pub(super) const fn new(hashes: Vec<ContentHash>) -> Self {
        Self { hashes: Some(hashes), grown: None }
    }

    /// Leaves that are not kept: `tree` has grown by them from `before`.
    pub(super) fn gone_into(before: MerkleTree, tree: &MerkleTree) -> Self {
        Self { hashes: None, grown: Some((before, tree.clone())) }
    }

    pub(super) fn hashes(&self) -> &[ContentHash] {
        self.hashes.as_deref().unwrap_or_default()
    }

    /// Appends them to a tree that the commit is expected to have.
    pub(super) fn grow(&mut self, tree: &mut MerkleTree) {
        let before = tree.clone();
        tree.extend(self.hashes());
        self.grown = Some((before, tree.clone()));
    }

    /// Appends them to the tree that the commit has; `anew` does where that is another one than grew, and they are not kept.
    pub(super) fn append_to(&self, tree: &mut MerkleTree, anew: impl FnOnce(&mut MerkleTree)) {
        match (&self.grown, &self.hashes) {
            (Some((before, after)), _) if before == tree => tree.clone_from(after),
            (_, Some(hashes)) => tree.extend(hashes),
            (_, None) => anew(tree),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERSION: HashVersion = HashVersion::Blake3V1;

    fn leaves(of: std::ops::Range<u8>) -> Leaves {
        Leaves::new(of.map(|number| VERSION.hash(&[number])).collect())
    }

    fn tree(of: std::ops::Range<u8>) -> MerkleTree {
        let mut tree = MerkleTree::new(VERSION);
        leaves(of).append_to(&mut tree, kept);
        tree
    }

    fn kept(_: &mut MerkleTree) {
        panic!("the leaves are there");
    }

    #[test]
    fn leaves_that_are_not_kept_are_made_again_where_the_forecast_does_not_count() {
        let next = Leaves::gone_into(tree(0..5), &tree(0..12));
        let mut committed = tree(0..5);
        next.append_to(&mut committed, kept);
        assert_eq!(committed, tree(0..12));
        let mut other = tree(1..5);
        next.append_to(&mut other, |other| leaves(5..12).append_to(other, kept));
        assert_eq!(other, tree(1..12));
    }

    #[test]
    fn leaves_that_were_appended_ahead_give_the_same_tree() {
        let (mut first, mut next, mut ahead) = (leaves(0..5), leaves(5..12), MerkleTree::new(VERSION));
        first.grow(&mut ahead);
        next.grow(&mut ahead);
        let mut committed = MerkleTree::new(VERSION);
        first.append_to(&mut committed, kept);
        assert_eq!(committed, tree(0..5));
        next.append_to(&mut committed, kept);
        assert_eq!(committed, tree(0..12));
    }

    #[test]
    fn after_leaves_that_were_given_up_the_forecast_does_not_count() {
        let (mut given_up, mut next, mut ahead) = (leaves(20..25), leaves(0..5), MerkleTree::new(VERSION));
        given_up.grow(&mut ahead);
        next.grow(&mut ahead);
        let mut committed = MerkleTree::new(VERSION);
        next.append_to(&mut committed, kept);
        assert_eq!(committed, tree(0..5));
        let mut of_as_many = tree(30..35);
        next.append_to(&mut of_as_many, kept);
        assert_ne!(of_as_many, ahead);
    }
}
