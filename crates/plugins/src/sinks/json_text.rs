//! Values as JSON text, with floats as Python prints them, so that `2500` and `2500.0` stay different.

use elspeth_canonical::{write_bool, write_bytes, write_null, write_str};
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
        Value::Null => write_null(out),
        Value::Bool(b) => write_bool(out, *b),
        Value::Int(i) => out.extend_from_slice(itoa::Buffer::new().format(*i).as_bytes()),
        Value::Float(f) => write_float(out, *f),
        Value::Str(s) => write_str(out, s),
        Value::Bytes(bytes) => write_bytes(out, bytes),
        Value::Decimal(_) | Value::Date(_) | Value::DateTime(_) => write_str(out, &plain_text(value)),
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
    match value {
        Value::Decimal(decimal) => decimal.to_string(),
        Value::Date(date) => date.to_string(),
        Value::DateTime(moment) => {
            let utc = moment.to_offset(time::UtcOffset::UTC);
            utc.format(&time::format_description::well_known::Rfc3339).unwrap_or_else(|e| e.to_string())
        }
        other => format!("{other:?}"),
    }
}

/// Appends a float as Python's `repr` prints it: shortest digits that read back as the same number, with a fraction or
/// an exponent; positional from 1e-4 up to below 1e16.
pub(crate) fn write_float(out: &mut Vec<u8>, value: f64) {
    let mut buffer = ryu::Buffer::new();
    let text = buffer.format(value);
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    out.extend_from_slice(sign.as_bytes());
    if let Some((mantissa, exponent)) = digits.split_once('e') {
        write_exponent(out, mantissa, exponent);
    } else if let Some(fraction) = digits.strip_prefix("0.0000") {
        let (first, rest) = fraction.split_at(1);
        let mantissa = if rest.is_empty() { first.to_owned() } else { format!("{first}.{rest}") };
        write_exponent(out, &mantissa, "-5");
    } else {
        out.extend_from_slice(digits.as_bytes());
    }
}

fn write_exponent(out: &mut Vec<u8>, mantissa: &str, exponent: &str) {
    out.extend_from_slice(mantissa.as_bytes());
    out.push(b'e');
    let (sign, digits) = exponent.strip_prefix('-').map_or((b'+', exponent), |digits| (b'-', digits));
    out.push(sign);
    if digits.len() < 2 {
        out.push(b'0');
    }
    out.extend_from_slice(digits.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Second column: what CPython 3 answers to `repr(float(first))`.
    const PYTHON_SAYS: &[(f64, &str)] = &[
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (2500.0, "2500.0"),
        (0.1, "0.1"),
        (1e15, "1000000000000000.0"),
        (1e16, "1e+16"),
        (1.5e16, "1.5e+16"),
        (123_456_789_012_345_680.0, "1.2345678901234568e+17"),
        (9_007_199_254_740_993.0, "9007199254740992.0"),
        (0.001, "0.001"),
        (0.0001, "0.0001"),
        (0.00012, "0.00012"),
        (0.00001, "1e-05"),
        (0.0000123, "1.23e-05"),
        (-0.000_012_3, "-1.23e-05"),
        (0.000001, "1e-06"),
        (1.5e-7, "1.5e-07"),
        (1e100, "1e+100"),
        (1.797_693_134_862_315_7e308, "1.7976931348623157e+308"),
        (5e-324, "5e-324"),
        (100.0, "100.0"),
        (std::f64::consts::PI, "3.141592653589793"),
    ];

    #[test]
    fn floats_are_printed_as_python_prints_them() {
        for (value, expected) in PYTHON_SAYS {
            let mut out = Vec::new();
            write_float(&mut out, *value);
            assert_eq!(std::str::from_utf8(&out).unwrap(), *expected);
        }
    }

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
