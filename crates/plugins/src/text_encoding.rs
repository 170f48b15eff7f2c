//! Between the bytes of a file and UTF-8, by the names that settings use for encodings.

mod mistaken;

use std::borrow::Cow;

use elspeth_plugin::OptionError;
use elspeth_value::Value;
use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// Stands in the decoded text before each byte that is not valid in the file's encoding: the byte's two halves follow, each
/// as a byte from 0x80 to 0x8F. It is never valid UTF-8, so that the record which holds it is found to be malformed, and
/// none of the three is a line end, a quote or a delimiter.
const MARK: u8 = 0xFF;

/// So many bytes at most are one malformed sequence, with those behind it that the decoder has looked at.
const LONGEST_FAULT: usize = 8;

/// Labels of ASCII and of ISO 8859-1, with hyphens. The Encoding Standard takes most of them for windows-1252, Python for what
/// they say.
const ASCII: [&str; 13] = [
    "ascii",
    "us-ascii",
    "us",
    "646",
    "ansi-x3-4-1968",
    "ansi-x3.4-1968",
    "ansi-x3.4-1986",
    "cp367",
    "csascii",
    "ibm367",
    "iso646-us",
    "iso-646.irv-1991",
    "iso-ir-6",
];
const LATIN1: [&str; 15] = [
    "latin-1",
    "latin1",
    "latin",
    "l1",
    "iso-8859-1",
    "iso8859-1",
    "iso88591",
    "iso8859",
    "8859",
    "iso-8859-1:1987",
    "iso-8859-1-1987",
    "iso-ir-100",
    "cp819",
    "ibm819",
    "csisolatin1",
];

/// What others call encodings that the Encoding Standard has under another label.
const ALIASES: [(&str, &str); 12] = [
    ("cp932", "shift_jis"),
    ("ms932", "shift_jis"),
    ("cp936", "gbk"),
    ("ms936", "gbk"),
    ("cp949", "euc-kr"),
    ("ms949", "euc-kr"),
    ("uhc", "euc-kr"),
    ("mac-roman", "macintosh"),
    ("macroman", "macintosh"),
    ("latin9", "iso-8859-15"),
    ("latin-9", "iso-8859-15"),
    ("cp65001", "utf-8"),
];

/// How a text file's characters are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextEncoding {
    /// UTF-8; read and written as it is.
    Utf8,
    /// UTF-8 that is written with a byte order mark.
    Utf8Marked,
    /// ASCII: no byte is over 127.
    Ascii,
    /// ISO 8859-1: each byte is the character of that number.
    Latin1,
    /// UTF-16, little endian unless a byte order mark says otherwise; written with one.
    Utf16,
    /// Any other that the Encoding Standard names.
    Other(&'static Encoding),
}

/// Decodes a stream piece by piece.
pub(crate) enum StreamDecoder {
    Utf8,
    Ascii,
    Latin1,
    Other(Box<MarkingDecoder>),
}

/// A decoder that keeps the bytes of what it cannot decode.
pub(crate) struct MarkingDecoder {
    decoder: Decoder,
    /// The last bytes of earlier pieces: a sequence can begin there.
    before: Vec<u8>,
}

impl TextEncoding {
    /// The encoding of a label such as `utf-8`, `latin-1`, `cp1252`, `shift_jis`.
    pub(crate) fn of_label(label: &str) -> Result<Self, OptionError> {
        let plain = label.trim().to_ascii_lowercase().replace('_', "-");
        let alias = ALIASES.iter().find(|(alias, _)| *alias == plain);
        let plain = alias.map_or(plain, |(_, label)| (*label).to_owned());
        match plain.as_str() {
            "utf-8" | "utf8" => return Ok(Self::Utf8),
            "utf-8-sig" => return Ok(Self::Utf8Marked),
            label if ASCII.contains(&label) => return Ok(Self::Ascii),
            label if LATIN1.contains(&label) => return Ok(Self::Latin1),
            "utf-16" | "utf16" => return Ok(Self::Utf16),
            "utf-16-le" => return Ok(Self::Other(UTF_16LE)),
            "utf-16-be" => return Ok(Self::Other(UTF_16BE)),
            _ => {}
        }
        [label, &plain, &plain.replace('-', "_"), &plain.replace("cp", "windows-")]
            .iter()
            .find_map(|candidate| Encoding::for_label_no_replacement(candidate.as_bytes()))
            .map(Self::Other)
            .ok_or_else(|| {
                OptionError::new("encoding", format!("`{label}` is not a known text encoding"))
                    .with_help("write for example `utf-8`, `latin-1`, `cp1252`, `utf-16` or `shift_jis`")
            })
    }

