//! Finding a text in a lineage: in the labels of the tree and in the details of all its items, folded or not.

use std::ops::Range;

use elspeth_app::Lineage;

use super::details::Details;
use super::nodes::Node;

/// What is looked for. Small letters stand for large ones too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Needle {
    letters: Vec<char>,
    /// Large letters were given: only the same ones match.
    exact: bool,
}

/// Where it was found: in a node's label, or in a line of its details.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) node: usize,
    pub(super) line: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Forward,
    Backward,
}

impl Needle {
    /// None when there is nothing to look for.
    pub(super) fn new(text: &str) -> Option<Self> {
        let exact = text.chars().any(char::is_uppercase);
        (!text.is_empty()).then(|| Self { letters: text.chars().collect(), exact })
    }

    /// The parts of a text that match, by their bytes; none within another.
    pub(super) fn matches(&self, text: &str) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        for (start, _) in text.char_indices() {
            let behind = found.last().is_none_or(|last| last.end <= start);
            if let Some(end) = self.end(&text[start..]).filter(|_| behind) {
                found.push(start..start + end);
            }
        }
        found
    }

    /// Where it ends when the text begins with it.
    fn end(&self, text: &str) -> Option<usize> {
        let mut rest = text.chars();
        let same = |letter: &char| rest.next().is_some_and(|c| self.fold(c) == self.fold(*letter));
        self.letters.iter().all(same).then(|| text.len() - rest.as_str().len())
    }

    fn fold(&self, c: char) -> char {
        if self.exact { c } else { c.to_lowercase().next().unwrap_or(c) }
    }

    /// The next place from one on, which itself comes last; around the end of the tree.
    pub(super) fn next(
        &self,
        (lineage, nodes): (&Lineage, &[Node]),
        from: Place,
        direction: Direction,
    ) -> Option<Place> {
        let (details, count) = (Details::of(lineage), nodes.len());
        let places = |node: usize| self.places(&details, &nodes[node]);
        let here = places(from.node);
        let beyond = match direction {
            Direction::Forward => here.iter().find(|line| **line > from.line),
            Direction::Backward => here.iter().rev().find(|line| **line < from.line),
        };
        if let Some(line) = beyond {
            return Some(Place { node: from.node, line: *line });
        }
        (1..=count).find_map(|step| {
            let node = match direction {
                Direction::Forward => (from.node + step) % count,
                Direction::Backward => (from.node + count - step) % count,
            };
            let found = places(node);
            let line = match direction {
                Direction::Forward => found.first(),
                Direction::Backward => found.last(),
            };
            line.map(|line| Place { node, line: *line })
        })
    }

    fn places(&self, details: &Details<'_>, node: &Node) -> Vec<Option<usize>> {
        let label = (!self.matches(&node.label).is_empty()).then_some(None);
        let lines = details.lines(node.item);
        let matching = lines.iter().enumerate().filter(|(_, line)| !self.matches(&line.text).is_empty());
        label.into_iter().chain(matching.map(|(at, _)| Some(at))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(needle: &str, text: &str, expected: &[(usize, usize)]) {
        let found = Needle::new(needle).map(|needle| needle.matches(text)).unwrap_or_default();
        let found: Vec<_> = found.into_iter().map(|range| (range.start, range.end)).collect();
        assert_eq!(found, expected, "{needle} in {text}");
    }

    #[test]
    fn small_letters_match_large_ones() {
        check("ada", "Ada and ada", &[(0, 3), (8, 11)]);
        check("Ada", "Ada and ada", &[(0, 3)]);
        check("aa", "aaaaa", &[(0, 2), (2, 4)]);
        check("ä", "Ärger", &[(0, 2)]);
        check("漢", "x漢字", &[(1, 4)]);
        check("none", "short", &[]);
        assert_eq!(Needle::new(""), None);
    }
}
