//! How values and hashes look to people.

use elspeth_canonical::ContentHash;
use elspeth_value::Value;

/// The most characters of a value that are shown in a line.
const WIDTH: usize = 120;

/// The first 12 digits of a hash.
pub(crate) fn short_hash(hash: ContentHash) -> String {
    hash.to_string().chars().take(12).collect()
}

/// A value as JSON, cut when it is long.
pub(crate) fn value_text(value: &Value) -> String {
    let mut json = Vec::new();
    value.write_json(&mut json);
    abridged(&String::from_utf8_lossy(&json))
}

/// At most [`WIDTH`] characters of a text, and how many more there are.
pub(crate) fn abridged(text: &str) -> String {
    match text.char_indices().nth(WIDTH) {
        None => text.to_owned(),
        Some((cut, _)) => format!("{}… ({} more characters)", &text[..cut], text[cut..].chars().count()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(abridged("short"), "short");
        assert_eq!(abridged(&"ä".repeat(WIDTH)), "ä".repeat(WIDTH));
        assert_eq!(abridged(&"ä".repeat(WIDTH + 3)), format!("{}… (3 more characters)", "ä".repeat(WIDTH)));
    }
}