    /// The name for messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Utf8 | Self::Utf8Marked => "UTF-8",
            Self::Ascii => "ASCII",
            Self::Latin1 => "ISO-8859-1",
            Self::Utf16 => "UTF-16",
            Self::Other(encoding) => encoding.name(),
        }
    }

    /// What a new file begins with.
    pub(crate) fn mark(self) -> &'static [u8] {
        match self {
            Self::Utf8Marked => b"\xEF\xBB\xBF",
            Self::Utf16 => b"\xFF\xFE",
            Self::Utf8 | Self::Ascii | Self::Latin1 | Self::Other(_) => b"",
        }
    }

    /// The label of the encoding in which a file that begins so is to be continued, where that is another one by its byte
    /// order mark.
    pub(crate) fn continued_as(self, head: &[u8]) -> Option<&'static str> {
        let little = match head {
            [0xFF, 0xFE, ..] => true,
            [0xFE, 0xFF, ..] => false,
            [0xEF, 0xBB, 0xBF, ..] if self.is_utf16() => return Some("utf-8"),
            _ => return None,
        };
        let fits = match self {
            Self::Utf16 => little,
            Self::Other(encoding) if encoding == UTF_16LE => little,
            Self::Other(encoding) if encoding == UTF_16BE => !little,
            // No text in them begins with such bytes.
            Self::Utf8 | Self::Utf8Marked | Self::Ascii => false,
            Self::Latin1 | Self::Other(_) => true,
        };
        (!fits).then_some(if little { "utf-16" } else { "utf-16-be" })
    }

    fn is_utf16(self) -> bool {
        match self {
            Self::Utf8 | Self::Utf8Marked | Self::Ascii | Self::Latin1 => false,
            Self::Utf16 => true,
            Self::Other(encoding) => encoding == UTF_16LE || encoding == UTF_16BE,
        }
    }

    /// Whether every character can be written.
    pub(crate) fn holds_everything(self) -> bool {
        match self {
            Self::Utf8 | Self::Utf8Marked | Self::Utf16 => true,
            Self::Ascii | Self::Latin1 => false,
            Self::Other(encoding) => self.is_utf16() || encoding == UTF_8,
        }
    }

    /// Appends `text`; gives the first character that cannot be written, and then appends nothing.
    pub(crate) fn encode(self, text: &str, out: &mut Vec<u8>) -> Result<(), char> {
        match self {
            Self::Utf8 | Self::Utf8Marked => out.extend_from_slice(text.as_bytes()),
            Self::Ascii => encode_bytewise(text, 0x7F, out)?,
            Self::Latin1 => encode_bytewise(text, 0xFF, out)?,
            Self::Utf16 => out.extend(text.encode_utf16().flat_map(u16::to_le_bytes)),
            Self::Other(encoding) if encoding == UTF_16LE => {
                out.extend(text.encode_utf16().flat_map(u16::to_le_bytes))
            }
            Self::Other(encoding) if encoding == UTF_16BE => {
                out.extend(text.encode_utf16().flat_map(u16::to_be_bytes))
            }
            Self::Other(encoding) => {
                let (bytes, _, replaced) = encoding.encode(text);
                if replaced {
                    let unknown = |c: &char| encoding.encode(c.encode_utf8(&mut [0; 4])).2;
                    return Err(text.chars().find(unknown).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                out.extend_from_slice(&bytes);
            }
        }
        Ok(())
    }

    /// Decoded text for the record of what is malformed: a text where it is one, else the bytes of the file, so that
    /// different ones stay different.
    pub(crate) fn recorded(self, text: &[u8]) -> Value {
        match std::str::from_utf8(text) {
            Ok(text) => Value::Str(text.into()),
            Err(_) => Value::Bytes(self.bytes_of(text).into()),
        }
    }

    /// The sentence for a record of which only the beginning is text.
    pub(crate) fn not_text_from(self, beginning: &[u8]) -> String {
        let at = self.bytes_of(beginning).len() + 1;
        format!("the record is not valid {} from its byte {at} on", self.name())
    }

    /// The bytes of the file of which `text` was decoded. Where an encoding has several ways to write a character, it is
    /// the one in which [`Self::encode`] writes it; a character that is only read stays in UTF-8.
    fn bytes_of(self, text: &[u8]) -> Cow<'_, [u8]> {
        match self {
            Self::Utf8 | Self::Utf8Marked => return Cow::Borrowed(text),
            Self::Ascii | Self::Latin1 | Self::Utf16 | Self::Other(_) => {}
        }
        let mut bytes = Vec::with_capacity(text.len());
        let mut parts = text.split(|byte| *byte == MARK);
        self.encode_back(parts.next().unwrap_or_default(), &mut bytes);
        // A mark at the end of a text that was cut may lack its halves.
        for ([high, low], rest) in parts.filter_map(|part| part.split_first_chunk()) {
            bytes.push((high & 0x0F) << 4 | low & 0x0F);
            self.encode_back(rest, &mut bytes);
        }
        Cow::Owned(bytes)
    }

    fn encode_back(self, text: &[u8], bytes: &mut Vec<u8>) {
        for text in text.utf8_chunks().map(|chunk| chunk.valid()) {
            if self.encode(text, bytes).is_ok() {
                continue;
            }
            for c in text.chars() {
                let c = c.to_string();
                if self.encode(&c, bytes).is_err() {
                    bytes.extend_from_slice(c.as_bytes());
                }
            }
        }
    }

    /// A decoder at the beginning of a stream.
    pub(crate) fn decoder(self) -> StreamDecoder {
        let marking =
            |decoder| StreamDecoder::Other(Box::new(MarkingDecoder { decoder, before: Vec::new() }));
        match self {
            Self::Utf8 | Self::Utf8Marked => StreamDecoder::Utf8,
            Self::Ascii => StreamDecoder::Ascii,
            Self::Latin1 => StreamDecoder::Latin1,
            Self::Utf16 => marking(UTF_16LE.new_decoder()),
            Self::Other(encoding) => marking(encoding.new_decoder_with_bom_removal()),
        }
    }
}

