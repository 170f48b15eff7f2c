use compact_str::CompactString;
use elspeth_canonical::MAX_SAFE_INTEGER;
use rust_decimal::Decimal;
use thiserror::Error;
use time::format_description::well_known::Rfc3339;
use time::{Date, OffsetDateTime};

use crate::text::{date_text, datetime_text, decimal_text};
use crate::{FieldType, Value};

/// Why a value could not be taken as the declared type. The message quotes at most 40 characters of the value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct CoerceError(pub String);

/// Reads a text cell as `ty`. Blank cells are the caller's (null or missing) except for `str`.
///
/// # Errors
/// [`CoerceError`] when the text is not of that type.
pub fn coerce_text(ty: FieldType, text: &str) -> Result<Value, CoerceError> {
    match ty {
        FieldType::Str | FieldType::Any => Ok(Value::Str(text.into())),
        FieldType::Int => int(text),
        FieldType::Float => float(text),
        FieldType::Bool => boolean(text),
        FieldType::Datetime => datetime(text),
        FieldType::Date => date(text),
        FieldType::Decimal => decimal(text),
    }
}

/// Takes an already parsed value (JSON) as `ty`.
///
/// # Errors
/// [`CoerceError`] when it is not of that type and cannot be taken as it without loss.
pub fn coerce_value(ty: FieldType, value: Value) -> Result<Value, CoerceError> {
    match (ty, value) {
        (_, Value::Null) => Ok(Value::Null),
        (FieldType::Any, value) => Ok(value),
        (FieldType::Str, value) => to_text(value),
        (_, Value::Str(text)) => coerce_text(ty, &text),
        (FieldType::Int, Value::Int(value)) => in_range(value, &value.to_string()),
        (FieldType::Int, Value::Float(value)) => whole(value),
        #[expect(clippy::cast_precision_loss, reason = "values are within +-(2^53-1)")]
        (FieldType::Float, Value::Int(value)) => Ok(Value::Float(value as f64)),
        (FieldType::Float, Value::Float(value)) if value.is_finite() => Ok(Value::Float(value)),
        (FieldType::Bool, Value::Bool(value)) => Ok(Value::Bool(value)),
        (FieldType::Bool, Value::Int(0)) => Ok(Value::Bool(false)),
        (FieldType::Bool, Value::Int(1)) => Ok(Value::Bool(true)),
        (FieldType::Decimal, Value::Int(value)) => Ok(Value::Decimal(value.into())),
        (FieldType::Decimal, value @ Value::Decimal(_))
        | (FieldType::Date, value @ Value::Date(_))
        | (FieldType::Datetime, value @ Value::DateTime(_)) => Ok(value),
        (ty, value) => Err(CoerceError(format!("a {} where {ty} is expected", value.type_name()))),
    }
}

fn to_text(value: Value) -> Result<Value, CoerceError> {
    let text = match value {
        Value::Str(text) => return Ok(Value::Str(text)),
        Value::Date(value) => date_text(value),
        Value::DateTime(value) => datetime_text(value),
        Value::Decimal(value) => decimal_text(&value),
        other => return Err(CoerceError(format!("a {} where str is expected", other.type_name()))),
    };
    Ok(Value::Str(text.into()))
}

/// An optional sign, digits, surrounding blanks, and a fraction that is zero (`7.0`).
fn int(text: &str) -> Result<Value, CoerceError> {
    let trimmed = text.trim();
    let (whole, fraction) = trimmed.split_once('.').unwrap_or((trimmed, "0"));
    let digits = whole.strip_prefix(['+', '-']).unwrap_or(whole);
    let plain = !digits.is_empty()
        && digits.bytes().all(|b| b.is_ascii_digit())
        && !fraction.is_empty()
        && fraction.bytes().all(|b| b == b'0');
    if !plain {
        return Err(refused(text, "an integer"));
    }
    match whole.parse::<i64>() {
        Ok(value) => in_range(value, trimmed),
        Err(_) => Err(beyond(trimmed)),
    }
}

fn in_range(value: i64, text: &str) -> Result<Value, CoerceError> {
    if (-MAX_SAFE_INTEGER..=MAX_SAFE_INTEGER).contains(&value) { Ok(Value::Int(value)) } else { Err(beyond(text)) }
}

fn beyond(text: &str) -> CoerceError {
    CoerceError(format!("{} is beyond +-(2^53-1); declare the field as `str`", quoted(text)))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "compared with the original")]
fn whole(value: f64) -> Result<Value, CoerceError> {
    let int = value as i64;
    if int as f64 == value && int.unsigned_abs() <= MAX_SAFE_INTEGER.unsigned_abs() {
        Ok(Value::Int(int))
    } else {
        Err(CoerceError(format!("{value} is not a whole number within +-(2^53-1)")))
    }
}

/// What Rust and Python both read as a float; NaN and infinities are refused.
fn float(text: &str) -> Result<Value, CoerceError> {
    match text.trim().parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(Value::Float(value)),
        Ok(_) => Err(CoerceError(format!("{} is not a finite number", quoted(text)))),
        Err(_) => Err(refused(text, "a number")),
    }
}

