//! Messages for names that are not there.

use crate::fault::Fault;

/// As many names as a message lists.
const LISTED: usize = 20;

/// `what name; did you mean ...? there are: ...`
pub(crate) fn missing(what: &str, name: &str, names: &[&str]) -> Fault {
    let meant = nearest(name, names).map(|near| format!(", did you mean '{near}'?")).unwrap_or_default();
    Fault::new(format!("{what} '{name}'{meant}; {}", listing(names)))
}

/// The name that was probably meant.
pub(crate) fn nearest<'n>(name: &str, names: &[&'n str]) -> Option<&'n str> {
    let normal = normalised(name);
    let alike = names.iter().copied().find(|other| normalised(other) == normal);
    // A name of one or two letters is near to everything.
    let allowed = match name.chars().count() {
        0..3 => 0,
        length => length / 3,
    };
    alike.or_else(|| {
        let scored =
            names.iter().map(|other| (strsim::damerau_levenshtein(&normal, &normalised(other)), *other));
        scored
            .filter(|(distance, _)| *distance <= allowed)
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, near)| near)
    })
}

/// The names that exist, in words.
pub(crate) fn listing(names: &[&str]) -> String {
    if names.is_empty() {
        return "there are none".to_owned();
    }
    let listed = names.iter().take(LISTED).copied().collect::<Vec<_>>().join(", ");
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