impl StreamDecoder {
    /// Whether text and file are the same bytes.
    pub(crate) fn is_identity(&self) -> bool {
        matches!(self, Self::Utf8)
    }

    /// The encoding, where the stream's byte order mark has told more than the settings say.
    pub(crate) fn found(&self, declared: TextEncoding) -> TextEncoding {
        match self {
            Self::Other(marking)
                if declared == TextEncoding::Utf16 && marking.decoder.encoding() == UTF_16BE =>
            {
                TextEncoding::Other(UTF_16BE)
            }
            Self::Utf8 | Self::Ascii | Self::Latin1 | Self::Other(_) => declared,
        }
    }

    /// Appends the text of the next piece of the file; `last` when nothing follows.
    pub(crate) fn decode(&mut self, piece: &[u8], last: bool, text: &mut Vec<u8>) {
        match self {
            Self::Utf8 => text.extend_from_slice(piece),
            Self::Ascii => {
                for part in piece.chunk_by(|a, b| a.is_ascii() == b.is_ascii()) {
                    match part.is_ascii() {
                        true => text.extend_from_slice(part),
                        false => mark_fault(part, text),
                    }
                }
            }
            Self::Latin1 => {
                let start = text.len();
                text.resize(start + 2 * piece.len(), 0);
                let written = encoding_rs::mem::convert_latin1_to_utf8(piece, &mut text[start..]);
                text.truncate(start + written);
            }
            Self::Other(marking) => marking.decode(piece, last, text),
        }
    }
}

/// For encodings in which each character up to `last` is the byte of its number.
fn encode_bytewise(text: &str, last: u8, out: &mut Vec<u8>) -> Result<(), char> {
    let start = out.len();
    for c in text.chars() {
        match u8::try_from(c) {
            Ok(byte) if byte <= last => out.push(byte),
            _ => {
                out.truncate(start);
                return Err(c);
            }
        }
    }
    Ok(())
}

