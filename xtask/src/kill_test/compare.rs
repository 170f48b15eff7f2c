//! Everything that a run leaves, in a form that can be compared.

use std::collections::BTreeMap;
use std::path::Path;

use super::kept::Kept;
use super::{outputs, record};
use crate::error::Error;

/// What a run left: texts by what they are.
pub(super) struct Snapshot {
    texts: BTreeMap<String, String>,
    rows: u64,
}

impl Snapshot {
    /// Of the run in `folder`.
    ///
    /// # Errors
    /// When something cannot be read, or the record contradicts itself.
    pub(super) fn of(folder: &Path, kept: &Kept<'_>) -> Result<Self, Error> {
        let mut texts = outputs::read(folder)?;
        let (record, rows) = record::read(&kept.open(folder)?, &outputs::with_times(&texts))?;
        texts.extend(record);
        Ok(Self { texts, rows })
    }

    /// Rows recorded.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// The first thing in which this is not what `expected` is.
    pub(super) fn first_difference(&self, expected: &Self) -> Option<String> {
        for what in expected.texts.keys().chain(self.texts.keys()) {
            match (self.texts.get(what), expected.texts.get(what)) {
                (Some(found), Some(wanted)) => {
                    if let Some(difference) = first_differing_line(what, found, wanted) {
                        return Some(difference);
                    }
                }
                (Some(_), None) => return Some(format!("{what} is there, but the twin has none")),
                (None, _) => return Some(format!("{what} is missing")),
            }
        }
        None
    }
}

/// The first line in which texts differ.
pub(super) fn first_differing_line(what: &str, found: &str, expected: &str) -> Option<String> {
    if found == expected {
        return None;
    }
    let (mut ours, mut theirs) = (found.split('\n'), expected.split('\n'));
    let mut line = 1;
    loop {
        match (ours.next(), theirs.next()) {
            (Some(here), Some(there)) if here == there => line += 1,
            (here, there) => {
                let same = common_beginning(here.unwrap_or_default(), there.unwrap_or_default());
                let shown =
                    |side: Option<&str>| side.map_or("no such line".to_owned(), |line| shortened(line, same));
                return Some(format!(
                    "{what}, line {line}:\n  is       {}\n  expected {}",
                    shown(here),
                    shown(there)
                ));
            }
        }
    }
}

/// How many characters are the same before the first that differs.
fn common_beginning(here: &str, there: &str) -> usize {
    here.chars().zip(there.chars()).take_while(|(a, b)| a == b).count()
}

/// What is around the difference, after `same` characters.
fn shortened(line: &str, same: usize) -> String {
    const BEFORE: usize = 60;
    const MOST: usize = 240;
    let from = same.saturating_sub(BEFORE);
    let shown: String = line.chars().skip(from).take(MOST).collect();
    let begin = if from > 0 { "..." } else { "" };
    let end = if line.chars().count() > from + MOST { "..." } else { "" };
    format!("{begin}{shown}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_differing_line_is_told() {
        assert_eq!(first_differing_line("x", "a\nb\n", "a\nb\n"), None);
        let told = first_differing_line("x", "a\nb", "a\nc").unwrap();
        assert_eq!(told, "x, line 2:\n  is       b\n  expected c");
        let told = first_differing_line("x", "a\n", "a").unwrap();
        assert_eq!(told, "x, line 2:\n  is       \n  expected no such line");
    }

    #[test]
    fn missing_and_additional_texts_are_told() {
        let of = |names: &[&str]| Snapshot {
            texts: names.iter().map(|name| ((*name).to_owned(), String::new())).collect(),
            rows: 0,
        };
        assert_eq!(of(&["a", "b"]).first_difference(&of(&["a", "b"])), None);
        assert_eq!(of(&["a"]).first_difference(&of(&["a", "b"])).unwrap(), "b is missing");
        assert_eq!(
            of(&["a", "b"]).first_difference(&of(&["a"])).unwrap(),
            "b is there, but the twin has none"
        );
    }
}
