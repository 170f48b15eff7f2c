//! Names of tables and columns in SQL.

/// A name as SQL: in double quotes, with those inside doubled, so that any name is a name and nothing else.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_whatever_is_in_them() {
        assert_eq!(quoted("plain"), "\"plain\"");
        assert_eq!(quoted("a\"b]; DROP TABLE x; --"), "\"a\"\"b]; DROP TABLE x; --\"");
    }
}
