//! Links between parents and children, counted a stretch at a time.

use elspeth_contracts::Outcome;
use rusqlite::{Connection, named_params};

use crate::census::Census;

const LINKS: &str =
    "SELECT count(*) FROM token_parents WHERE run_no = :run AND token BETWEEN :first AND :last";

/// Good links of forks and expansions, those of them whose parent is of another row, good links of merges, and the
/// parents that were forked or expanded.
const GOOD: &str = "SELECT coalesce(sum(family), 0), coalesce(sum(family AND parent >> 20 <> token >> 20), 0),
        coalesce(sum(merge), 0), count(DISTINCT CASE WHEN family THEN parent END)
    FROM (SELECT p.token, p.parent,
            p.ordinal = 0 AND t.group_no = p.parent AND o.outcome IN (2, 3) AND o.group_no = p.parent AS family,
            t.group_no = p.token AND o.outcome = 4 AND o.group_no = p.token AS merge
        FROM token_parents p CROSS JOIN tokens t CROSS JOIN token_outcomes o
        WHERE p.run_no = :run AND p.token BETWEEN :first AND :last AND t.run_no = :run AND t.token = p.token
            AND o.run_no = :run AND o.token = p.parent AND o.terminal = 1)";

/// What was counted over the links of some children.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Families {
    links: i64,
    of_families: i64,
    abroad: i64,
    of_merges: i64,
    parents: i64,
}

impl Families {
    /// Counts the links of the tokens from `first` to `last`.
    pub(crate) fn of(
        connection: &Connection,
        run_no: i64,
        (first, last): (i64, i64),
    ) -> rusqlite::Result<Self> {
        let range = named_params! { ":run": run_no, ":first": first, ":last": last };
        let links: i64 = connection.prepare_cached(LINKS)?.query_row(range, |row| row.get(0))?;
        if links == 0 {
            return Ok(Self::default());
        }
        connection.prepare_cached(GOOD)?.query_row(range, |row| {
            let (of_families, abroad) = (row.get(0)?, row.get(1)?);
            Ok(Self { links, of_families, abroad, of_merges: row.get(2)?, parents: row.get(3)? })
        })
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
