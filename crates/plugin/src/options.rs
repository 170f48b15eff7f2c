//! Reading a plugin's typed options, with errors that a settings author can act on.

use serde::de::DeserializeOwned;

use crate::OptionError;

/// Names less alike than this are not suggested.
const ALIKE: f64 = 0.7;

/// Reads a plugin's typed options; unknown keys are refused by `#[serde(deny_unknown_fields)]` on `T`.
///
/// `null` counts as no options at all.
///
/// # Errors
/// [`OptionError`] with the path of the first option that does not fit; for an unknown key, `path` and `message` name it
/// and `help` gives the nearest key and lists those that exist.
///
/// ```
/// #[derive(Debug, serde::Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Options {
///     path: String,
///     skip_rows: Option<u64>,
/// }
///
/// let error = elspeth_plugin::parse_options::<Options>(&serde_json::json!({"path": "a.csv", "skiprows": 1})).unwrap_err();
/// assert_eq!(error.path, "skiprows");
/// assert_eq!(error.message, "there is no option `skiprows`");
/// assert_eq!(error.help.unwrap(), "did you mean `skip_rows`? Options here: `path`, `skip_rows`");
/// ```
pub fn parse_options<T: DeserializeOwned>(options: &serde_json::Value) -> Result<T, OptionError> {
    let empty = serde_json::Value::Object(serde_json::Map::new());
    let options = if options.is_null() { &empty } else { options };
    serde_path_to_error::deserialize(options).map_err(|error| {
        let path = path_of(error.path());
        explain(&path, &error.into_inner().to_string())
    })
}

/// The path in our notation: keys and indexes joined by `.`.
fn path_of(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut out = String::new();
    for segment in path {
        let part = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => key.clone(),
            Segment::Enum { variant } => variant.clone(),
            Segment::Unknown => continue,
        };
        if !out.is_empty() {
            out.push('.');
        }
        out.push_str(&part);
    }
    out
}

/// Turns serde's sentence into ours. The sentences matched here are pinned by the tests below.
fn explain(path: &str, message: &str) -> OptionError {
    if let Some(rest) = message.strip_prefix("unknown field `") {
        return unknown_key(path, rest);
    }
    if let Some(rest) = message.strip_prefix("missing field `") {
        let name = rest.trim_end_matches('`');
        return OptionError::new(path, format!("the option `{name}` is missing"))
            .with_help(format!("add `{name}:` to these options"));
    }
    if let Some(rest) = message.strip_prefix("unknown variant `") {
        let (found, known) = found_and_known(rest);
        let error = OptionError::new(path, format!("`{found}` is not one of its values"));
        return error.with_help(advice(&found, &known, "Values"));
    }
    let said = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "));
    match said.and_then(|rest| rest.split_once(", expected ")) {
        Some((found, expected)) => {
            OptionError::new(path, format!("must be {}, but is {}", in_words(expected), in_words(found)))
        }
        None => OptionError::new(path, message),
    }
}

fn unknown_key(path: &str, rest: &str) -> OptionError {
    let (found, known) = found_and_known(rest);
    let at_key = path == found || path.ends_with(&format!(".{found}"));
    let path = match path {
        _ if at_key => path.to_owned(),
        "" => found.clone(),
        parent => format!("{parent}.{found}"),
    };
    OptionError::new(path, format!("there is no option `{found}`")).with_help(advice(
        &found,
        &known,
        "Options here",
    ))
}

/// Splits ``x`, expected one of `a`, `b` `` into `x` and the names.
fn found_and_known(rest: &str) -> (String, Vec<&str>) {
    let (found, expected) = rest.split_once('`').unwrap_or((rest, ""));
    (found.to_owned(), expected.split('`').skip(1).step_by(2).collect())
}

fn advice(found: &str, known: &[&str], what: &str) -> String {
    if known.is_empty() {
        return "it takes no options".to_owned();
    }
    let list = known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match nearest(found, known) {
        Some(name) => format!("did you mean `{name}`? {what}: {list}"),
        None => format!("{what}: {list}"),
    }
}

fn nearest<'a>(found: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|name| (strsim::jaro_winkler(found, name), *name))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// serde's names of types, as a settings author would say them.
fn in_words(serde_says: &str) -> String {
    match serde_says {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number that is not negative".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a string" | "a borrowed string" => "text".to_owned(),
        "a sequence" | "sequence" => "a list".to_owned(),
        "a map" | "map" => "a mapping of names to values".to_owned(),
        "null" | "unit" | "unit value" => "empty".to_owned(),
        other if other.starts_with("struct ") => "a mapping of options".to_owned(),
        other => {
            let words =
                [("string ", "the text "), ("integer ", "the number "), ("floating point ", "the number ")];
            words
                .iter()
                .find_map(|(serde, ours)| other.strip_prefix(serde).map(|value| format!("{ours}{value}")))
                .unwrap_or_else(|| other.to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the errors of reading it are looked at")]
    struct Options {
        path: String,
        #[serde(default)]
        skip_rows: u64,
        #[serde(default)]
        mode: Mode,
        #[serde(default)]
        columns: Vec<String>,
        #[serde(default)]
        inner: Option<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the errors of reading it are looked at")]
    struct Inner {
        depth: i64,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Mode {
        #[default]
        Write,
        Append,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}

    fn error(options: serde_json::Value) -> (String, String, String) {
        let e = parse_options::<Options>(&options).unwrap_err();
        (e.path, e.message, e.help.unwrap_or_default())
    }

    #[test]
    fn what_does_not_fit_is_named_by_path_in_plain_words() {
        let cases = [
            (json!({}), "", "the option `path` is missing", "add `path:` to these options"),
            (json!(null), "", "the option `path` is missing", "add `path:` to these options"),
            (json!("x"), "", "must be a mapping of options, but is the text \"x\"", ""),
            (json!({"path": 3}), "path", "must be text, but is the number `3`", ""),
            (json!({"path": null}), "path", "must be text, but is empty", ""),
            (
                json!({"path": "a", "skip_rows": -1}),
                "skip_rows",
                "must be a whole number that is not negative, but is the number `-1`",
                "",
            ),
            (
                json!({"path": "a", "columns": ["x", 2]}),
                "columns.1",
                "must be text, but is the number `2`",
                "",
            ),
            (json!({"path": "a", "columns": "x"}), "columns", "must be a list, but is the text \"x\"", ""),
            (
                json!({"path": "a", "mode": "apend"}),
                "mode",
                "`apend` is not one of its values",
                "did you mean `append`? Values: `write`, `append`",
            ),
            (
                json!({"path": "a", "pth": 1}),
                "pth",
                "there is no option `pth`",
                "did you mean `path`? Options here: `path`, `skip_rows`, `mode`, `columns`, `inner`",
            ),
            (
                json!({"path": "a", "inner": {"dpth": 1}}),
                "inner.dpth",
                "there is no option `dpth`",
                "did you mean `depth`? Options here: `depth`",
            ),
            (
                json!({"path": "a", "inner": {}}),
                "inner",
                "the option `depth` is missing",
                "add `depth:` to these options",
            ),
        ];
        for (options, path, message, help) in cases {
            assert_eq!(
                error(options.clone()),
                (path.to_owned(), message.to_owned(), help.to_owned()),
                "for {options}"
            );
        }
    }

    #[test]
    fn a_plugin_without_options_says_so() {
        let e = parse_options::<Nothing>(&json!({"path": 1})).unwrap_err();
        assert_eq!(e.path, "path");
        assert_eq!(e.help.as_deref(), Some("it takes no options"));
        assert!(parse_options::<Nothing>(&json!(null)).is_ok());
    }
}
