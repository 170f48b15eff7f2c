//! Whether a file is in another encoding than the settings say, where its beginning leaves no doubt.
//!
//! A wrong encoding mostly shows itself by characters that are none. UTF-16 does not: nearly all bytes are some text in it, one
//! without line ends.

use encoding_rs::UTF_16BE;

use super::TextEncoding;

/// So long must a file be at least whose bytes tell that it is no UTF-16: fewer could be a few letters by chance.
const TELLING: usize = 16;

impl TextEncoding {
    /// The label of the encoding in which a file that begins with `head` is written, where that is certainly another one.
    /// `head` is a long stretch of it, or all.
    pub(crate) fn contradicted_by(self, head: &[u8]) -> Option<&'static str> {
        match head {
            // Whose order is the mark's.
            [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] if self == Self::Utf16 => None,
            [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] | [0xEF, 0xBB, 0xBF, ..] => self.continued_as(head),
            _ if !self.is_utf16() => None,
            _ if is_bytewise_text(head) => Some("utf-8"),
            _ => {
                let big = self == Self::Other(UTF_16BE);
                is_swapped(head, big).then_some(if big { "utf-16-le" } else { "utf-16-be" })
            }
        }
    }
}

/// Whether bytes without a mark are lines of UTF-8 or ASCII. In UTF-16, they would be a text without a line end, a blank, a
/// delimiter or a digit, all of whose letters were by chance pairs of such characters.
fn is_bytewise_text(head: &[u8]) -> bool {
    let begun = |e: &std::str::Utf8Error| e.error_len().is_none();
    head.len() >= TELLING
        && head.contains(&b'\n')
        && !head.iter().any(|byte| byte.is_ascii_control() && !matches!(byte, b'\t' | b'\n' | b'\r'))
        && std::str::from_utf8(head).map_or_else(|e| begun(&e), |_| true)
}

/// Whether UTF-16 of that order without a mark has its line ends in the other: there is U+0A00, which is no character, and no
/// line end.
fn is_swapped(head: &[u8], big: bool) -> bool {
    let (mut ends, mut swapped) = (false, false);
    for pair in head.chunks_exact(2) {
        match (pair, big) {
            ([0, b'\n' | b'\r'], true) | ([b'\n' | b'\r', 0], false) => ends = true,
            ([b'\n', 0], true) | ([0, b'\n'], false) => swapped = true,
            _ => {}
        }
    }
    swapped && !ends
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_certainly_in_another_encoding_is_told() {
        let wide = |text: &str, big: bool| -> Vec<u8> {
            text.encode_utf16()
                .flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() })
                .collect()
        };
        let table = "id,name\r\n1,caf\u{e9}\r\n2,\u{4e0a}\r\n";
        let marked = |mark: &[u8], text: Vec<u8>| [mark, &text].concat();
        let (little, big) = (wide(table, false), wide(table, true));
        let (marked_little, marked_big) =
            (marked(b"\xff\xfe", little.clone()), marked(b"\xfe\xff", big.clone()));
        let chinese = "\u{4e0a}\u{6d77}\u{5e02}".repeat(20);
        let cases: [(&str, &[u8], Option<&str>); 20] = [
            ("utf-16", table.as_bytes(), Some("utf-8")),
            ("utf-16-le", table.as_bytes(), Some("utf-8")),
            ("utf-16-be", table.as_bytes(), Some("utf-8")),
            ("utf-16", b"\xef\xbb\xbfid\n1\n", Some("utf-8")),
            ("utf-16-be", &marked_little, Some("utf-16")),
            ("utf-16-le", &marked_big, Some("utf-16-be")),
            ("utf-8", &marked_little, Some("utf-16")),
            ("ascii", &marked_big, Some("utf-16-be")),
            ("utf-16-be", &little, Some("utf-16-le")),
            ("utf-16-le", &big, Some("utf-16-be")),
            ("utf-16", &big, Some("utf-16-be")),
            ("utf-16", &marked_little, None),
            ("utf-16", &marked_big, None),
            ("utf-16", &little, None),
            ("utf-16-be", &big, None),
            ("utf-16-le", &marked_little, None),
            ("utf-16-le", &wide(&chinese, false), None),
            ("utf-16-be", &wide(&chinese, true), None),
            ("latin-1", &marked_little, None),
            ("utf-8", table.as_bytes(), None),
        ];
        for (label, head, expected) in cases {
            assert_eq!(
                TextEncoding::of_label(label).unwrap().contradicted_by(head),
                expected,
                "{label} {head:x?}"
            );
        }
    }
}
