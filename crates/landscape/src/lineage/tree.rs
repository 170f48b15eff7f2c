//! The answer as a tree for people: which token stands below which, and how that is drawn.

use std::collections::BTreeSet;
use std::fmt::{self, Write};

use elspeth_contracts::Outcome;
use elspeth_proof::printable;

use super::text::{self, LineageWords};
use super::{Lineage, LineageToken};
use crate::text::short_hash;

/// The most children of one token that are drawn.
const CHILDREN: usize = 20;

impl Lineage {
    /// A readable tree: the row, then every token with the nodes that it visited, what each changed and decided, and
    /// what became of it; children below their parent, merged tokens below the one whose branches they join.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.to_text_with(&format!("elspeth explain -r {}", self.run_id))
    }

    /// The same; `command` is what has to be typed before ` --row N` or ` --token ID` to ask about something else in
    /// the same run.
    #[must_use]
    pub fn to_text_with(&self, command: &str) -> String {
        let mut out = String::new();
        self.write_text(&mut out, command).expect("a string takes whatever is written");
        out
    }

    fn write_text(&self, out: &mut String, command: &str) -> fmt::Result {
        writeln!(out, "Run {}", self.run_id)?;
        if let Some(row) = &self.row {
            let hash = short_hash(row.source_data_hash);
            writeln!(out, "Row {} · {} · source data {hash}", row.row_index, row.row_id)?;
            text::write_body(out, &row.data)?;
        }
        let words = LineageWords::of(self, command);
        let tree = LineageTree::of(&words);
        for root in tree.roots() {
            writeln!(out)?;
            tree.write(out, &words, root, Place { lead: String::new(), pad: String::new() })?;
        }
        Ok(())
    }
}

/// Which token of an answer stands below which, by their positions there: children below their parent, what was merged below
/// the one whose branches it joins.
#[derive(Debug)]
pub struct LineageTree<'a> {
    tokens: &'a [LineageToken],
    /// The token below which each stands.
    above: Vec<Option<usize>>,
    /// Those that stand below each.
    below: Vec<Vec<usize>>,
}

/// Where a token is drawn: what comes before its first line, and before the others.
struct Place {
    lead: String,
    pad: String,
}

impl<'a> LineageTree<'a> {
    /// The tree of the answer that can be spoken of.
    #[must_use]
    pub fn of(words: &LineageWords<'a>) -> Self {
        let tokens = words.lineage.tokens.as_slice();
        let mut tree =
            Self { tokens, above: Vec::with_capacity(tokens.len()), below: vec![Vec::new(); tokens.len()] };
        for (at, token) in tokens.iter().enumerate() {
            // Each token comes after its parents, unless the record contradicts itself.
            let parents = token.parents.iter().filter_map(|parent| words.place(*parent));
            let parents: Vec<usize> = parents.filter(|parent| *parent < at).collect();
            let above = tree.above(token, &parents);
            tree.above.push(above);
            if let Some(above) = above {
                tree.below[above].push(at);
            }
        }
        tree
    }

    fn above(&self, token: &LineageToken, parents: &[usize]) -> Option<usize> {
        let first = *parents.first()?;
        let coalesced = |at: &usize| is_coalesced(&self.tokens[*at]);
        if token.made_by.is_some() || !parents.iter().any(coalesced) {
            return Some(first);
        }
        // The nearest token from which all the merged branches come.
        let others: Vec<BTreeSet<usize>> = parents[1..].iter().map(|at| self.line(*at).collect()).collect();
        self.line(first).find(|at| others.iter().all(|line| line.contains(at)))
    }

    /// The tokens above one, the nearest first.
    fn line(&self, at: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(self.above[at], |at| self.above[*at])
    }

    /// Those that stand below no other.
    pub fn roots(&self) -> impl Iterator<Item = usize> {
        self.above.iter().enumerate().filter(|(_, above)| above.is_none()).map(|(at, _)| at)
    }

    /// Those that stand below one, in the order of the answer.
    #[must_use]
    pub fn below(&self, at: usize) -> &[usize] {
        &self.below[at]
    }

    fn write(&self, out: &mut String, words: &LineageWords<'_>, at: usize, place: Place) -> fmt::Result {
        let (token, children, Place { lead, pad }) = (&self.tokens[at], self.below(at), place);
        writeln!(out, "{lead}Token {}{}", token.token_id, printable(&words.heading(token)))?;
        for detail in words.origin(token) {
            writeln!(out, "{pad}│    {}", printable(&detail))?;
        }
        for state in &token.states {
            writeln!(out, "{pad}├─ {}", printable(&text::state_line(state)))?;
            for detail in words.state_details(token, state) {
                writeln!(out, "{pad}│    {}", printable(&detail))?;
            }
        }
        let corner = if children.is_empty() { "└─" } else { "├─" };
        writeln!(out, "{pad}{corner} {}", printable(&words.outcome_line(token)))?;
        for child in children.iter().take(CHILDREN) {
            let last = children.last() == Some(child);
            let (corner, line) = if last { ("└─", "   ") } else { ("├─", "│  ") };
            let place = Place { lead: format!("{pad}{corner} "), pad: format!("{pad}{line}") };
            self.write(out, words, *child, place)?;
        }
        match children.len().saturating_sub(CHILDREN) {
            0 => Ok(()),
            more => writeln!(out, "{pad}└─ … and {more} more tokens (--json has them)"),
        }
    }
}

pub(super) fn is_coalesced(token: &LineageToken) -> bool {
    token.outcome.as_ref().is_some_and(|outcome| outcome.outcome == Outcome::Coalesced)
}
