//! `.env` files, read as python-dotenv 1.2 reads them: what follows `=` is the value as it stands, in quotes or without, and
//! `${NAME}` and `${NAME:-default}` in it stand for what the environment or an earlier line says. A `$` without `{` is a `$`.
//!
//! Where python-dotenv skips a line that it cannot read, this refuses the file. No error quotes a value.

use std::collections::BTreeMap;

/// A line that is none, and what is wrong with it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadLine {
    /// From 1.
    pub(crate) line: usize,
    pub(crate) message: String,
}

/// The variables of a file. `outer` is the environment, which `${NAME}` means first.
pub(crate) fn read(
    text: &str,
    outer: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, BadLine> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n").replace('\r', "\n");
    let mut reader = Reader { text: &text, rest: &text };
    // A name alone is one without a value, whatever an earlier line says.
    let mut values: BTreeMap<&str, Option<String>> = BTreeMap::new();
    while let Some(binding) = reader.binding()? {
        let Some(name) = binding.name else { continue };
        let inner = |name: &str| values.get(name).map(|value| value.as_deref().unwrap_or_default());
        let known = |name: &str| outer.get(name).map(String::as_str).or_else(|| inner(name));
        let value = binding.value.map(|value| expanded(&value, known));
        values.insert(name, value);
    }
    Ok(values.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
}

/// What a line says; a comment has no name, and a name alone no value.
struct Binding<'t> {
    name: Option<&'t str>,
    value: Option<String>,
}

struct Reader<'t> {
    text: &'t str,
    rest: &'t str,
}

impl<'t> Reader<'t> {
    fn binding(&mut self) -> Result<Option<Binding<'t>>, BadLine> {
        self.rest = self.rest.trim_start_matches(is_blank);
        if self.rest.is_empty() {
            return Ok(None);
        }
        let begin = self.rest;
        let bad = |message: String| {
            let before = &self.text[..self.text.len() - begin.len()];
            BadLine { line: before.matches('\n').count() + 1, message }
        };
        let (name, rest) =
            name(without_export(begin)).ok_or_else(|| bad("no name begins here".to_owned()))?;
        let (value, rest) = match blanks(rest).1.strip_prefix('=') {
            Some(rest) => {
                let (value, rest) = value(rest).ok_or_else(|| {
                    bad(format!(
                        "the value of `{}` begins with a quote that is not closed",
                        name.unwrap_or_default()
                    ))
                })?;
                (Some(value), rest)
            }
            None => (None, rest),
        };
        self.rest = end_of_line(rest).ok_or_else(|| match (&value, name) {
            (Some(_), Some(name)) => bad(format!("the value of `{name}` goes on behind its quotes")),
            // What stands there may be no name, but a value that lost its own.
            (None, _) | (_, None) => bad("this is not `NAME=value`".to_owned()),
        })?;
        Ok(Some(Binding { name, value }))
    }
}

/// What is a blank for Python.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

/// Blanks of a line, and what follows them.
fn blanks(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| c == '\n' || !is_blank(c)).unwrap_or(text.len()))
}

fn without_export(text: &str) -> &str {
    match text.strip_prefix("export").map(blanks) {
        Some((gap, rest)) if !gap.is_empty() => rest,
        Some(_) | None => text,
    }
}

