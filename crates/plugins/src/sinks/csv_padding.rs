//! Makes all records of a csv file as long as its header, when columns came after the first record; and back again.
//!
//! Cells are never parsed: a record ends at a line end outside of quotes, and gets or loses delimiters at its end. One
//! record at a time is in memory.

use std::io::{self, Read, Write};

use super::csv_columns::Growth;
use super::csv_text::encode_line;
use super::staged_file::Rewriting;
use crate::text_encoding::{StreamDecoder, TextEncoding};

const PIECE: usize = 1024 * 1024;

/// How the short records of one file become long.
#[derive(Debug)]
pub(crate) struct Padding {
    pub encoding: TextEncoding,
    pub delimiter: u8,
    /// The header line as it was staged, with the byte order mark.
    pub short_header: Vec<u8>,
    /// The header line as it will be, with the byte order mark.
    pub long_header: Vec<u8>,
    /// How many columns there are in the end.
    pub columns: usize,
    /// Which records have fewer, oldest first.
    pub grown: Vec<Growth>,
}

impl Rewriting for Padding {
    fn rewrite(&self, staged: &mut dyn Read, published: &mut dyn Write) -> io::Result<()> {
        self.convert(staged, published, (&self.short_header, &self.long_header), |record, width, line| {
            self.pad(record, width, line);
            Ok(())
        })
    }

    fn restore(&self, published: &mut dyn Read, staged: &mut dyn Write) -> io::Result<()> {
        self.convert(published, staged, (&self.long_header, &self.short_header), |record, width, line| {
            self.cut(record, width, line).ok_or_else(|| malformed("a record is not padded"))
        })
    }
}

impl Padding {
    fn convert(
        &self,
        from: &mut dyn Read,
        to: &mut dyn Write,
        (header, other_header): (&[u8], &[u8]),
        each: impl Fn(&[u8], usize, &mut Vec<u8>) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut begin = vec![0; header.len()];
        from.read_exact(&mut begin)?;
        if begin != header {
            return Err(malformed("it has another header line"));
        }
        to.write_all(other_header)?;
        // The decoder is to have seen the beginning: what looks like a byte order mark behind it is text.
        let mut decoder = self.encoding.decoder();
        decoder.decode(&begin, false, &mut Vec::new());
        let mut widths = Widths { grown: &self.grown, columns: self.columns, records: 0 };
        let (mut line, mut encoded) = (Vec::new(), Vec::new());
        each_record(from, decoder, |record| {
            line.clear();
            each(record, widths.next(), &mut line)?;
            line.push(b'\n');
            let text = std::str::from_utf8(&line).map_err(|_| malformed("a record is no text"))?;
            encoded.clear();
            encode_line(self.encoding, text, &mut encoded)
                .map_err(|_| malformed("a record has a character that the encoding has not"))?;
            to.write_all(&encoded)
        })
    }

    fn pad(&self, record: &[u8], width: usize, out: &mut Vec<u8>) {
        if !is_lone_empty_cell(record, width) || self.columns <= 1 {
            out.extend_from_slice(record);
        }
        out.resize(out.len() + self.missing(width), self.delimiter);
    }

    fn cut(&self, record: &[u8], width: usize, out: &mut Vec<u8>) -> Option<()> {
        let (kept, padding) = record.split_at_checked(record.len().checked_sub(self.missing(width))?)?;
        if padding.iter().any(|byte| *byte != self.delimiter) {
            return None;
        }
        out.extend_from_slice(if kept.is_empty() && width <= 1 { b"\"\"" } else { kept });
        Some(())
    }

    /// How many delimiters a record of this width lacks. One of no columns is written like one of one empty cell.
    fn missing(&self, width: usize) -> usize {
        self.columns - width.max(1).min(self.columns)
    }
}

/// Alone in its record an empty cell is written with quotes, beside others without.
fn is_lone_empty_cell(record: &[u8], width: usize) -> bool {
    width <= 1 && record == b"\"\""
}

/// Says of one record after the other how many columns it has.
struct Widths<'a> {
    grown: &'a [Growth],
    columns: usize,
    records: u64,
}

impl Widths<'_> {
    fn next(&mut self) -> usize {
        while self.grown.first().is_some_and(|growth| growth.records <= self.records) {
            self.grown = &self.grown[1..];
        }
        self.records += 1;
        self.grown.first().map_or(self.columns, |growth| growth.columns)
    }
}

/// Calls `take` with each record, without its line end.
fn each_record(
    from: &mut dyn Read,
    mut decoder: StreamDecoder,
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let (mut piece, mut text) = (vec![0; PIECE], Vec::new());
    let (mut looked_at, mut quoted) = (0, false);
    loop {
        let got = match from.read(&mut piece) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        decoder.decode(&piece[..got], got == 0, &mut text);
        let mut start = 0;
        for at in memchr::memchr2_iter(b'"', b'\n', &text[looked_at..]).map(|at| looked_at + at) {
            if text[at] == b'"' {
                quoted = !quoted;
            } else if !quoted {
                take(&text[start..at])?;
                start = at + 1;
            }
        }
        text.drain(..start);
        looked_at = text.len();
        if got == 0 {
            return if text.is_empty() { Ok(()) } else { Err(malformed("its last record has no end")) };
        }
    }
}

