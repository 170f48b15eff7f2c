//! YAML text to plain data, by `serde_yaml`, with what this dialect adds: keys are text whatever they look like, merge
//! keys are merged, and aliases cannot make a small file large.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, EnumAccess, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::marks::Marks;

/// Most values that a file may have, aliases followed.
const VALUES_LIMIT: usize = 200_000;

/// Why a text is not a settings file at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct YamlError {
    pub(crate) message: String,
    pub(crate) help: Option<&'static str>,
    /// Line and column, from 1.
    pub(crate) place: Option<(usize, usize)>,
}

/// Reads a text. Of keys that are there twice, the last one counts; that they are there twice is found by [`crate::marks`].
pub(crate) fn read(text: &str) -> Result<Value, YamlError> {
    let left = Cell::new(VALUES_LIMIT);
    Plain { left: &left }.deserialize(serde_yaml::Deserializer::from_str(text)).map_err(|e| explain(&e, text))
}

fn explain(error: &serde_yaml::Error, text: &str) -> YamlError {
    let mut place = error.location().map(|l| (l.line(), l.column()));
    let mut message = error.to_string();
    if let Some((line, column)) = place {
        // The place is shown beside the message.
        message = message.replace(&format!(" at line {line} column {column}"), "");
    }
    if let Some(ours) = OURS.iter().find(|ours| message.ends_with(**ours)) {
        // serde_yaml puts the path before it.
        message = (*ours).to_owned();
    }
    if message == BAD_KEY {
        place = Marks::read(text).complex_key.map(|place| (place.line, place.column)).or(place);
    }
    let help = if message.contains("more than one document") {
        message = "a settings file is one YAML document".to_owned();
        let line = second_document(text);
        place = line.map(|line| (line, 1));
        Some(match line.and_then(|line| text.lines().nth(line - 1)) {
            Some(first) if !first.starts_with("---") => {
                "remove the `...` line and what follows it, or make it another file"
            }
            Some(_) | None => "remove the `---` line and what follows it, or make it another file",
        })
    } else if message.starts_with("control characters are not allowed") {
        message = "control characters are not allowed".to_owned();
        place = text.find(is_refused).map(|offset| place_of(text, offset)).or(place);
        Some("remove it, or write it as an escape in double quotes, such as `\\f`")
    } else if message.contains("repetition limit") {
        message = TOO_LARGE.to_owned();
        Some("write the values out")
    } else if message.contains("recursion limit") {
        message = "this is nested too deeply".to_owned();
        None
    } else if message.contains("found character that cannot start any token") {
        Some("indent with spaces, not tabs, and put text that begins with a special character in quotes")
    } else if message.contains("mapping values are not allowed") {
        Some("put text that holds `: ` in quotes, and check the indentation")
    } else if message.contains("while parsing a flow") {
        Some("close every bracket, and put text that holds `{`, `}`, `[`, `]` or `,` in quotes")
    } else {
        None
    };
    YamlError { message, help, place }
}

/// Whether YAML does not have that character.
fn is_refused(c: char) -> bool {
    let is_break = matches!(c, '\t' | '\n' | '\r' | '\u{85}');
    (c.is_control() && !is_break) || matches!(c, '\u{fffe}' | '\u{ffff}')
}

/// Line and column of an offset, from 1.
fn place_of(text: &str, offset: usize) -> (usize, usize) {
    let before = text[..offset].replace("\r\n", "\n").replace('\r', "\n");
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (before.matches('\n').count() + 1, column)
}

/// The line that begins another document: `---`, or what follows the `...` that ends the first.
fn second_document(text: &str) -> Option<usize> {
    let is_content =
        |line: &str| !line.trim().is_empty() && !line.starts_with(['#', '%']) && !line.starts_with("---");
    let begin = text.lines().position(is_content)?;
    let ends = |line: &str| line.starts_with("---") || line.starts_with("...");
    let end = begin + text.lines().skip(begin).position(ends)?;
    let says_nothing = |line: &&str| line.trim().is_empty() || line.starts_with(['#', '%', '.']);
    let more = text.lines().skip(end).take_while(says_nothing).count();
    Some(end + more + 1)
}

const OURS: [&str; 4] = [TOO_LARGE, TAGGED, BAD_KEY, BAD_MERGE];
const TAGGED: &str = "YAML tags (`!name`) have no meaning in settings";
const BAD_KEY: &str = "a key must be text";
const BAD_MERGE: &str = "`<<` merges mappings; its value must be one, or a list of them";
const TOO_LARGE: &str = "aliases (or sheer size) make too many values of this file";

