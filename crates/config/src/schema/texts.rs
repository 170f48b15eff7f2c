//! Texts in the place of numbers and truth values: the loader takes them when they say one, and expands variables before.
//! Editors know neither, so the schema that is published says so.

use serde_json::{Map, Value, json};

use super::check::{FALSE, TRUE};

/// A reference to a variable, about which nothing is known.
const VARIABLE: &str = r"\$\{";

/// Lets texts stand where the schema has a number or a truth value, as far as the loader takes them there.
pub(super) fn admit(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if let Some(pattern) = pattern_of(map)
                && let Some(types) = map.get_mut("type")
            {
                let one = |types: Value| types.as_array().cloned().unwrap_or_else(|| vec![types]);
                *types = one(types.take()).into_iter().chain([json!("string")]).collect();
                map.insert("pattern".to_owned(), json!(pattern));
            }
            map.values_mut().for_each(admit);
        }
        Value::Array(list) => list.iter_mut().for_each(admit),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What a text must look like where this schema stands; none where it takes texts anyway, or never.
fn pattern_of(schema: &Map<String, Value>) -> Option<String> {
    let types = schema.get("type")?;
    let has =
        |name: &str| types == name || types.as_array().is_some_and(|list| list.iter().any(|t| t == name));
    let least = |key: &str| schema.get(key).and_then(Value::as_f64);
    let least = least("minimum").or_else(|| least("exclusiveMinimum"));
    let sign = if least.is_some_and(|least| least >= 0.0) { "[+]?" } else { "[+-]?" };
    let mut forms = Vec::new();
    if has("integer") {
        let digits = if least.is_some_and(|least| least >= 1.0) { "0*[1-9][0-9]*" } else { "[0-9]+" };
        forms.push(format!("{sign}{digits}"));
    }
    if has("number") {
        forms.push(format!(r"{sign}([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"));
    }
    if has("boolean") {
        forms.extend(TRUE.iter().chain(&FALSE).map(|word| in_any_case(word)));
    }
    let is_open = has("string") || forms.is_empty();
    (!is_open).then(|| format!(r"{VARIABLE}|^\s*({})\s*$", forms.join("|")))
}

fn in_any_case(word: &str) -> String {
    let letter = |c: char| match c.is_ascii_alphabetic() {
        true => format!("[{}{c}]", c.to_ascii_uppercase()),
        false => c.to_string(),
    };
    word.chars().map(letter).collect()
}
