//! Commands that are shown to be typed.

use std::borrow::Cow;

/// A word as a POSIX shell has to be given it: in quotes where it would be read as something else.
///
/// ```
/// assert_eq!(elspeth_app::shell_word("state/audit.db"), "state/audit.db");
/// assert_eq!(elspeth_app::shell_word("my records/a$b.db"), "'my records/a$b.db'");
/// ```
#[must_use]
pub fn shell_word(word: &str) -> Cow<'_, str> {
    // A word with a NUL cannot be given at all.
    shlex::try_quote(word).unwrap_or(Cow::Borrowed(word))
}