#[derive(Clone, Copy)]
struct Plain<'c> {
    left: &'c Cell<usize>,
}

impl Plain<'_> {
    fn count<E: Error>(self) -> Result<(), E> {
        let left = self.left.get().checked_sub(1).ok_or_else(|| E::custom(TOO_LARGE))?;
        self.left.set(left);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Plain<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.count()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Plain<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Value, E> {
        Ok(Value::String(value.to_string()))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Value, E> {
        Ok(Value::String(value.to_string()))
    }

    /// Not-a-number and infinities stay text, which no setting that wants a number takes.
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or_else(|| Value::String(value.to_string()), Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        let mut merged = Vec::new();
        while let Some(key) = entries.next_key_seed(self)? {
            let key = key_text(key).map_err(A::Error::custom)?;
            let value = entries.next_value_seed(self)?;
            if key == "<<" {
                merged.push(value);
            } else {
                map.insert(key, value);
            }
        }
        for value in merged {
            merge(&mut map, value).map_err(A::Error::custom)?;
        }
        Ok(Value::Object(map))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, _data: A) -> Result<Value, A::Error> {
        Err(A::Error::custom(TAGGED))
    }
}

/// A key as text: `true:` is the label `true`.
fn key_text(key: Value) -> Result<String, &'static str> {
    match key {
        Value::String(text) => Ok(text),
        Value::Bool(value) => Ok(value.to_string()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Null => Ok("null".to_owned()),
        Value::Array(_) | Value::Object(_) => Err(BAD_KEY),
    }
}

/// `<<: *anchor` or `<<: [*a, *b]`: adds what is not there yet.
fn merge(map: &mut Map<String, Value>, value: Value) -> Result<(), &'static str> {
    match value {
        Value::Object(from) => {
            for (key, value) in from {
                map.entry(key).or_insert(value);
            }
            Ok(())
        }
        Value::Array(list) => list.into_iter().try_for_each(|item| merge(map, item)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Err(BAD_MERGE),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_text_whatever_they_look_like() {
        assert_eq!(
            read("true: a\n1: b\n2.5: c\n~: d").unwrap(),
            json!({"true": "a", "1": "b", "2.5": "c", "null": "d"})
        );
    }

    #[test]
    fn merge_keys_add_what_is_not_there() {
        let text = "base: &b {x: 1, y: 2}\nnode: {<<: *b, y: 3}\nboth: {<<: [*b, {z: 4}]}";
        let value = read(text).unwrap();
        assert_eq!(value["node"], json!({"y": 3, "x": 1}));
        assert_eq!(value["both"], json!({"x": 1, "y": 2, "z": 4}));
        assert!(read("a: {<<: 3}").unwrap_err().message.contains("merges mappings"));
    }

    #[test]
    fn an_alias_bomb_is_refused_quickly() {
        let wide = format!("a: &a [{}]\nb: [{}]\n", "1,".repeat(2_000), "*a,".repeat(2_000));
        assert_eq!(read(&wide).unwrap_err().message, TOO_LARGE);
        let mut deep = String::from("x0: &x0 [1,1]\n");
        for level in 1..30 {
            deep.push_str(&format!("x{level}: &x{level} [{}]\n", format!("*x{},", level - 1).repeat(10)));
        }
        assert_eq!(read(&deep).unwrap_err().message, TOO_LARGE);
    }

    #[test]
    fn tags_documents_and_syntax_errors_are_explained() {
        assert!(read("a: !secret x").unwrap_err().message.contains("tags"));
        assert_eq!(read("a: 1\n---\nb: 2").unwrap_err().message, "a settings file is one YAML document");
        let lines = |text: &str| read(text).unwrap_err().place;
        assert_eq!(lines("a: 1\n...\n\n# and\n---\nb: 2"), Some((5, 1)));
        assert_eq!(lines("a: 1\n...\nb: 2"), Some((3, 1)));
        assert_eq!(lines("a: 1\nb: ü {\n{c: 1}: 2"), Some((3, 1)));
        for c in ['\0', '\u{c}', '\u{1b}', '\u{7f}', '\u{80}', '\u{ffff}'] {
            let error = read(&format!("a: 1\r\nb: \"ü{c}\"\n")).unwrap_err();
            assert_eq!(
                (error.message.as_str(), error.place),
                ("control characters are not allowed", Some((2, 6)))
            );
        }
        let error = read("a: [1\nb: 2").unwrap_err();
        assert!(error.place.is_some(), "{error:?}");
    }
}
