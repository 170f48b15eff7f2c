//! The `delimiter` option of csv plugins.

use elspeth_plugin::OptionError;

/// The one byte between two fields.
pub(crate) fn parse_delimiter(text: &str) -> Result<u8, OptionError> {
    let refused = |message: &str| {
        Err(OptionError::new("delimiter", message)
            .with_help("write for example `,`, `;`, `|` or `\"\\t\"` for a tab"))
    };
    match text.as_bytes() {
        b"\\t" => Ok(b'\t'),
        [b'"' | b'\r' | b'\n' | 0] => refused("quotes, line ends and NUL cannot be the delimiter"),
        [byte] if byte.is_ascii() => Ok(*byte),
        [] => refused("the delimiter is empty"),
        _ => refused(&format!("the delimiter must be one ASCII character, but is `{text}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_ascii_character_that_csv_does_not_need_itself() {
        for (text, byte) in [(",", b','), ("\t", b'\t'), ("\\t", b'\t'), ("|", b'|'), (" ", b' ')] {
            assert_eq!(parse_delimiter(text), Ok(byte));
        }
        for text in ["", ",,", "\"", "\n", "\r", "\0", "\u{a7}"] {
            assert_eq!(parse_delimiter(text).unwrap_err().path, "delimiter", "{text:?}");
        }
    }
}
