//! The keys and heads that the user believes.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use elspeth_proof::{BadKey, Checkpoint, Note, PublicKey, Succession, Trust};

use crate::arguments::{Task, Wrong};

/// Reads what was given; anything in it that is no key, head or succession is an error, so that nobody believes to have checked
/// more.
pub(crate) fn read(task: &Task) -> Result<Trust, Wrong> {
    let (mut keys, mut heads) = (Vec::new(), Vec::new());
    for key in &task.keys {
        let wrong = |reason| Wrong::Key { key: key.to_string_lossy().into_owned(), reason };
        keys.extend(read_keys(key).map_err(wrong)?);
    }
    for head in &task.heads {
        heads.push(read_head(head).map_err(|reason| Wrong::Head { head: head.clone(), reason })?);
    }
    let mut trust = Trust::new(keys, heads);
    for file in &task.successions {
        follow(file, &mut trust).map_err(|reason| Wrong::Succession { file: file.clone(), reason })?;
    }
    Ok(trust)
}

/// Believes what follows from the keys that were given. A file of which nothing does would be given for nothing.
fn follow(file: &Path, trust: &mut Trust) -> Result<(), String> {
    let text = fs::read_to_string(file).map_err(|error| error.to_string())?;
    let mut follows = false;
    for (number, line) in text.lines().enumerate() {
        let succession = Succession::parse(line).and_then(|succession| trust.follow(&succession));
        follows |= succession.map_err(|error| format!("line {}: {error}", number + 1))?;
    }
    follows.then_some(()).ok_or_else(|| "no key in it took the place of one that was given".to_owned())
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
