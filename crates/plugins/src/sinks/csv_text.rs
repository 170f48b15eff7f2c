//! Values as CSV cells: what the table of the settings' dialect says, quoted only where a reader needs it.

use elspeth_value::{Value, write_python_float};

use super::json_text::plain_text;
use crate::text_encoding::TextEncoding;

/// Writes the lines of one file; keeps its scratch from cell to cell.
#[derive(Debug)]
pub(crate) struct CsvText {
    delimiter: u8,
    scratch: Vec<u8>,
}

impl CsvText {
    pub(crate) fn new(delimiter: u8) -> Self {
        Self { delimiter, scratch: Vec::new() }
    }

    /// Appends one line with these cells; `None` is an empty one.
    pub(crate) fn write_line<'a>(
        &mut self,
        out: &mut Vec<u8>,
        cells: impl Iterator<Item = Option<&'a Value>>,
    ) {
        let start = out.len();
        let mut first = true;
        for cell in cells {
            if !first {
                out.push(self.delimiter);
            }
            first = false;
            if let Some(value) = cell {
                self.write_cell(out, value);
            }
        }
        end_line(out, start);
    }

    /// Appends the header line.
    pub(crate) fn write_header<'a>(&self, out: &mut Vec<u8>, names: impl Iterator<Item = &'a str>) {
        let start = out.len();
        for (n, name) in names.enumerate() {
            if n > 0 {
                out.push(self.delimiter);
            }
            write_text(out, name.as_bytes(), self.delimiter);
        }
        end_line(out, start);
    }

    fn write_cell(&mut self, out: &mut Vec<u8>, value: &Value) {
        match value {
            Value::Null => {}
            Value::Bool(true) => write_text(out, b"True", self.delimiter),
            Value::Bool(false) => write_text(out, b"False", self.delimiter),
            Value::Str(text) => write_text(out, text.as_bytes(), self.delimiter),
            Value::Int(_) | Value::Float(_) | Value::List(_) | Value::Map(_) | Value::Bytes(_) => {
                self.write_by_scratch(out, value);
            }
            Value::Decimal(_) | Value::Date(_) | Value::DateTime(_) => {
                write_text(out, plain_text(value).as_bytes(), self.delimiter);
            }
        }
    }

    fn write_by_scratch(&mut self, out: &mut Vec<u8>, value: &Value) {
        self.scratch.clear();
        match value {
            Value::Int(i) => self.scratch.extend_from_slice(itoa::Buffer::new().format(*i).as_bytes()),
            Value::Float(f) => write_python_float(&mut self.scratch, *f),
            other => other.write_json(&mut self.scratch),
        }
        write_text(out, &self.scratch, self.delimiter);
    }
}

/// Appends a line in the file's encoding; gives the first character that cannot be written, and then appends nothing.
///
/// The line end goes by itself: where an encoding switches character sets, it must be back in ASCII *before* it, or a
/// reader would find two switches in a row when the next line begins with another one.
pub(crate) fn encode_line(encoding: TextEncoding, line: &str, out: &mut Vec<u8>) -> Result<(), char> {
    let (text, end) = line.strip_suffix('\n').map_or((line, ""), |text| (text, "\n"));
    encoding.encode(text, out)?;
    encoding.encode(end, out)
}

/// Ends the line that began at `start`. A line of one empty cell gets quotes, or it would read as no record at all.
fn end_line(out: &mut Vec<u8>, start: usize) {
    if out.len() == start {
        out.extend_from_slice(b"\"\"");
    }
    out.push(b'\n');
}

fn write_text(out: &mut Vec<u8>, text: &[u8], delimiter: u8) {
    let needs_quotes = text.iter().any(|b| *b == delimiter || matches!(b, b'"' | b'\n' | b'\r'));
    if !needs_quotes {
        out.extend_from_slice(text);
        return;
    }
    out.push(b'"');
    for (n, part) in text.split(|b| *b == b'"').enumerate() {
        if n > 0 {
            out.extend_from_slice(b"\"\"");
        }
        out.extend_from_slice(part);
    }
    out.push(b'"');
}
