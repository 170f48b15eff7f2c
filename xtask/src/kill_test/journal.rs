//! The journal, compared with the record that the same run left: every line of it, times and all.

use std::fs;
use std::process::Command;

use super::compare::first_differing_line;
use super::process::Place;
use crate::command;
use crate::error::Error;

/// Beside the record, where the settings ask for one.
pub(super) const JOURNAL: &str = "audit.journal.jsonl";
const EXPORT: &str = "exported.jsonl";

/// Lines that only one of both has.
const OF_JOURNALS: [&str; 3] = ["run", "link", "sealed"];
const OF_EXPORTS: [&str; 9] = [
    "run",
    "epoch",
    "checkpoint",
    "sink_position",
    "sink_intent",
    "resumption",
    "purge",
    "purge_file",
    "registry_entry",
];

/// How the journal differs from the record, if there is one and it does.
pub(super) fn difference(place: &Place<'_>) -> Result<Option<String>, Error> {
    let Place { binary, folder, kept, .. } = place;
    let journal = folder.join(JOURNAL);
    if !journal.exists() {
        return Ok(None);
    }
    let mut text = fs::read_to_string(&journal).map_err(Error::io(&journal))?;
    // What a kill cut off is no line.
    text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
    let mut elspeth = Command::new(binary);
    kept.tell(&mut elspeth);
    elspeth.current_dir(folder).args(["export", "latest", "-o", EXPORT, "-d", kept.argument(), "--json"]);
    command::output(&mut elspeth)?;
    let export = folder.join(EXPORT);
    let exported = fs::read_to_string(&export).map_err(Error::io(&export))?;
    let (ours, theirs) = (sorted(&text, &OF_JOURNALS), sorted(&exported, &OF_EXPORTS));
    Ok(first_differing_line("the journal", &ours, &theirs).or_else(|| unlinked(&text)))
}

fn kind(line: &str) -> &str {
    line.split('"').nth(3).unwrap_or_default()
}

fn sorted(text: &str, left_out: &[&str]) -> String {
    let mut lines: Vec<&str> = text.lines().filter(|line| !left_out.contains(&kind(line))).collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// Records behind the last link; or an end that is not the last line, or comes twice. A run that was killed when it had ended
/// has no end there, since nobody goes on with it.
fn unlinked(text: &str) -> Option<String> {
    let kinds: Vec<&str> = text.lines().map(kind).collect();
    let sealed = kinds.iter().filter(|kind| **kind == "sealed").count();
    let whole = match kinds.as_slice() {
        [.., "link", "sealed"] => sealed == 1,
        [.., "link"] => sealed == 0,
        _ => false,
    };
    (!whole).then(|| "the journal does not end with one link and at most one seal".to_owned())
}
