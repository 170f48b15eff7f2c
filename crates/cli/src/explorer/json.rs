//! Bodies as JSON over several lines, with what differs between two of them.
//!
//! Invariant: numbers and texts stand as they were recorded, digit for digit; nothing is read into another type.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

use elspeth_app::Shown;
use indexmap::IndexMap;
use serde_json::value::RawValue;

use super::lines::{Line, Mark};

/// The fields of a row, in their order.
type Fields = IndexMap<String, Box<RawValue>>;

/// How the fields of one row stand to those of another.
pub(super) type Marks = BTreeMap<String, Mark>;

/// What happened to the fields on the way from one row to another: to be seen in the first, and in the second.
pub(super) fn marks(before: &Shown, after: &Shown) -> (Marks, Marks) {
    let (Some(before), Some(after)) = (fields(before), fields(after)) else { return Default::default() };
    (compared(&before, &after, Mark::Removed), compared(&after, &before, Mark::Added))
}

/// Fields that were added, changed and taken away, one line each.
pub(super) fn changes(before: &Shown, after: &Shown) -> Vec<Line> {
    let (Some(old), Some(new)) = (fields(before), fields(after)) else { return Vec::new() };
    let (removed, added) = (compared(&old, &new, Mark::Removed), compared(&new, &old, Mark::Added));
    let mut lines = Vec::new();
    for (name, value) in &new {
        match (added.get(name), old.get(name)) {
            (None, _) => {}
            (Some(_), None) => lines.push(Line::marked(Mark::Added, &format!("{name}: {value}"))),
            (Some(_), Some(was)) => {
                lines.push(Line::marked(Mark::Changed, &format!("{name}: {was} → {value}")));
            }
        }
    }
    let gone = old.iter().filter(|(name, _)| removed.get(*name) == Some(&Mark::Removed));
    lines.extend(gone.map(|(name, value)| Line::marked(Mark::Removed, &format!("{name}: {value}"))));
    lines
}

/// A body, its fields marked.
pub(super) fn body(body: &Shown, marks: &Marks) -> Vec<Line> {
    match (body, fields(body)) {
        (Shown::Nothing, _) => vec![Line::plain("(none)")],
        (Shown::Purged, _) => vec![Line::plain("(purged)")],
        (Shown::Body(_), None) => value(&serde_json::to_string(body).unwrap_or_default()),
        (Shown::Body(_), Some(fields)) if fields.is_empty() => vec![Line::plain("{}")],
        (Shown::Body(_), Some(fields)) => object(&fields, marks),
    }
}

/// A value that stands alone.
pub(super) fn value(json: &str) -> Vec<Line> {
    pretty(json).iter().map(|line| Line::marked(Mark::Plain, line)).collect()
}

fn object(fields: &Fields, marks: &Marks) -> Vec<Line> {
    let mut lines = vec![Line::marked(Mark::Plain, "{")];
    for (at, (name, value)) in fields.iter().enumerate() {
        let mark = marks.get(name).copied().unwrap_or(Mark::Plain);
        let name = serde_json::to_string(name).unwrap_or_default();
        let mut text = pretty(&format!("{name}:{}", value.get()));
        if let Some(last) = text.last_mut().filter(|_| at + 1 < fields.len()) {
            last.push(',');
        }
        lines.extend(text.iter().map(|line| Line::marked(mark, &format!("  {line}"))));
    }
    lines.push(Line::marked(Mark::Plain, "}"));
    lines
}

fn fields(body: &Shown) -> Option<Fields> {
    match body {
        Shown::Nothing | Shown::Purged => None,
        Shown::Body(_) => serde_json::to_string(body).and_then(|json| serde_json::from_str(&json)).ok(),
    }
}

/// What is different in `these`; `alone` is what a field is that the others have not.
fn compared(these: &Fields, others: &Fields, alone: Mark) -> Marks {
    let mark = |name: &String, value: &RawValue| match others.get(name) {
        None => Some(alone),
        Some(other) if other.get() == value.get() => None,
        Some(_) => Some(Mark::Changed),
    };
    these.iter().filter_map(|(name, value)| Some((name.clone(), mark(name, value)?))).collect()
}

/// JSON on as many lines as it has members, two columns deeper in each container.
fn pretty(json: &str) -> Vec<String> {
    let (mut lines, mut depth, mut rest) = (vec![String::new()], 0_usize, json.chars().peekable());
    while let Some(c) = rest.next() {
        match c {
            '"' => push(&mut lines, &string(&mut rest)),
            '{' | '[' => match rest.next_if(|next| matches!(next, '}' | ']')) {
                Some(end) => push(&mut lines, &format!("{c}{end}")),
                None => {
                    depth += 1;
                    push(&mut lines, c.encode_utf8(&mut [0; 4]));
                    lines.push("  ".repeat(depth));
                }
            },
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                lines.push(format!("{}{c}", "  ".repeat(depth)));
            }
            ',' => {
                push(&mut lines, ",");
                lines.push("  ".repeat(depth));
            }
            ':' => push(&mut lines, ": "),
            ' ' | '\n' | '\r' | '\t' => {}
            other => push(&mut lines, other.encode_utf8(&mut [0; 4])),
        }
    }
    lines
}

fn push(lines: &mut [String], text: &str) {
    if let Some(line) = lines.last_mut() {
        line.push_str(text);
    }
}

/// The rest of a text whose first quotation mark was read.
fn string(rest: &mut Peekable<Chars<'_>>) -> String {
    let mut text = "\"".to_owned();
    while let Some(c) = rest.next() {
        text.push(c);
        match c {
            '"' => break,
            '\\' => text.extend(rest.next()),
            _ => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_stands_over_several_lines_digit_for_digit() {
        let cases: [(&str, &[&str]); 5] = [
            ("1.50", &["1.50"]),
            (r#""a,{\"b\":1}""#, &[r#""a,{\"b\":1}""#]),
            (r#"{"a":{},"b":[]}"#, &["{", r#"  "a": {},"#, r#"  "b": []"#, "}"]),
            (
                "[123456789012345678901234567890,[2.0]]",
                &["[", "  123456789012345678901234567890,", "  [", "    2.0", "  ]", "]"],
            ),
            (r#"{ "a" : null }"#, &["{", r#"  "a": null"#, "}"]),
        ];
        for (json, lines) in cases {
            assert_eq!(pretty(json), lines, "{json}");
        }
    }

    #[test]
    fn fields_are_marked_against_each_other() {
        let row = |json: &str| serde_json::from_str::<Fields>(json).unwrap();
        let (before, after) = (row(r#"{"a":1,"b":2,"c":2}"#), row(r#"{"a":1,"c":2.0,"d":null}"#));
        let names = |marks: Marks| marks.into_iter().collect::<Vec<_>>();
        let old = names(compared(&before, &after, Mark::Removed));
        let new = names(compared(&after, &before, Mark::Added));
        assert_eq!(old, [("b".to_owned(), Mark::Removed), ("c".to_owned(), Mark::Changed)]);
        assert_eq!(new, [("c".to_owned(), Mark::Changed), ("d".to_owned(), Mark::Added)]);
    }
}
