//! What sinks and the payload store left.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, types::ValueRef};

use super::explain::without_times;
use crate::error::Error;

/// The column in which a failsink gets the time of a refusal.
const TIME: &str = "__diversion_timestamp";

/// Every file below `out`, and the names of bodies; tables as text.
pub(super) fn read(folder: &Path) -> Result<BTreeMap<String, String>, Error> {
    let mut texts = BTreeMap::new();
    for path in files(&folder.join("out"))? {
        let name = format!("{}", path.strip_prefix(folder).unwrap_or(&path).display());
        if name.contains(".sqlite-") {
            continue; // the database's own log
        }
        let text = if name.ends_with(".sqlite") { tables(&path)? } else { text(&path)? };
        texts.insert(name, text);
    }
    texts.insert(
        "names of bodies in the payload store".to_owned(),
        bodies(&folder.join(".elspeth/payloads"))?,
    );
    Ok(texts)
}

/// Paths of the files that hold times of refusals, whose hashes therefore differ.
pub(super) fn with_times(texts: &BTreeMap<String, String>) -> BTreeSet<String> {
    texts.iter().filter(|(_, text)| text.contains(TIME)).map(|(name, _)| name.clone()).collect()
}

/// Byte for byte; what is no UTF-8 as escapes.
fn text(path: &Path) -> Result<String, Error> {
    let bytes = fs::read(path).map_err(Error::io(path))?;
    let text = String::from_utf8(bytes).unwrap_or_else(|error| error.into_bytes().escape_ascii().to_string());
    Ok(if text.contains(TIME) { without_times(&text) } else { text })
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    if !folder.is_dir() {
        return Ok(found);
    }
    for entry in fs::read_dir(folder).map_err(Error::io(folder))? {
        let path = entry.map_err(Error::io(folder))?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Bodies are named by their hashes. Half-written ones are left to `purge`, locks and notes are none.
fn bodies(folder: &Path) -> Result<String, Error> {
    let mut names = Vec::new();
    for path in files(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.len() == 64 {
            let size = fs::metadata(&path).map_err(Error::io(&path))?.len();
            names.push(format!("{name} {size}"));
        }
    }
    names.sort();
    Ok(names.join("\n"))
}

/// The schema, and all rows in the order in which they were written; of the sinks' own table what says what was written.
fn tables(path: &Path) -> Result<String, Error> {
    let failed = |error: rusqlite::Error| Error::format(path.display().to_string(), error);
    let database = Connection::open(path).map_err(failed)?;
    let mut text = String::new();
    let schema = select(&database, "SELECT name, sql FROM sqlite_schema ORDER BY name").map_err(failed)?;
    let names = select(
        &database,
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> '_elspeth_epochs' ORDER BY name",
    )
    .map_err(failed)?;
    text.push_str(&schema.join("\n"));
    for name in names {
        text.push_str(&format!("\n== {name}\n"));
        text.push_str(&select(&database, &format!("SELECT * FROM {name}")).map_err(failed)?.join("\n"));
    }
    if schema.iter().any(|line| line.contains("_elspeth_epochs")) {
        let sql = "SELECT sink, published, state ->> '$.chain', state ->> '$.made_table' FROM _elspeth_epochs
            ORDER BY sink, epoch";
        text.push_str("\n== markers\n");
        text.push_str(&select(&database, sql).map_err(failed)?.join("\n"));
    }
    Ok(if text.contains(TIME) { without_times(&text) } else { text })
}

/// Each row a line; text in quotes, so that it differs from numbers.
pub(super) fn select(database: &Connection, sql: &str) -> Result<Vec<String>, rusqlite::Error> {
    let mut statement = database.prepare(sql)?;
    let width = statement.column_count();
    let mut rows = statement.query(())?;
    let mut lines = Vec::new();
    while let Some(row) = rows.next()? {
        let cells = (0..width).map(|column| row.get_ref(column).map(cell)).collect::<Result<Vec<_>, _>>()?;
        lines.push(cells.join(" | "));
    }
    Ok(lines)
}

fn cell(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "null".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => format!("{number:?}"),
        ValueRef::Text(text) => format!("{:?}", String::from_utf8_lossy(text)),
        ValueRef::Blob(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}