fn malformed(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn growth(records: u64, columns: usize) -> Growth {
        Growth { records, columns }
    }

    fn padding(encoding: &str, columns: usize, grown: Vec<Growth>) -> Padding {
        let encoding = TextEncoding::of_label(encoding).unwrap();
        let header = |name: &str| {
            let mut bytes = encoding.mark().to_vec();
            encoding.encode(name, &mut bytes).unwrap();
            bytes
        };
        let (short_header, long_header) = (header("\"h\n\"\n"), header("h,i,j\n"));
        Padding { encoding, delimiter: b',', short_header, long_header, columns, grown }
    }

    fn encoded(padding: &Padding, header: &[u8], records: &str) -> Vec<u8> {
        let mut bytes = header.to_vec();
        records
            .split_inclusive('\n')
            .for_each(|line| encode_line(padding.encoding, line, &mut bytes).unwrap());
        bytes
    }

    /// Gives few bytes at a time.
    struct Drops<'a>(&'a [u8], usize);

    impl Read for Drops<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let most = self.1.min(into.len());
            self.0.read(&mut into[..most])
        }
    }

    #[test]
    fn records_are_padded_and_cut_back_wherever_they_are_quoted() {
        let cases = [
            (1, vec![], "a\n\"\"\n", "a\n\"\"\n"),
            (3, vec![growth(2, 1), growth(3, 2)], "a\n\"\"\n,x\n1,2,3\n", "a,,\n,,\n,x,\n1,2,3\n"),
            (3, vec![growth(1, 0), growth(3, 1)], "\"\"\nb\n\"\"\n,,\n", ",,\nb,,\n,,\n,,\n"),
            (1, vec![growth(2, 0)], "\"\"\n\"\"\nx\n", "\"\"\n\"\"\nx\n"),
            (2, vec![growth(1, 1)], "\"a\n\"\"\nb,\"\n,c\n", "\"a\n\"\"\nb,\",\n,c\n"),
            (2, vec![growth(1, 1)], "\",\"\n\"\n\",\n", "\",\",\n\"\n\",\n"),
        ];
        for (columns, grown, short, long) in cases {
            for encoding in ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "latin-1", "shift_jis"] {
                let padding = padding(encoding, columns, grown.clone());
                let staged = encoded(&padding, &padding.short_header, short);
                let published = encoded(&padding, &padding.long_header, long);
                for piece in [1, 2, 3, 1000] {
                    let mut out = Vec::new();
                    padding.rewrite(&mut Drops(&staged, piece), &mut out).unwrap();
                    assert_eq!(out, published, "{encoding} {short:?}");
                    out.clear();
                    padding.restore(&mut Drops(&published, piece), &mut out).unwrap();
                    assert_eq!(out, staged, "{encoding} {long:?}");
                }
            }
        }
    }

    #[test]
    fn what_padding_does_not_write_is_not_cut_back() {
        let padding = padding("utf-8", 3, vec![growth(1, 1)]);
        for (published, why) in [
            ("h,i,k\na,,\n", "it has another header line"),
            ("h,i,j\na,\n", "a record is not padded"),
            ("h,i,j\na,,b\n", "a record is not padded"),
            ("h,i,j\n\n", "a record is not padded"),
            ("h,i,j\na,,", "its last record has no end"),
            ("h,i,j\n\"a,,\n", "its last record has no end"),
        ] {
            let error = padding.restore(&mut published.as_bytes(), &mut Vec::new()).unwrap_err();
            assert_eq!((error.kind(), error.to_string().as_str()), (io::ErrorKind::InvalidData, why));
        }
        let error = padding.restore(&mut "h,i".as_bytes(), &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    /// Between the yen sign's character set and the kanji's there is a line end, not only a switch.
    #[test]
    fn encodings_that_switch_character_sets_begin_every_record_in_ascii() {
        let padding = padding("iso-2022-jp", 2, vec![growth(2, 1)]);
        let staged = encoded(&padding, &padding.short_header, "\u{A5}\n\u{65E5}\n\u{65E5},\u{A5}\n");
        let mut out = Vec::new();
        padding.rewrite(&mut staged.as_slice(), &mut out).unwrap();
        let published = "\u{A5},\n\u{65E5},\n\u{65E5},\u{A5}\n";
        assert_eq!(out, encoded(&padding, &padding.long_header, published));
        let mut text = Vec::new();
        padding.encoding.decoder().decode(&out, true, &mut text);
        assert_eq!(String::from_utf8(text).unwrap(), format!("h,i,j\n{published}"));
    }

    /// Records are decoded and encoded again, so this must give the same bytes, also where two characters share some.
    #[test]
    fn what_was_encoded_comes_back_from_decoding_and_encoding() {
        let multibyte = ["shift_jis", "iso-2022-jp", "euc-jp", "gbk", "gb18030", "big5", "euc-kr"];
        for label in multibyte.into_iter().chain(["cp1252", "koi8-u", "x-user-defined", "latin-1"]) {
            let encoding = TextEncoding::of_label(label).unwrap();
            let sampled = ('\u{100}'..='\u{10FFFF}').step_by(23);
            let shared = ['\u{203E}', '\u{2022}', '\u{2212}', '\u{FF0D}', '\u{FF61}', '\u{9FB4}', '\u{E81E}'];
            for c in ('\0'..='\u{FF}').chain(shared).chain(sampled) {
                let line = format!("{c}\n");
                let mut bytes = Vec::new();
                if encode_line(encoding, &line, &mut bytes).is_err() {
                    continue;
                }
                let (mut text, mut again) = (Vec::new(), Vec::new());
                encoding.decoder().decode(&bytes, true, &mut text);
                encode_line(encoding, std::str::from_utf8(&text).unwrap(), &mut again).unwrap();
                assert_eq!(again, bytes, "{label}: {c:?}");
            }
        }
    }
}