impl MarkingDecoder {
    fn decode(&mut self, piece: &[u8], last: bool, text: &mut Vec<u8>) {
        let mut at = 0;
        loop {
            let rest = &piece[at..];
            let room = self
                .decoder
                .max_utf8_buffer_length_without_replacement(rest.len())
                .expect("a piece is far smaller than the address space");
            let start = text.len();
            text.resize(start + room, 0);
            let (result, read, written) =
                self.decoder.decode_to_utf8_without_replacement(rest, &mut text[start..], last);
            text.truncate(start + written);
            at += read;
            match result {
                DecoderResult::InputEmpty => break,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(length, behind) => {
                    let (length, behind) = (usize::from(length), usize::from(behind));
                    let mut seen = self.before.clone();
                    seen.extend_from_slice(&piece[at.saturating_sub(LONGEST_FAULT)..at]);
                    let end = seen.len().saturating_sub(behind);
                    mark_fault(&seen[end.saturating_sub(length)..end], text);
                }
            }
        }
        self.before.extend_from_slice(&piece[piece.len().saturating_sub(LONGEST_FAULT)..]);
        self.before.drain(..self.before.len().saturating_sub(LONGEST_FAULT));
    }
}

fn mark_fault(bytes: &[u8], text: &mut Vec<u8>) {
    text.extend(bytes.iter().flat_map(|byte| [MARK, 0x80 | byte >> 4, 0x80 | byte & 0x0F]));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(label: &str, bytes: &[u8], piece: usize) -> Vec<u8> {
        let mut decoder = TextEncoding::of_label(label).unwrap().decoder();
        let mut text = Vec::new();
        for chunk in bytes.chunks(piece) {
            decoder.decode(chunk, false, &mut text);
        }
        decoder.decode(&[], true, &mut text);
        text
    }

    #[test]
    fn text_does_not_depend_on_how_the_file_is_cut() {
        let cases: &[(&str, &[u8], &str)] = &[
            ("latin-1", b"caf\xe9\x85", "caf\u{e9}\u{85}"),
            ("cp1252", b"\x80 5", "\u{20ac} 5"),
            ("windows_1252", b"\x80 5", "\u{20ac} 5"),
            ("utf-16", b"\xff\xfea\0\xac\x20", "a\u{20ac}"),
            ("utf-16", b"\xfe\xff\0a\x20\xac", "a\u{20ac}"),
            ("UTF_16_BE", b"\0a\x20\xac", "a\u{20ac}"),
            ("shift_jis", b"\x83\x65\x83\x58\x83\x67", "\u{30c6}\u{30b9}\u{30c8}"),
            ("gbk", b"\xc4\xe3", "\u{4f60}"),
            ("CP932", b"\x87\x40\xfb\xfc", "\u{2460}\u{9ad9}"),
            ("cp936", b"\xc4\xe3", "\u{4f60}"),
            ("cp949", b"\x81\x41\xb0\xa1", "\u{ac02}\u{ac00}"),
            ("mac_roman", b"\xa5\xdb", "\u{2022}\u{20ac}"),
            ("latin9", b"\xa4", "\u{20ac}"),
            ("cp65001", b"\xc3\xa9", "\u{e9}"),
        ];
        for (label, bytes, expected) in cases {
            for piece in 1..=bytes.len() {
                assert_eq!(decoded(label, bytes, piece), expected.as_bytes(), "{label} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn bytes_that_are_no_character_leave_a_mark_that_is_no_utf8() {
        let text = decoded("shift_jis", b"a\x83", 1);
        assert_eq!(text, [b'a', MARK, 0x88, 0x83]);
        assert!(std::str::from_utf8(&text).is_err());
    }

    #[test]
    fn of_malformed_text_the_bytes_of_the_file_are_recorded() {
        let all: Vec<u8> = (0..=255).chain(*b"z").collect();
        let one_byte = [
            "ascii",
            "cp866",
            "iso-8859-2",
            "iso-8859-3",
            "iso-8859-4",
            "iso-8859-5",
            "iso-8859-6",
            "iso-8859-7",
            "iso-8859-8",
            "iso-8859-10",
            "iso-8859-13",
            "iso-8859-14",
            "iso-8859-15",
            "iso-8859-16",
            "koi8-r",
            "koi8-u",
            "macintosh",
            "cp874",
            "cp1250",
            "cp1251",
            "cp1252",
            "cp1253",
            "cp1254",
            "cp1255",
            "cp1256",
            "cp1257",
            "cp1258",
        ];
        let several: &[(&str, &[u8])] = &[
            ("utf-16-le", b"a\0\x00\xd8b\0\xac\x20\x01\xdc\x3d\xd8\x00\xde7"),
            ("utf-16-be", b"\0a\xd8\x00\0b\x20\xac\xdc\x01\xd8\x3d\xde\x00\0"),
            ("shift_jis", b"\x83\x65\x83\x58\xfd\x83\x0a\xa0\xff,\x83"),
            ("gbk", b"\xc4\xe3\xff\xc4\x0a\xc4"),
            ("gb18030", b"\x81\x30\x81\x30\x81\x30\x81\xff\x81\x30"),
            ("euc-jp", b"\xa4\xa2\x8f\xa1\xff\x8fa"),
            ("euc-kr", b"\xb0\xa1\xff\xb0"),
            ("big5", b"\xa4\x40\xff\xa4\x0a\xa4"),
        ];
        let cases = one_byte.map(|label| (label, &all[..]));
        for (label, bytes) in cases.iter().chain(several) {
            let encoding = TextEncoding::of_label(label).unwrap();
            for piece in [1, 2, 3, bytes.len()] {
                let text = decoded(label, bytes, piece);
                assert_eq!(encoding.bytes_of(&text), *bytes, "{label} in pieces of {piece}");
            }
        }
        let cut = [b'a', MARK, 0x8E, 0x89, b'b', MARK, 0x8E];
        assert_eq!(TextEncoding::Ascii.recorded(&cut), Value::Bytes(Box::from(*b"a\xe9b")));
        assert_eq!(TextEncoding::Ascii.recorded(b"a"), Value::Str("a".into()));
    }

    #[test]
    fn labels_of_latin1_and_ascii_mean_just_that() {
        for label in
            ["cp819", "ISO_8859-1:1987", "iso-ir-100", "IBM819", "csISOLatin1", "latin", "iso88591", "8859"]
        {
            assert_eq!(TextEncoding::of_label(label), Ok(TextEncoding::Latin1), "{label}");
        }
        for label in ["ascii", "US-ASCII", "ANSI_X3.4-1968", "iso646_us", "cp367", "646"] {
            assert_eq!(TextEncoding::of_label(label), Ok(TextEncoding::Ascii), "{label}");
        }
        for label in ["cp1252", "windows-1252", "x-cp1252"] {
            assert_eq!(TextEncoding::of_label(label).unwrap().name(), "windows-1252", "{label}");
        }
        for label in [
            "iso-8859-2",
            "iso-8859-8",
            "iso-8859-10",
            "iso-8859-13",
            "iso-8859-16",
            "koi8-u",
            "cp1250",
            "cp1258",
        ] {
            assert!(TextEncoding::of_label(label).is_ok(), "{label}");
        }
        for (label, name) in
            [("iso-8859-9", "windows-1254"), ("iso-8859-11", "windows-874"), ("gb2312", "GBK")]
        {
            assert_eq!(TextEncoding::of_label(label).unwrap().name(), name);
        }
        assert_eq!(decoded("ascii", b"ab\xc3\xa9", 1), [b'a', b'b', MARK, 0x8C, 0x83, MARK, 0x8A, 0x89]);
        assert_eq!(decoded("cp819", b"\x80", 1), "\u{80}".as_bytes());
    }

    #[test]
    fn what_is_written_reads_back_and_what_cannot_be_written_is_named() {
        for label in
            ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "latin-1", "cp1252", "shift_jis", "iso-2022-jp"]
        {
            let encoding = TextEncoding::of_label(label).unwrap();
            let mut bytes = encoding.mark().to_vec();
            encoding.encode("abc", &mut bytes).unwrap();
            let back = decoded(label, &bytes, 1);
            assert!(back.ends_with(b"abc"), "{label}: {back:?}");
        }
        for (label, text, refused) in [
            ("ascii", "a\u{e9}", '\u{e9}'),
            ("latin-1", "\u{20ac}", '\u{20ac}'),
            ("shift_jis", "x\u{1f600}", '\u{1f600}'),
        ] {
            let mut out = vec![1];
            assert_eq!(TextEncoding::of_label(label).unwrap().encode(text, &mut out), Err(refused));
            assert_eq!(out, [1]);
        }
    }

    #[test]
    fn an_unknown_label_is_refused_with_examples() {
        let error = TextEncoding::of_label("klingon").unwrap_err();
        assert_eq!(error.path, "encoding");
        assert!(error.help.unwrap().contains("latin-1"));
    }
}
