//! What the csv sink writes.

use serde_json::Value as Json;

use crate::pipeline::Row;

/// The lines of a file with these rows: columns in the order of first appearance, values as the settings' dialect has them.
pub(super) fn lines(rows: &[Row]) -> Vec<String> {
    let mut columns: Vec<&String> = Vec::new();
    for name in rows.iter().flat_map(Row::keys) {
        if !columns.contains(&name) {
            columns.push(name);
        }
    }
    if rows.is_empty() {
        return Vec::new();
    }
    let header = line(columns.iter().map(|name| quoted(name)));
    let row = |row: &Row| line(columns.iter().map(|name| row.get(*name).map_or_else(String::new, cell)));
    std::iter::once(header).chain(rows.iter().map(row)).collect()
}

fn line(cells: impl Iterator<Item = String>) -> String {
    let line = cells.collect::<Vec<_>>().join(",");
    // A line without anything would be no record.
    if line.is_empty() { "\"\"".to_owned() } else { line }
}

fn cell(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => quoted(text),
        Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => quoted(&value.to_string()),
    }
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
