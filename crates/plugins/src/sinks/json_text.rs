//! Values as JSON text, with floats as Python prints them, so that `2500` and `2500.0` stay different.

use elspeth_canonical::write_str;
use elspeth_value::Value;

/// How nested lists and maps are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// On one line, without blanks.
    Compact,
    /// On lines of their own, each level this much further in.
    Indented {
        /// Blanks for each level.
        by: usize,
        /// The level of the value itself.
        level: usize,
    },
}

impl Layout {
    /// The layout one level further in.
    pub(crate) fn deeper(self) -> Self {
        match self {
            Self::Compact => Self::Compact,
            Self::Indented { by, level } => Self::Indented { by, level: level + 1 },
        }
    }

    /// Goes to a new line, if there are any.
    pub(crate) fn new_line(self, out: &mut Vec<u8>) {
        if let Self::Indented { by, level } = self {
            out.push(b'\n');
            out.resize(out.len() + by * level, b' ');
        }
    }

    /// What follows a key.
    pub(crate) fn colon(self) -> &'static [u8] {
        match self {
            Self::Compact => b":",
            Self::Indented { .. } => b": ",
        }
    }
}

/// Appends a value.
pub(crate) fn write_value(out: &mut Vec<u8>, value: &Value, layout: Layout) {
    match value {
        Value::List(items) => {
            out.push(b'[');
            for (n, item) in items.iter().enumerate() {
                separate(out, n, layout.deeper());
                write_value(out, item, layout.deeper());
            }
            close(out, b']', items.is_empty(), layout);
        }
        Value::Map(map) => {
            out.push(b'{');
            for (n, (key, item)) in map.iter().enumerate() {
                separate(out, n, layout.deeper());
                write_str(out, key);
                out.extend_from_slice(layout.colon());
                write_value(out, item, layout.deeper());
            }
            close(out, b'}', map.is_empty(), layout);
        }
        Value::Int(i) => out.extend_from_slice(itoa::Buffer::new().format(*i).as_bytes()),
        Value::Null
        | Value::Bool(_)
        | Value::Float(_)
        | Value::Str(_)
        | Value::Bytes(_)
        | Value::Decimal(_)
        | Value::Date(_)
        | Value::DateTime(_) => value.write_json(out),
    }
}

/// Goes to the `n`-th member of a list or map, from 0.
pub(crate) fn separate(out: &mut Vec<u8>, n: usize, inner: Layout) {
    if n > 0 {
        out.push(b',');
    }
    inner.new_line(out);
}

/// Ends a list or map.
pub(crate) fn close(out: &mut Vec<u8>, bracket: u8, empty: bool, outer: Layout) {
    if !empty {
        outer.new_line(out);
    }
    out.push(bracket);
}

/// The text of a date, moment or decimal: the same as in the canonical form.
pub(crate) fn plain_text(value: &Value) -> String {
    let mut quoted = Vec::new();
    value.write_json(&mut quoted);
    String::from_utf8_lossy(&quoted).trim_matches('"').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_values_are_laid_out_as_asked() {
        let map = Value::Map(
            [
                ("a".into(), Value::List(vec![Value::Int(1), Value::Float(1.0)])),
                ("b".into(), Value::List(vec![])),
            ]
            .into_iter()
            .collect(),
        );
        let mut out = Vec::new();
        write_value(&mut out, &map, Layout::Compact);
        assert_eq!(std::str::from_utf8(&out).unwrap(), r#"{"a":[1,1.0],"b":[]}"#);
        out.clear();
        write_value(&mut out, &map, Layout::Indented { by: 2, level: 0 });
        assert_eq!(
            std::str::from_utf8(&out).unwrap(),
            "{\n  \"a\": [\n    1,\n    1.0\n  ],\n  \"b\": []\n}"
        );
    }
}
