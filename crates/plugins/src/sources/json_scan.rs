//! Finds where the elements of a JSON array begin and end, without reading them.
//!
//! Only brackets and quotes are looked at, so an element that is not JSON costs itself alone as long as its brackets and
//! quotes are balanced. Where they are not, the element goes on to the end of the file: the rest is then one record.

use memchr::{memchr_iter, memchr2};

use super::lines::{MAX_RECORD, beginning_of};
use super::text_input::TextInput;
use elspeth_plugin::SourceError;

/// What ended a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// That character, which is not consumed.
    At(u8),
    /// The end of the file; `inside` when brackets or quotes are open.
    EndOfFile { inside: bool },
}

/// How far a value goes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// So many bytes of the rest, not consumed.
    Whole(usize, Stop),
    /// More than [`MAX_RECORD`] and therefore consumed: its beginning and its length.
    TooLong(Vec<u8>, u64, Stop),
}

/// Where in a value the scan is.
#[derive(Debug, Default)]
struct Scanner {
    at: usize,
    depth: u64,
    in_text: bool,
}

/// The extent of the value that begins at the rest and ends before one of `stops`.
pub(crate) fn value_extent(input: &mut TextInput, stops: &[u8]) -> Result<Extent, SourceError> {
    let mut scanner = Scanner::default();
    let mut long: Option<(Vec<u8>, u64)> = None;
    loop {
        let stop = match scanner.advance(input.rest(), stops) {
            Some(byte) => Some(Stop::At(byte)),
            None => input.is_exhausted().then(|| scanner.at_end(input.rest())),
        };
        if let (Some(stop), None, true) = (stop, &long, scanner.at <= MAX_RECORD) {
            return Ok(Extent::Whole(scanner.at, stop));
        }
        if long.is_some() || scanner.at > MAX_RECORD {
            let (_, length) = long.get_or_insert_with(|| (beginning_of(input.rest()).to_vec(), 0));
            *length += scanner.at as u64;
            step_over(input, scanner.at);
            scanner.at = 0;
        }
        match (stop, long.take()) {
            (Some(stop), Some((beginning, length))) => return Ok(Extent::TooLong(beginning, length, stop)),
            (_, unfinished) => long = unfinished,
        }
        input.fill()?;
    }
}

/// The length of the value at the rest's beginning, if it ends within the rest.
pub(crate) fn value_in_sight(input: &TextInput, stops: &[u8]) -> Option<usize> {
    let mut scanner = Scanner::default();
    let found = scanner.advance(input.rest(), stops).is_some();
    (found || input.is_exhausted()).then_some(scanner.at)
}

/// Steps over blanks and looks at what follows them; `None` at the end of the file.
pub(crate) fn next_byte(input: &mut TextInput) -> Result<Option<u8>, SourceError> {
    loop {
        let blanks = input.rest().iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r')).count();
        step_over(input, blanks);
        match input.rest().first() {
            Some(byte) => return Ok(Some(*byte)),
            None if input.is_exhausted() => return Ok(None),
            None => {
                input.fill()?;
            }
        }
    }
}

/// Consumes `len` bytes and counts the lines in them.
pub(crate) fn step_over(input: &mut TextInput, len: usize) {
    let line_ends = memchr_iter(b'\n', &input.rest()[..len]).count();
    input.consume(len, line_ends as u64);
}

impl Scanner {
    /// What stops it when nothing follows `text`.
    fn at_end(&mut self, text: &[u8]) -> Stop {
        self.at = text.len();
        Stop::EndOfFile { inside: self.in_text || self.depth > 0 }
    }

    /// Goes on to what ends the value, which is given, or to the end of `text`.
    fn advance(&mut self, text: &[u8], stops: &[u8]) -> Option<u8> {
        while self.at < text.len() {
            if self.in_text {
                match memchr2(b'"', b'\\', &text[self.at..]) {
                    None => self.at = text.len(),
                    Some(len) if text[self.at + len] == b'"' => {
                        self.at += len + 1;
                        self.in_text = false;
                    }
                    Some(len) if self.at + len + 2 <= text.len() => self.at += len + 2,
                    // What the backslash escapes is not in sight yet.
                    Some(len) => {
                        self.at += len;
                        return None;
                    }
                }
                continue;
            }
            match text[self.at] {
                b'"' => self.in_text = true,
                b'[' | b'{' => self.depth += 1,
                stop if self.depth == 0 && stops.contains(&stop) => return Some(stop),
                b']' | b'}' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            self.at += 1;
        }
        None
    }
}
