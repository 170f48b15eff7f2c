//! Lines of a text file, and what becomes of one that is too long.

use memchr::memchr2;

use super::text_input::TextInput;
use elspeth_plugin::SourceError;

/// Longest record in bytes; so much memory can one record take.
pub(crate) const MAX_RECORD: usize = 16 * 1024 * 1024;

/// How much of a record that is longer than that is kept.
pub(crate) const KEPT_OF_LONG_RECORD: usize = 64 * 1024;

/// Length of the first line without and with its end (LF, CRLF or CR); `None` when its end is not in sight.
pub(crate) fn line_length(text: &[u8], at_end: bool) -> Option<(usize, usize)> {
    match memchr2(b'\n', b'\r', text) {
        Some(len) if text[len] == b'\n' => Some((len, len + 1)),
        Some(len) => match text.get(len + 1) {
            Some(b'\n') => Some((len, len + 2)),
            Some(_) => Some((len, len + 1)),
            None => at_end.then_some((len, len + 1)),
        },
        None => at_end.then_some((text.len(), text.len())),
    }
}

/// Steps over the rest of a line of any length; gives its length without its end, `None` at the end of the file.
pub(crate) fn step_over_line(input: &mut TextInput) -> Result<Option<u64>, SourceError> {
    let mut length = 0;
    loop {
        match line_length(input.rest(), input.is_exhausted()) {
            Some((_, 0)) => return Ok((length > 0).then_some(length)),
            Some((len, total)) => {
                input.consume(total, u64::from(total > len));
                return Ok(Some(length + len as u64));
            }
            // A carriage return at the window's end may be half of a line end; it stays.
            None => {
                let seen = input.rest().len() - usize::from(input.rest().ends_with(b"\r"));
                input.consume(seen, 0);
                length += seen as u64;
                input.fill()?;
            }
        }
    }
}

/// The beginning of a record that is too long to be kept whole, cut between two characters.
pub(crate) fn beginning_of(text: &[u8]) -> &[u8] {
    let bytes = &text[..KEPT_OF_LONG_RECORD.min(text.len())];
    match std::str::from_utf8(bytes) {
        Err(e) if e.error_len().is_none() => &bytes[..e.valid_up_to()],
        _ => bytes,
    }
}