fn boolean(text: &str) -> Result<Value, CoerceError> {
    let word = text.trim();
    let is = |words: &[&str]| words.iter().any(|w| word.eq_ignore_ascii_case(w));
    if is(&["true", "t", "yes", "y", "on", "1"]) {
        Ok(Value::Bool(true))
    } else if is(&["false", "f", "no", "n", "off", "0"]) {
        Ok(Value::Bool(false))
    } else {
        Err(refused(text, "true or false (true/false, t/f, yes/no, y/n, on/off, 1/0)"))
    }
}

fn datetime(text: &str) -> Result<Value, CoerceError> {
    OffsetDateTime::parse(text.trim(), &Rfc3339).map(Value::DateTime).map_err(|_| {
        refused(text, "a moment with its offset, as in 2026-01-31T09:30:00Z")
    })
}

fn date(text: &str) -> Result<Value, CoerceError> {
    let format = time::macros::format_description!("[year]-[month]-[day]");
    Date::parse(text.trim(), &format).map(Value::Date).map_err(|_| refused(text, "a day, as in 2026-01-31"))
}

fn decimal(text: &str) -> Result<Value, CoerceError> {
    let trimmed = text.trim();
    let plain = trimmed.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.'));
    match Decimal::from_str_exact(trimmed) {
        Ok(value) if plain => Ok(Value::Decimal(value)),
        Ok(_) | Err(_) => Err(refused(text, "a decimal number of at most 28 digits")),
    }
}

fn refused(text: &str, wanted: &str) -> CoerceError {
    CoerceError(format!("{} is not {wanted}", quoted(text)))
}

fn quoted(text: &str) -> CompactString {
    let mut short: CompactString = text.chars().take(40).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    compact_str::format_compact!("`{short}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_take_sign_blanks_and_a_zero_fraction() {
        for (text, value) in [("7", 7), (" +7 ", 7), ("-0", 0), ("7.0", 7), ("7.000", 7), ("9007199254740991", MAX_SAFE_INTEGER)] {
            assert_eq!(coerce_text(FieldType::Int, text), Ok(Value::Int(value)), "{text}");
        }
        for text in ["", " ", "7.5", "7.", ".0", "1e3", "1_000", "0x10", "--1", "9007199254740992", "99999999999999999999"] {
            assert!(coerce_text(FieldType::Int, text).is_err(), "{text}");
        }
        let message = coerce_text(FieldType::Int, "9007199254740992").unwrap_err().0;
        assert!(message.contains("`str`"), "{message}");
    }

    #[test]
    fn floats_are_what_rust_and_python_both_read_and_finite() {
        for (text, value) in [("1", 1.0), (" 2.5 ", 2.5), ("1e3", 1000.0), (".5", 0.5), ("5.", 5.0), ("-1E-2", -0.01)] {
            assert_eq!(coerce_text(FieldType::Float, text), Ok(Value::Float(value)), "{text}");
        }
        for text in ["", "nan", "NaN", "inf", "-Infinity", "1e999", "1_0.0", "abc"] {
            assert!(coerce_text(FieldType::Float, text).is_err(), "{text}");
        }
    }

    #[test]
    fn booleans_are_words_in_any_case() {
        for text in ["true", "T", "YES", "y", "On", "1", " true "] {
            assert_eq!(coerce_text(FieldType::Bool, text), Ok(Value::Bool(true)), "{text}");
        }
        for text in ["false", "F", "no", "N", "oFF", "0"] {
            assert_eq!(coerce_text(FieldType::Bool, text), Ok(Value::Bool(false)), "{text}");
        }
        for text in ["", "2", "truthy", "ja"] {
            assert!(coerce_text(FieldType::Bool, text).is_err(), "{text}");
        }
    }

    #[test]
    fn moments_need_an_offset_days_their_form_and_decimals_keep_their_digits() {
        assert!(coerce_text(FieldType::Datetime, "2026-01-31T09:30:00+01:00").is_ok());
        assert!(coerce_text(FieldType::Datetime, "2026-01-31T09:30:00").is_err());
        assert!(coerce_text(FieldType::Date, "2026-02-30").is_err());
        let decimal = coerce_text(FieldType::Decimal, "10.50").unwrap();
        assert_eq!(decimal.to_json(), serde_json::json!("10.50"));
    }

    #[test]
    fn parsed_values_are_taken_only_without_loss() {
        assert_eq!(coerce_value(FieldType::Int, Value::Float(7.0)), Ok(Value::Int(7)));
        assert!(coerce_value(FieldType::Int, Value::Float(7.5)).is_err());
        assert_eq!(coerce_value(FieldType::Float, Value::Int(7)), Ok(Value::Float(7.0)));
        assert!(coerce_value(FieldType::Str, Value::Int(7)).is_err());
        assert!(coerce_value(FieldType::Int, Value::Bool(true)).is_err());
    }
}
