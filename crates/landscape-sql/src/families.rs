//! Links between parents and children, counted a stretch at a time.

use elspeth_contracts::Outcome;
use rusqlite::Row;

use crate::census::Census;
use crate::tally::{End, Kin, OfToken};

/// A link from a token to one of its parents.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link {
    token: i64,
    parent: i64,
    ordinal: i64,
}

impl OfToken for Link {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { token: row.get(0)?, parent: row.get(1)?, ordinal: row.get(2)? })
    }

    fn token(&self) -> i64 {
        self.token
    }
}

impl Link {
    /// Whether the child is one of those into which its parent was forked or expanded.
    fn is_of_family(&self, group: Option<i64>, parent: End) -> bool {
        self.ordinal == 0
            && group == Some(self.parent)
            && (parent.is(Outcome::Forked) || parent.is(Outcome::Expanded))
            && parent.group == Some(self.parent)
    }

    /// Whether the parent was merged into the child.
    fn is_of_merge(&self, group: Option<i64>, parent: End) -> bool {
        let child = Some(self.token);
        group == child && parent.is(Outcome::Coalesced) && parent.group == child
    }
}

/// What was counted over the links of some children.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Families {
    links: i64,
    /// Good links of forks and expansions, and those of them whose parent is of another row.
    of_families: i64,
    abroad: i64,
    of_merges: i64,
    /// Parents that were forked or expanded.
    parents: i64,
}

impl Families {
    /// Counts the links of the tokens of one row. `end_abroad` says what became of a parent of another row.
    pub(crate) fn count(
        &mut self,
        kin: &Kin,
        end_abroad: impl Fn(i64) -> rusqlite::Result<Option<End>>,
    ) -> rusqlite::Result<()> {
        self.links += i64::try_from(kin.links.len()).expect("a length fits 63 bits");
        let mut parents = Vec::new();
        for link in &kin.links {
            let Some(child) = kin.token(link.token) else { continue };
            let at_home = kin.end_at(link.parent);
            let parent = match at_home {
                Some(at) => Some(kin.end(at)),
                None => end_abroad(link.parent)?,
            };
            let Some(parent) = parent else { continue };
            if link.is_of_family(child.group, parent) {
                self.of_families += 1;
                self.abroad += i64::from(at_home.is_none());
                parents.push(link.parent);
            }
            self.of_merges += i64::from(link.is_of_merge(child.group, parent));
        }
        parents.sort_unstable();
        parents.dedup();
        self.parents += i64::try_from(parents.len()).expect("a length fits 63 bits");
        Ok(())
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.links += other.links;
        self.of_families += other.of_families;
        self.abroad += other.abroad;
        self.of_merges += other.of_merges;
        self.parents += other.parents;
    }

    /// Links, good or not.
    pub(crate) fn links(&self) -> i64 {
        self.links
    }

    #[cfg(test)]
    pub(crate) fn numbers(&self) -> [i64; 5] {
        [self.links, self.of_families, self.abroad, self.of_merges, self.parents]
    }

    /// Whether the numbers show that every link is a good one, and that every one of the `grouped` children, every forked
    /// or expanded parent and every coalesced token has one. A parent of another row than its child's could have been
    /// counted in two stretches, so that its number shows nothing.
    pub(crate) fn hold(&self, census: &Census, grouped: i64) -> bool {
        let forked = census.number_of(Outcome::Forked) + census.number_of(Outcome::Expanded);
        self.abroad == 0
            && self.links == self.of_families + self.of_merges
            && self.of_families == grouped
            && self.parents == forked
            && self.of_merges == census.number_of(Outcome::Coalesced)
    }
}
