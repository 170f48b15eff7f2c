//! Variables in settings: `${VAR}` in any text, and `ELSPETH_SECTION__KEY` over what the file says.

use std::collections::BTreeMap;

use elspeth_graph::{SettingPath, advise};
use serde_json::{Map, Value};

use crate::Environment;
use crate::finding::Finding;

pub(crate) const PREFIX: &str = "ELSPETH_";

/// What the environment changed.
#[derive(Debug, Default)]
pub(crate) struct Overridden {
    /// Setting path to variable.
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) errors: Vec<Finding>,
    pub(crate) warnings: Vec<Finding>,
}

/// Sets what variables of the form `ELSPETH_SECTION__KEY` say. Sections are the keys of the whole file.
pub(crate) fn override_settings(
    settings: &mut Value,
    environment: &Environment,
    sections: &[String],
) -> Overridden {
    let mut done = Overridden::default();
    for (variable, text) in environment.variables() {
        let Some(rest) = variable.strip_prefix(PREFIX) else { continue };
        let parts: Vec<String> = rest.split("__").map(str::to_lowercase).collect();
        if !sections.contains(&parts[0]) {
            if parts.len() > 1 {
                let message = format!(
                    "the environment variable `{variable}` sets nothing: there is no section `{}`",
                    parts[0]
                );
                let help = advise(&parts[0], "sections", sections.iter().map(String::as_str));
                done.warnings
                    .push(Finding::new("unknown-override", SettingPath::default(), message).help(help));
            }
            continue;
        }
        let mut new = value_of(text);
        let missing = expand(&mut new, environment);
        match set(settings, &parts, new) {
            Ok(path) => {
                done.variables.insert(path.as_str().to_owned(), variable.to_owned());
                done.errors.extend(
                    missing.into_iter().map(|finding| Finding { at: under(&path, &finding.at), ..finding }),
                );
            }
            Err(message) => {
                let message = format!("the environment variable `{variable}` cannot be applied: {message}");
                done.errors.push(Finding::new("bad-override", SettingPath::new(parts[0].clone()), message));
            }
        }
    }
    done
}

/// A place in the value of a setting.
fn under(setting: &SettingPath, at: &SettingPath) -> SettingPath {
    if at.as_str().is_empty() { setting.clone() } else { setting.child(at) }
}

/// What the environment alone says of a setting.
pub(crate) fn text_of(environment: &Environment, section: &str, key: &str) -> Option<String> {
    let mut settings = Value::Null;
    override_settings(&mut settings, environment, &[section.to_owned()]);
    settings.get(section)?.get(key)?.as_str().map(str::to_owned)
}

/// Lists and mappings are written as JSON; everything else is text, and becomes a number where one is wanted.
fn value_of(text: &str) -> Value {
    let structured = text.starts_with(['{', '[']);
    let parsed = structured.then(|| serde_json::from_str(text).ok()).flatten();
    parsed.unwrap_or_else(|| Value::String(text.to_owned()))
}

fn set(value: &mut Value, parts: &[String], new: Value) -> Result<SettingPath, String> {
    let mut path = SettingPath::default();
    let mut here = value;
    for part in parts {
        if here.is_null() {
            *here = Value::Object(Map::new());
        }
        here = match here {
            Value::Object(map) => {
                let key =
                    map.keys().find(|k| k.to_lowercase() == *part).cloned().unwrap_or_else(|| part.clone());
                path = path.child(&key);
                map.entry(key).or_insert(Value::Null)
            }
            Value::Array(list) => {
                let count = list.len();
                path = path.child(part);
                let index = part.parse::<usize>().ok().and_then(|i| list.get_mut(i));
                index.ok_or_else(|| {
                    format!("`{part}` is not the number of one of the {count} items (from 0)")
                })?
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                return Err(format!("`{path}` is a single value"));
            }
        };
    }
    *here = new;
    Ok(path)
}

/// Expands `${VAR}` and `${VAR:-default}` in every text.
pub(crate) fn expand(settings: &mut Value, environment: &Environment) -> Vec<Finding> {
    let mut errors = Vec::new();
    walk(settings, &SettingPath::default(), environment, &mut errors);
    errors
}

