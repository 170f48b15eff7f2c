//! The beginning of a file to which a run appends.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use elspeth_faults::Call;
use elspeth_plugin::SinkError;

use super::staged_file::{exists, failed};
use crate::text_encoding::TextEncoding;

/// So many bytes of its beginning at most, nothing when there is none; they are in the byte order of `encoding`.
///
/// # Errors
/// It cannot be read, or its byte order mark says another encoding: what is written behind it would be unreadable.
pub(crate) fn read_head(path: &Path, encoding: TextEncoding, most: u64) -> Result<Vec<u8>, SinkError> {
    if !exists(path)? {
        return Ok(Vec::new());
    }
    let cannot = |e| failed("read", path, &e);
    let file = elspeth_faults::io(Call::Open, path).and_then(|()| File::open(path)).map_err(cannot)?;
    let mut head = Vec::new();
    elspeth_faults::io(Call::Read, path)
        .and_then(|()| file.take(most).read_to_end(&mut head))
        .map_err(cannot)?;
    match encoding.continued_as(&head) {
        None => Ok(head),
        Some(label) => {
            let message = format!(
                "cannot append to `{}`: by its byte order mark it is in another encoding",
                path.display()
            );
            Err(SinkError::new(message)
                .with_help(format!("write `encoding: {label}`, or write to another file")))
        }
    }
}
