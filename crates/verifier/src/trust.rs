//! The keys and heads that the user believes.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::PathBuf;

use elspeth_proof::{BadKey, Checkpoint, Note, PublicKey, Trust};

use crate::arguments::Wrong;

/// Reads what was given; anything in it that is no key or head is an error, so that nobody believes to have checked more.
pub(crate) fn read(keys: &[OsString], heads: &[PathBuf]) -> Result<Trust, Wrong> {
    let mut trust = Trust::default();
    for key in keys {
        let wrong = |reason| Wrong::Key { key: key.to_string_lossy().into_owned(), reason };
        trust.keys.extend(read_keys(key).map_err(wrong)?);
    }
    for head in heads {
        trust.heads.push(read_head(head).map_err(|reason| Wrong::Head { head: head.clone(), reason })?);
    }
    Ok(trust)
}

/// The key with that text, or those in that file.
fn read_keys(key: &OsStr) -> Result<Vec<PublicKey>, String> {
    let as_text = key.to_str().map(str::parse::<PublicKey>);
    if let Some(Ok(key)) = as_text {
        return Ok(vec![key]);
    }
    let text = match (fs::read_to_string(key), as_text) {
        (Ok(text), _) => text,
        // Whoever gave a key with a slip of the pen looks for no file.
        (Err(_), Some(Err(reason))) if reason != BadKey::PublicForm => return Err(reason.to_string()),
        (Err(error), _) => return Err(error.to_string()),
    };
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let keys: Vec<PublicKey> =
        lines.map(|line| line.parse().map_err(|bad: BadKey| bad.to_string())).collect::<Result<_, _>>()?;
    if keys.is_empty() { Err("the file has no key".to_owned()) } else { Ok(keys) }
}

fn read_head(head: &PathBuf) -> Result<Note, String> {
    let text = fs::read_to_string(head).map_err(|error| error.to_string())?;
    let note: Note = text.parse().map_err(|error: elspeth_proof::BadNote| error.to_string())?;
    note.text().parse::<Checkpoint>().map_err(|error| error.to_string())?;
    Ok(note)
}