fn walk(value: &mut Value, path: &SettingPath, environment: &Environment, errors: &mut Vec<Finding>) {
    match value {
        Value::String(text) => match expand_text(text, environment) {
            Ok(Some(expanded)) => *text = expanded,
            Ok(None) => {}
            Err((message, help)) => {
                errors.push(Finding::new("missing-variable", path.clone(), message).help(help))
            }
        },
        Value::Array(list) => {
            for (index, item) in list.iter_mut().enumerate() {
                walk(item, &path.child(index), environment, errors);
            }
        }
        Value::Object(map) => {
            for (key, item) in map {
                walk(item, &path.child(key), environment, errors);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The expanded text, or `None` when there is nothing to expand. A value that a variable gave is not expanded again.
fn expand_text(text: &str, environment: &Environment) -> Result<Option<String>, (String, String)> {
    if !text.contains("${") {
        return Ok(None);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find("${") {
        out.push_str(&rest[..begin]);
        let after = &rest[begin + 2..];
        let Some((reference, tail)) = reference(after)? else {
            out.push_str("${");
            rest = after;
            continue;
        };
        if environment.is_unreadable(reference.name) {
            let message = format!("the environment variable `{}` is not UTF-8 text", reference.name);
            return Err((message, "set it to UTF-8 text, or unset it".to_owned()));
        }
        match (environment.get(reference.name), reference.default) {
            (Some(value), _) | (None, Some(value)) => out.push_str(value),
            (None, None) => {
                let name = reference.name;
                return Err((
                    format!("the environment variable `{name}` is not set"),
                    format!(
                        "set it (in the environment or in `.env`), or write a default: `${{{name}:-...}}`"
                    ),
                ));
            }
        }
        rest = tail;
    }
    out.push_str(rest);
    Ok(Some(out))
}

struct Reference<'t> {
    name: &'t str,
    default: Option<&'t str>,
}

/// What follows `${`: a reference and the rest; `None` when this is no reference but just text (`${` before something that
/// no name begins with).
fn reference(after: &str) -> Result<Option<(Reference<'_>, &str)>, (String, String)> {
    let begins_name = |text: &str| text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !begins_name(after) {
        let name = after.trim_start();
        if begins_name(name) {
            let name = &name[..name_length(name)];
            let help = format!("write `${{{name}}}`, without blanks");
            return Err((format!("the reference to the variable `{name}` begins with a blank"), help));
        }
        return Ok(None);
    }
    let (name, tail) = after.split_at(name_length(after));
    if let Some(tail) = tail.strip_prefix('}') {
        return Ok(Some((Reference { name, default: None }, tail)));
    }
    if let Some((default, tail)) = tail.strip_prefix(":-").and_then(|t| t.split_once('}')) {
        if default.contains("${") {
            let message =
                format!("the default of `{name}` refers to a variable itself, and is plain text only");
            let help = format!("write the text itself, or set `{name}` and leave the default out");
            return Err((message, help));
        }
        return Ok(Some((Reference { name, default: Some(default) }, tail)));
    }
    Err((
        format!("`${{{name}` does not begin a reference to a variable"),
        "write `${NAME}` or `${NAME:-default}`".to_owned(),
    ))
}

/// The bytes of the name that a text begins with.
fn name_length(text: &str) -> usize {
    text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::new(variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(), "/")
    }

    #[test]
    fn references_become_values_or_defaults() {
        let environment = environment(&[("A", "1"), ("EMPTY", ""), ("NESTED", "${A}")]);
        let cases = [
            ("x${A}y${A}", "x1y1"),
            ("${B:-def}", "def"),
            ("${B:-}", ""),
            ("${EMPTY:-def}", ""),
            ("${NESTED}", "${A}"),
            ("cost: $5, ${1}, ${}", "cost: $5, ${1}, ${}"),
        ];
        for (text, expected) in cases {
            let mut value = json!([text]);
            assert_eq!(expand(&mut value, &environment), [], "{text}");
            assert_eq!(value, json!([expected]));
        }
    }

    #[test]
    fn a_missing_variable_is_named_with_its_place() {
        let mut value = json!({"source": {"options": {"path": "${NOWHERE}"}}});
        let found = expand(&mut value, &environment(&[]));
        assert_eq!(found[0].at.as_str(), "source.options.path");
        assert!(found[0].message.contains("`NOWHERE` is not set"));
        assert_eq!(expand(&mut json!("${A B}"), &environment(&[])).len(), 1);
    }

    #[test]
    fn what_is_nearly_a_reference_is_an_error_whatever_is_set() {
        let environment = environment(&[("A", "1"), ("X", "2")]);
        for text in ["${B:-${X}}", "${A:-${X}}", "${ A }", "${ A}", "${A }", "${A", "${A.b}", "${A-x}"] {
            let mut value = json!(text);
            assert_eq!(expand(&mut value, &environment).len(), 1, "{text}");
        }
        assert_eq!(expand(&mut json!("${ }, ${ 1}, $ {A}"), &environment), []);
    }

    #[test]
    fn references_in_overrides_become_values() {
        let mut value = json!({"sinks": {"out": {"options": {}}}});
        let environment = environment(&[
            ("ELSPETH_SINKS__OUT__OPTIONS__PATH", "out/${X}"),
            ("ELSPETH_SINKS__OUT__OPTIONS__SCHEMA", r#"{"mode": "${MODE}"}"#),
            ("X", "${Y}.csv"),
        ]);
        let done = override_settings(&mut value, &environment, &["sinks".to_owned()]);
        assert_eq!(value["sinks"]["out"]["options"]["path"], "out/${Y}.csv");
        let missing: Vec<&str> = done.errors.iter().map(|finding| finding.at.as_str()).collect();
        assert_eq!(missing, ["sinks.out.options.schema.mode"]);
    }

    #[test]
    fn variables_reach_into_mappings_and_lists_whatever_their_case() {
        let mut value = json!({"sinks": {"Out": {"plugin": "csv"}}, "gates": [{"name": "g"}]});
        let environment = environment(&[
            ("ELSPETH_SINKS__OUT__PLUGIN", "json"),
            ("ELSPETH_GATES__0__NAME", "h"),
            ("ELSPETH_LANDSCAPE__URL", "sqlite:///x.db"),
            ("ELSPETH_FINGERPRINT_KEY", "k"),
            ("ELSPETH_GATES__7__NAME", "h"),
            ("ELSPETH_LANDSCPE__URL", "typo"),
        ]);
        let sections = ["sinks", "gates", "landscape"].map(str::to_owned);
        let done = override_settings(&mut value, &environment, &sections);
        let expected = json!({
            "sinks": {"Out": {"plugin": "json"}}, "gates": [{"name": "h"}], "landscape": {"url": "sqlite:///x.db"}
        });
        assert_eq!(value, expected);
        assert_eq!(done.variables["sinks.Out.plugin"], "ELSPETH_SINKS__OUT__PLUGIN");
        assert_eq!(done.errors.len(), 1);
        assert!(done.warnings[0].help.as_deref().unwrap().contains("`landscape`"));
    }
}