/// The name, which a comment has not, and what follows it.
fn name(text: &str) -> Option<(Option<&str>, &str)> {
    if text.starts_with('#') {
        return Some((None, text));
    }
    if let Some(quoted) = text.strip_prefix('\'') {
        let (name, rest) = quoted.split_once('\'').filter(|(name, _)| !name.is_empty())?;
        return Some((Some(name), rest));
    }
    let end = text.find(|c: char| matches!(c, '=' | '#') || is_blank(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    (!name.is_empty()).then_some((Some(name), rest))
}

/// The value behind `=`, and what follows it; nothing, when its quotes are not closed.
fn value(text: &str) -> Option<(String, &str)> {
    let (gap, text) = blanks(text);
    match text.chars().next() {
        Some('#') if !gap.is_empty() => Some((String::new(), text)),
        Some(quote @ ('\'' | '"')) => {
            let (inside, rest) = quoted(&text[1..], quote)?;
            Some((unescaped(inside, quote), rest))
        }
        Some(_) | None => {
            let (line, rest) = text.split_at(text.find('\n').unwrap_or(text.len()));
            Some((without_comment(line).trim_end_matches(is_blank).to_owned(), rest))
        }
    }
}

/// What stands before the closing quote, and what follows that. A backslash makes the next character part of the text.
fn quoted(text: &str, quote: char) -> Option<(&str, &str)> {
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        if c == quote {
            return Some((&text[..at], &text[at + 1..]));
        }
        if c == '\\' {
            characters.next();
        }
    }
    None
}

fn unescaped(text: &str, quote: char) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        let escaped = (c == '\\').then(|| escape(characters.clone().next()?, quote)).flatten();
        if escaped.is_some() {
            characters.next();
        }
        out.push(escaped.unwrap_or(c));
    }
    out
}

/// What a character behind a backslash stands for.
fn escape(c: char, quote: char) -> Option<char> {
    let simple = matches!(c, '\\' | '\'').then_some(c);
    let more = || {
        Some(match c {
            '"' => '"',
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            _ => return None,
        })
    };
    simple.or_else(|| if quote == '"' { more() } else { None })
}

/// A line up to blanks with a `#` behind them.
fn without_comment(line: &str) -> &str {
    let comment = line.match_indices('#').find(|(at, _)| line[..*at].ends_with(is_blank));
    comment.map_or(line, |(at, _)| line[..at].trim_end_matches(is_blank))
}

/// What follows the line, if nothing but a comment stands on the rest of it.
fn end_of_line(text: &str) -> Option<&str> {
    let (_, text) = blanks(text);
    let text = if text.starts_with('#') { &text[text.find('\n').unwrap_or(text.len())..] } else { text };
    if text.is_empty() { Some(text) } else { text.strip_prefix('\n') }
}

/// The text with its variables replaced; one that nobody knows is empty.
fn expanded<'v>(text: &str, known: impl Fn(&str) -> Option<&'v str>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find("${") {
        let (before, inside) = (&rest[..begin], &rest[begin + 2..]);
        out.push_str(before);
        match variable(inside) {
            Some((name, default, tail)) => {
                out.push_str(known(name).unwrap_or(default));
                rest = tail;
            }
            None => {
                out.push_str("${");
                rest = inside;
            }
        }
    }
    out.push_str(rest);
    out
}

/// The name, the default and what follows a variable, of which `${` was read.
fn variable(text: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = text.split_at(text.find(['}', ':'])?);
    match rest.strip_prefix(":-") {
        Some(rest) => rest.split_once('}').map(|(default, tail)| (name, default, tail)),
        None => rest.strip_prefix('}').map(|tail| (name, "", tail)),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Table {
        environment: BTreeMap<String, String>,
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        file: String,
        expected: Option<BTreeMap<String, String>>,
    }

    /// `tests/dotenv/generate.py` says how the table is made.
    #[test]
    fn files_mean_what_they_mean_in_python_dotenv() {
        let table: Table = serde_json::from_str(include_str!("../tests/dotenv/cases.json")).unwrap();
        assert!(table.cases.len() > 30, "the table is there");
        for Case { file, expected } in table.cases {
            assert_eq!(read(&file, &table.environment).ok(), expected, "{file}");
        }
    }

    #[test]
    fn a_bad_line_is_named_by_its_number_and_variable_and_never_by_its_value() {
        let cases = [
            ("A=1\n\nB='hunter2\n", 3, "the value of `B` begins with a quote that is not closed"),
            ("A=1\nB=\"hunter2\"hunter3\n", 2, "the value of `B` goes on behind its quotes"),
            ("# x\nhunter2 hunter3\n", 2, "this is not `NAME=value`"),
            ("=hunter2\n", 1, "no name begins here"),
        ];
        for (file, line, message) in cases {
            let expected = BadLine { line, message: message.to_owned() };
            assert_eq!(read(file, &BTreeMap::new()), Err(expected), "{file}");
        }
    }
}
