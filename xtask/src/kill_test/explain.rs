//! What the product says of a row, with its values: `elspeth explain`, compared with the twin's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex};

use regex::{Captures, Regex};
use serde_json::Value;

use super::compare::first_differing_line;
use super::kept::Kept;
use super::process::Place;
use crate::command;
use crate::error::Error;

/// What keys end in whose values are times.
const TIMES: [&str; 4] = ["_at", "_ms", "_us", "_seconds"];
/// Keys whose values depend on where epochs end.
const CUT: [&str; 1] = ["epoch"];

/// Explanations of the twin's rows, as far as they were asked for.
pub(super) struct Explained<'a> {
    twin: PathBuf,
    kept: Kept<'a>,
    known: Mutex<BTreeMap<u64, String>>,
}

impl<'a> Explained<'a> {
    pub(super) fn new(twin: &Path, kept: Kept<'a>) -> Self {
        Self { twin: twin.to_owned(), kept, known: Mutex::default() }
    }

    /// How the explanation of one row differs from the twin's, if it does.
    pub(super) fn difference(&self, place: &Place<'_>, row: u64) -> Result<Option<String>, Error> {
        let Some(expected) = self.of_twin(place.binary, row)? else { return Ok(None) };
        let found = explain(place, row)?;
        Ok(first_differing_line(&format!("the explanation of row {row}"), &found, &expected))
    }

    /// None, when there is no such row: the pipeline has none.
    fn of_twin(&self, binary: &Path, row: u64) -> Result<Option<String>, Error> {
        let mut known = self.known.lock().expect("nobody panics while asking");
        if let Some(found) = known.get(&row) {
            return Ok((!found.is_empty()).then(|| found.clone()));
        }
        let place = Place { binary, folder: &self.twin, kept: self.kept.clone(), with_settings: false };
        let found = if has_row(&place, row)? { explain(&place, row)? } else { String::new() };
        known.insert(row, found.clone());
        Ok((!found.is_empty()).then_some(found))
    }
}

fn has_row(place: &Place<'_>, row: u64) -> Result<bool, Error> {
    let record = place.kept.open(place.folder)?;
    let found = record.query_row("SELECT count(*) FROM rows", (), |found| found.get::<_, i64>(0));
    Ok(found.is_ok_and(|rows| row < rows.unsigned_abs()))
}

fn explain(place: &Place<'_>, row: u64) -> Result<String, Error> {
    let mut elspeth = Command::new(place.binary);
    place.kept.tell(&mut elspeth);
    elspeth.current_dir(place.folder).args([
        "explain",
        "--run",
        "latest",
        "--json",
        "--database",
        place.kept.argument(),
        "--row",
    ]);
    let json = command::output(elspeth.arg(row.to_string()))?;
    let mut value: Value =
        serde_json::from_slice(&json).map_err(|error| Error::format("`elspeth explain --json`", error))?;
    strip(&mut value);
    let text = serde_json::to_string_pretty(&value).map_err(|error| Error::format("JSON", error))?;
    Ok(without_times(&numbered(&text)))
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields
                .retain(|key, _| !TIMES.iter().any(|end| key.ends_with(end)) && !CUT.contains(&key.as_str()));
            fields.values_mut().for_each(strip);
        }
        Value::Array(elements) => elements.iter_mut().for_each(strip),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Ids are replaced by their number of first appearance: two of one run are the same if and only if they are in the other.
fn numbered(text: &str) -> String {
    static ID: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b").expect("it is well-formed"));
    let mut seen: Vec<String> = Vec::new();
    let number = |found: &Captures<'_>| {
        let id = found[0].to_owned();
        let at = seen.iter().position(|known| *known == id).unwrap_or_else(|| {
            seen.push(id);
            seen.len() - 1
        });
        format!("id-{at}")
    };
    ID.replace_all(text, number).into_owned()
}

/// Times of day are replaced; inputs have none.
pub(super) fn without_times(text: &str) -> String {
    static TIME: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z").expect("it is well-formed"));
    TIME.replace_all(text, "<time>").into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_times_are_replaced_and_nothing_else() {
        let text = "01M7YQN616G4HCTSD0G33B8J4X 01M7YQN616G4HCTSD0G33B8J4Y 01M7YQN616G4HCTSD0G33B8J4X at 2026-01-02T03:04:05.678901Z";
        assert_eq!(without_times(&numbered(text)), "id-0 id-1 id-0 at <time>");
        let mut value = serde_json::json!({"a_at": 1, "b": [{"c_ms": 2, "d": 3}], "epoch": 4});
        strip(&mut value);
        assert_eq!(value, serde_json::json!({"b": [{"d": 3}]}));
    }
}
