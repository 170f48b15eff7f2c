//! Writing answers to stdout.

use std::io::{self, Write};

use elspeth_app::{AppError, printable, printable_lines};
use serde::Serialize;

/// Prints one JSON object (or array) and a line end.
pub(crate) fn json(value: &impl Serialize) -> Result<(), AppError> {
    let mut text = serde_json::to_vec(value).map_err(|e| AppError::Output(e.to_string()))?;
    text.push(b'\n');
    write(&text)
}

/// Prints lines, with a line end if the last has none. What a terminal would obey is shown instead; where a text from outside
/// stands within a line, [`printable`] keeps it there.
pub(crate) fn text(text: &str) -> Result<(), AppError> {
    let text = printable_lines(text);
    if text.is_empty() || text.ends_with('\n') {
        return write(text.as_bytes());
    }
    write(format!("{text}\n").as_bytes())
}

/// A reader that closed the pipe has seen enough: that is no error.
fn write(bytes: &[u8]) -> Result<(), AppError> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(AppError::Output(format!("cannot write to standard output: {error}")))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Tells something beside the answer, on stderr. Nobody has to be there to read it: a run goes on without.
pub(crate) fn note(text: &str) {
    drawn(&printable_lines(text));
}

/// The same for a text that is drawn with colours, and whose parts were made [`printable`] before.
pub(crate) fn drawn(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Columns padded to their widest cell; the first row is the head. A cell stays on its line, whatever is in it.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let cells = |row: &Vec<String>| row.iter().map(|cell| printable(cell)).collect();
    let rows: Vec<Vec<String>> = rows.iter().map(cells).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |c: usize| rows.iter().filter_map(|r| r.get(c)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!("{cell:width$}  "));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// A whole number with thousands separated: `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["A".to_owned(), "B".to_owned()], vec!["long".to_owned(), "x".to_owned()]];
        assert_eq!(table(&rows), "A     B\nlong  x\n");
    }
}
