//! Texts as they may be shown on a terminal: what a record or a receipt says may come from anybody.

use alloc::string::String;

/// A text on one line, without what a terminal would obey: control characters (line ends too), and those that break lines or
/// turn the direction of writing, stand as `\u{1b}`.
///
/// ```
/// assert_eq!(elspeth_proof::printable("a\u{1b}[2Jb\nc"), "a\\u{1b}[2Jb\\u{a}c");
/// ```
#[must_use]
pub fn printable(text: &str) -> String {
    escaped(text, |_| false)
}

/// The same for a text of several lines: line ends and tabs stay.
#[must_use]
pub fn printable_lines(text: &str) -> String {
    escaped(text, |c| matches!(c, '\n' | '\t'))
}

fn escaped(text: &str, stays: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if rules(c) && !stays(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    out
}

/// Whether a terminal does something at a character instead of showing it.
fn rules(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::{printable, printable_lines};

    #[test]
    fn what_rules_a_terminal_is_shown_and_not_obeyed() {
        let cases = [
            ("plain, ä, 漢, 😀, a\u{301}", "plain, ä, 漢, 😀, a\u{301}"),
            ("\u{1b}]0;x\u{7}", "\\u{1b}]0;x\\u{7}"),
            ("a\r\nb\tc", "a\\u{d}\\u{a}b\\u{9}c"),
            ("\u{9b}31m\u{7f}", "\\u{9b}31m\\u{7f}"),
            ("a\u{2028}b\u{2029}c", "a\\u{2028}b\\u{2029}c"),
            ("\u{202a}\u{202e}\u{2066}\u{2069}", "\\u{202a}\\u{202e}\\u{2066}\\u{2069}"),
        ];
        for (text, expected) in cases {
            assert_eq!(printable(text), expected);
        }
        assert_eq!(printable_lines("a\n\tb\r\u{1b}\u{202e}"), "a\n\tb\\u{d}\\u{1b}\\u{202e}");
    }
}
