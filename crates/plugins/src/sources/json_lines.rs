//! JSON lines: one record a line. Lines of blanks alone are no records.

use elspeth_plugin::{SourceError, SourceItem};

use super::json_record::{RecordBorder, too_long};
use super::lines::{MAX_RECORD, beginning_of, line_length, step_over_line};
use super::text_input::TextInput;

/// The next record; `None` at the end of the file.
pub(crate) fn next_line(
    input: &mut TextInput,
    border: &mut RecordBorder,
) -> Result<Option<SourceItem>, SourceError> {
    loop {
        let line = input.line();
        match line_length(input.rest(), input.is_exhausted()) {
            Some((_, 0)) => return Ok(None),
            Some((len, total)) if len <= MAX_RECORD => {
                input.consume(total, u64::from(total > len));
                let text = input.just_consumed(total)[..len].trim_ascii();
                if !text.is_empty() {
                    return Ok(Some(border.take(text, line)));
                }
            }
            None if input.rest().len() <= MAX_RECORD => {
                input.fill()?;
            }
            Some(_) | None => {
                let beginning = beginning_of(input.rest()).to_vec();
                let length = step_over_line(input)?.unwrap_or_default();
                return Ok(Some(too_long(input.encoding(), &beginning, length, line)));
            }
        }
    }
}

/// Learns the keys of the first record without consuming it.
pub(crate) fn look_ahead(input: &mut TextInput, border: &mut RecordBorder) -> Result<(), SourceError> {
    loop {
        match line_length(input.rest(), input.is_exhausted()) {
            Some((_, 0)) => return Ok(()),
            Some((len, total)) if input.rest()[..len].trim_ascii().is_empty() => {
                input.consume(total, u64::from(total > len));
            }
            Some((len, _)) => {
                border.look_at(&input.rest()[..len]);
                return Ok(());
            }
            None if input.rest().len() > MAX_RECORD => return Ok(()),
            None => {
                input.fill()?;
            }
        }
    }
}
