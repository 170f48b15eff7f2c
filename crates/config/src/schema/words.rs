//! JSON Schema in the words of a settings author.

use elspeth_graph::SettingPath;
use serde_json::Value;

use crate::secrets::{is_secret_place, masked};

/// What a value is; not what it says, where that may be a secret.
pub(super) fn found(value: &Value, path: &SettingPath) -> String {
    match value {
        Value::Bool(_) | Value::Number(_) if is_secret_place(path) => "`***`".to_owned(),
        Value::String(text) if is_secret(text, path) => "the text `***`".to_owned(),
        Value::Null => "empty".to_owned(),
        Value::Bool(b) => format!("`{b}`"),
        Value::Number(n) => format!("the number `{n}`"),
        Value::String(s) => format!("the text `{}`", shortened(s)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
    }
}

/// Whether a text may be a secret, by its place or by what it looks like.
pub(super) fn is_secret(text: &str, path: &SettingPath) -> bool {
    is_secret_place(path) || masked(text) != text
}

fn shortened(text: &str) -> String {
    const SHOWN: usize = 40;
    let line = text.lines().next().unwrap_or_default();
    let cut: String = line.chars().take(SHOWN).collect();
    if cut.len() < text.trim_end().len() { format!("{cut}...") } else { cut }
}

/// What a type of JSON Schema is called.
pub(super) fn type_name(json_type: &str) -> &'static str {
    match json_type {
        "string" => "text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "`true` or `false`",
        "array" => "a list",
        "object" => "a mapping",
        "null" => "nothing",
        _ => "something else",
    }
}

/// "a", "a or b", "a, b or c".
pub(super) fn any_of(names: &[&str]) -> String {
    match names {
        [] => "nothing".to_owned(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// The article that fits, with the word.
pub(super) fn quoted_list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
}
