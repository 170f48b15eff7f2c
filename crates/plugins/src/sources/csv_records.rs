//! Splits text into CSV records (RFC 4180), strictly, and says of what is none where it is and why.
//!
//! A record whose quotes are wrong is given up after its *first line*: that line is the malformed record, and reading
//! goes on with the next one. So a quote that never closes costs one record instead of swallowing the good ones after
//! it; whatever was inside of its quotes is read as records of their own, good or bad, and nothing is lost. The same
//! holds for a record that is longer than [`MAX_RECORD`]. Empty lines are no records.

use std::str;

use memchr::{memchr, memchr_iter};

use super::lines::{MAX_RECORD, beginning_of, line_length, step_over_line};
use super::text_input::TextInput;
use crate::text_encoding::TextEncoding;
use elspeth_plugin::SourceError;

/// Splits records of one file; keeps its buffers from record to record.
pub(crate) struct RecordReader {
    delimiter: u8,
    spans: Vec<Span>,
    unescaped: Vec<u8>,
    kept: Vec<u8>,
}

/// One record.
pub(crate) struct Record<'a> {
    /// The line on which it begins, from 1.
    pub line: u64,
    /// Its text without the line end.
    pub raw: &'a [u8],
    /// Its fields, or why it has none.
    pub fields: Result<Fields<'a>, Fault>,
}

/// The fields of a record.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    text: &'a str,
    unescaped: &'a str,
    spans: &'a [Span],
}

/// Why a record cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It holds a NUL byte.
    Nul,
    /// From that byte of the record's text on, it is not text.
    NotText(usize),
    /// A quote inside of a field that does not begin with one; the field's number, from 1.
    QuoteInside(usize),
    /// Something between a closing quote and the next delimiter; the field's number, from 1.
    AfterQuote(usize),
    /// A quote is not closed before the file ends, or within [`MAX_RECORD`]; the field's number, from 1.
    NeverClosed(usize),
    /// Its quotes are right, but with all its lines it is longer than [`MAX_RECORD`].
    HugeRecord,
    /// A line of so many bytes; only its beginning is kept.
    TooLong(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    start: usize,
    end: usize,
    unescaped: bool,
}

/// What the text begins with.
enum Scan {
    /// A record of `len` bytes; `total` with its line end.
    Record { len: usize, total: usize, lines: u64 },
    /// A line that begins no record.
    Broken { fault: Fault },
    /// Nothing yet: more text is needed. Inside of that field's quotes, if it says so.
    Incomplete { open_quote: Option<usize> },
}

impl RecordReader {
    pub(crate) fn new(delimiter: u8) -> Self {
        Self { delimiter, spans: Vec::new(), unescaped: Vec::new(), kept: Vec::new() }
    }

