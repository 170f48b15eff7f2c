//! Messages for names that are not there.

use crate::fault::Fault;

use std::borrow::Cow;

/// As many names as a message lists.
const LISTED: usize = 20;

/// Characters of a listed name that a message shows.
const SHOWN: usize = 40;

/// Characters of a name that can be near to another; more of a missing name are not shown either.
const COMPARED: usize = 64;

/// As many names as are looked at for one that is near.
const LOOKED_AT: usize = 256;

/// `what name; did you mean ...? there are: ...`
pub(crate) fn missing(what: &str, name: &str, names: &[&str]) -> Fault {
    let meant = nearest(name, names).map(|near| format!(", did you mean '{near}'?")).unwrap_or_default();
    Fault::new(format!("{what} '{}'{meant}; {}", shortened(name, COMPARED), listing(names)))
}

/// The name that was probably meant, among the first that are no longer than names usually are.
pub(crate) fn nearest<'n>(name: &str, names: &[&'n str]) -> Option<&'n str> {
    if is_long(name) {
        return None;
    }
    let normal = normalised(name);
    let near = names.iter().copied().filter(|other| !is_long(other)).take(LOOKED_AT);
    let near: Vec<_> = near.map(|other| (normalised(other), other)).collect();
    let alike = near.iter().find(|(other, _)| *other == normal).map(|(_, other)| *other);
    // A name of one or two letters is near to everything.
    let allowed = match name.chars().count() {
        0..3 => 0,
        length => length / 3,
    };
    alike.or_else(|| {
        let scored = near.iter().map(|(other, shown)| (strsim::damerau_levenshtein(&normal, other), *shown));
        scored
            .filter(|(distance, _)| *distance <= allowed)
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, near)| near)
    })
}

fn is_long(name: &str) -> bool {
    name.chars().nth(COMPARED).is_some()
}

/// A name by its first characters, so many of them at most.
fn shortened(name: &str, most: usize) -> Cow<'_, str> {
    match name.char_indices().nth(most) {
        Some((end, _)) => Cow::Owned(format!("{}...", &name[..end])),
        None => Cow::Borrowed(name),
    }
}

/// The names that exist, in words.
pub(crate) fn listing(names: &[&str]) -> String {
    if names.is_empty() {
        return "there are none".to_owned();
    }
    let listed = names.iter().take(LISTED).map(|name| shortened(name, SHOWN));
    let listed = listed.collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(LISTED) {
        0 => format!("there are: {listed}"),
        more => format!("there are: {listed} and {more} more"),
    }
}

/// Close enough to what the source does with headers to find a field by its header.
fn normalised(name: &str) -> String {
    let words = name.trim().to_lowercase();
    words.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use crate::api::Span;

    use super::{listing, missing, nearest};

    #[test]
    fn long_names_are_near_to_nothing_and_are_listed_by_their_beginning() {
        let long = "ab".repeat(33);
        assert_eq!(nearest(&long, &[&long]), None);
        assert_eq!(nearest("amuont", &[&long, "amount"]), Some("amount"));
        let fits = "x".repeat(40);
        assert_eq!(listing(&[&fits, &long]), format!("there are: {fits}, {}...", &long[..40]));
    }

    #[test]
    fn a_name_of_megabytes_is_quoted_by_its_beginning() {
        let name = "\u{e9}".repeat(3 << 20);
        let error = missing("the dict has no key", &name, &["id"]).at(Span { start: 0, end: 1 });
        assert_eq!(error.message, format!("the dict has no key '{}...'; there are: id", "\u{e9}".repeat(64)));
    }

    #[test]
    fn few_names_are_looked_at_however_many_there_are() {
        let mut names = vec!["quite another one"; 255];
        names.push("amount");
        assert_eq!(nearest("amuont", &names), Some("amount"));
        names.insert(0, "one more");
        assert_eq!(nearest("amuont", &names), None);
    }
}
