/// The candidate that `name` was probably meant to be.
///
/// At most a third of the letters may differ (swapped neighbours count once), or one of two, so that advice is rarely
/// silly.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let letters = name.chars().count();
    let limit = if letters > 1 { (letters / 3).max(1) } else { 0 };
    let lower = name.to_lowercase();
    // So many letters differ at least; comparing each is what takes long.
    let may_be_near = |candidate: &str| candidate.chars().count().abs_diff(letters) <= limit;
    candidates
        .into_iter()
        .filter(|candidate| *candidate != name && may_be_near(candidate))
        .map(|candidate| (strsim::osa_distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Advice for a name that does not exist: the nearest one, else the list of those that do.
#[must_use]
pub fn advise<'a>(name: &str, what: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = candidates.into_iter().collect();
    names.sort_unstable();
    names.dedup();
    if let Some(near) = nearest(name, names.iter().copied()) {
        return format!("did you mean `{near}`?");
    }
    if names.is_empty() {
        return format!("there are no {what}");
    }
    let shown: Vec<String> = names.iter().take(12).map(|n| format!("`{n}`")).collect();
    let rest = names.len().saturating_sub(12);
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    format!("{what}: {}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_its_name() {
        assert_eq!(nearest("hgih", ["low", "high"]), Some("high"));
        assert_eq!(nearest("Output", ["output"]), Some("output"));
    }

    #[test]
    fn a_different_word_finds_nothing() {
        assert_eq!(nearest("rejected", ["output", "high"]), None);
        assert_eq!(nearest("a", ["b", "c"]), None);
        assert_eq!(advise("rejected", "sinks", ["b", "a"]), "sinks: `a`, `b`");
        assert_eq!(advise("rejected", "sinks", []), "there are no sinks");
    }
}