    /// The next record; `None` at the end of the file.
    pub(crate) fn next<'a>(
        &'a mut self,
        input: &'a mut TextInput,
    ) -> Result<Option<Record<'a>>, SourceError> {
        loop {
            if input.rest().is_empty() {
                if !input.fill()? {
                    return Ok(None);
                }
                continue;
            }
            let line = input.line();
            let scan = self.scan(input.rest(), input.is_exhausted());
            match scan {
                Scan::Record { len: 0, total, .. } => input.consume(total, 1),
                Scan::Record { len, total, lines } if len <= MAX_RECORD => {
                    input.consume(total, lines);
                    let raw = &input.just_consumed(total)[..len];
                    return Ok(Some(self.record(line, raw)));
                }
                Scan::Record { .. } => return self.broken(input, Fault::HugeRecord).map(Some),
                Scan::Broken { fault } => return self.broken(input, fault).map(Some),
                Scan::Incomplete { open_quote } if input.rest().len() > MAX_RECORD => {
                    let fault = open_quote.map_or(Fault::HugeRecord, Fault::NeverClosed);
                    return self.broken(input, fault).map(Some);
                }
                Scan::Incomplete { .. } => {
                    input.fill()?;
                }
            }
        }
    }

    fn record<'a>(&'a self, line: u64, raw: &'a [u8]) -> Record<'a> {
        let fields = match (str::from_utf8(raw), str::from_utf8(&self.unescaped)) {
            _ if memchr(0, raw).is_some() => Err(Fault::Nul),
            (Ok(text), Ok(unescaped)) => Ok(Fields { text, unescaped, spans: &self.spans }),
            (Err(e), _) | (_, Err(e)) => Err(Fault::NotText(e.valid_up_to())),
        };
        Record { line, raw, fields }
    }

    /// Consumes the first line only; see the module's documentation.
    fn broken<'a>(&'a mut self, input: &'a mut TextInput, fault: Fault) -> Result<Record<'a>, SourceError> {
        let line = input.line();
        let length = line_length(input.rest(), input.is_exhausted());
        match length.filter(|(len, _)| *len <= MAX_RECORD) {
            Some((len, total)) => {
                input.consume(total, u64::from(total > len));
                Ok(Record { line, raw: &input.just_consumed(total)[..len], fields: Err(fault) })
            }
            None => {
                self.kept.clear();
                self.kept.extend_from_slice(beginning_of(input.rest()));
                let length = step_over_line(input)?.unwrap_or_default();
                Ok(Record { line, raw: &self.kept, fields: Err(Fault::TooLong(length)) })
            }
        }
    }

    fn scan(&mut self, text: &[u8], at_end: bool) -> Scan {
        self.spans.clear();
        self.unescaped.clear();
        let Some((len, total)) = line_length(text, at_end) else {
            return Scan::Incomplete { open_quote: None };
        };
        let line = &text[..len];
        if memchr(b'"', line).is_some() {
            return self.scan_quoted(text, at_end);
        }
        let mut start = 0;
        for end in memchr_iter(self.delimiter, line) {
            self.spans.push(Span { start, end, unescaped: false });
            start = end + 1;
        }
        self.spans.push(Span { start, end: len, unescaped: false });
        Scan::Record { len, total, lines: u64::from(total > len) }
    }

    /// The same for a record with quotes: field by field, over as many lines as it has.
    fn scan_quoted(&mut self, text: &[u8], at_end: bool) -> Scan {
        let mut at = 0;
        loop {
            let field = self.spans.len() + 1;
            let end = if text.get(at) == Some(&b'"') {
                match self.quoted_field(text, at, at_end) {
                    Ok(end) => end,
                    Err(scan) => return scan,
                }
            } else {
                let rest = &text[at..];
                let len = rest.iter().position(|b| *b == self.delimiter || matches!(b, b'"' | b'\n' | b'\r'));
                let end = at + len.unwrap_or(rest.len());
                if text.get(end) == Some(&b'"') {
                    return Scan::Broken { fault: Fault::QuoteInside(field) };
                }
                self.spans.push(Span { start: at, end, unescaped: false });
                end
            };
            match text.get(end) {
                Some(b) if *b == self.delimiter => at = end + 1,
                None if !at_end => return Scan::Incomplete { open_quote: None },
                Some(b'\n' | b'\r') | None => return record_to(text, end, at_end),
                Some(_) => return Scan::Broken { fault: Fault::AfterQuote(field) },
            }
        }
    }

    /// A field that begins with the quote at `at`; returns where it ends, behind its closing quote.
    fn quoted_field(&mut self, text: &[u8], at: usize, at_end: bool) -> Result<usize, Scan> {
        let field = self.spans.len() + 1;
        let side = self.unescaped.len();
        let mut from = at + 1;
        loop {
            let Some(quote) = memchr(b'"', &text[from..]).map(|n| from + n) else {
                return Err(match at_end {
                    true => Scan::Broken { fault: Fault::NeverClosed(field) },
                    false => Scan::Incomplete { open_quote: Some(field) },
                });
            };
            match text.get(quote + 1) {
                None if !at_end => return Err(Scan::Incomplete { open_quote: None }),
                Some(b'"') => {
                    self.unescaped.extend_from_slice(&text[from..=quote]);
                    from = quote + 2;
                }
                _ if from == at + 1 => {
                    self.spans.push(Span { start: from, end: quote, unescaped: false });
                    return Ok(quote + 1);
                }
                _ => {
                    self.unescaped.extend_from_slice(&text[from..quote]);
                    self.spans.push(Span { start: side, end: self.unescaped.len(), unescaped: true });
                    return Ok(quote + 1);
                }
            }
        }
    }
}

impl<'a> Fields<'a> {
    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.spans.len()
    }

    /// Their texts, in order.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &'a str> + use<'a> {
        let Self { text, unescaped, spans } = *self;
        spans.iter().map(move |span| {
            if span.unescaped { &unescaped[span.start..span.end] } else { &text[span.start..span.end] }
        })
    }
}

impl Fault {
    /// The sentence for the failure of a record with this text.
    pub(crate) fn message(self, encoding: TextEncoding, raw: &[u8]) -> String {
        match self {
            Self::Nul => "the record holds a NUL byte".to_owned(),
            Self::NotText(at) => encoding.not_text_from(&raw[..at]),
            Self::QuoteInside(field) => format!(
                "field {field} has a quote inside but does not begin with one; quote the whole field and double the quotes in it"
            ),
            Self::AfterQuote(field) => {
                format!(
                    "field {field} goes on after its closing quote; double the quotes inside of a quoted field"
                )
            }
            Self::NeverClosed(field) => format!(
                "the quote that opens field {field} is not closed before the file ends or the record exceeds {} MiB",
                MAX_RECORD / (1024 * 1024)
            ),
            Self::HugeRecord => {
                format!("with all its lines, the record exceeds {} MiB", MAX_RECORD / (1024 * 1024))
            }
            Self::TooLong(bytes) => format!(
                "a line of {bytes} bytes, more than the {} MiB that a record may have; its beginning is kept",
                MAX_RECORD / (1024 * 1024)
            ),
        }
    }
}

/// The record that ends before the line end at `len`.
fn record_to(text: &[u8], len: usize, at_end: bool) -> Scan {
    match line_length(&text[len..], at_end) {
        None => Scan::Incomplete { open_quote: None },
        Some((_, line_end)) => {
            let total = len + line_end;
            Scan::Record { len, total, lines: line_ends(&text[..total]) }
        }
    }
}

fn line_ends(text: &[u8]) -> u64 {
    let lone_returns = memchr_iter(b'\r', text).filter(|at| text.get(at + 1) != Some(&b'\n')).count();
    (memchr_iter(b'\n', text).count() + lone_returns) as u64
}
