//! Coercion at the border: how outside data becomes typed values, or is refused with the reason.
//!
//! [`coerce_text`] reads text cells (CSV), [`coerce_value`] takes parsed values (JSON). Both are lossless: whatever comes out
//! says exactly what went in. They know single values only; records are the business of [`crate::Coercer`].

mod moment;
mod number;

use thiserror::Error;

use crate::{FieldType, Value};

/// Why a value could not be taken as the declared type. The message quotes at most 40 characters of the value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct CoerceError(pub String);

/// Reads a text cell as `ty`. Blank cells are the caller's (null or missing) except for `str`.
///
/// | type | takes |
/// |---|---|
/// | `str`, `any` | the text as it is |
/// | `int` | sign, digits, a fraction of zeros (`7.0`); within +-(2^53-1) |
/// | `float` | what Rust and Python both read, finite: no `1_000`, no `nan` |
/// | `bool` | true/false, t/f, yes/no, y/n, on/off, 1/0 in any case |
/// | `decimal` | sign, digits, one point; at most 28 digits |
/// | `date` | `2026-01-31` |
/// | `datetime` | RFC 3339 with its offset; becomes UTC |
///
/// Blanks around are left out, except for `str` and `any`.
///
/// # Errors
/// [`CoerceError`] when the text is not of that type.
pub fn coerce_text(ty: FieldType, text: &str) -> Result<Value, CoerceError> {
    match ty {
        FieldType::Str | FieldType::Any => Ok(Value::Str(text.into())),
        FieldType::Int => number::int(text.trim()).map(Value::Int),
        FieldType::Float => number::float(text.trim()).map(Value::Float),
        FieldType::Bool => boolean(text.trim()).map(Value::Bool),
        FieldType::Datetime => moment::datetime(text.trim()).map(Value::DateTime),
        FieldType::Date => moment::date(text.trim()).map(Value::Date),
        FieldType::Decimal => number::decimal(text.trim()).map(Value::Decimal),
    }
}

/// Takes an already parsed value (JSON) as `ty`: text as [`coerce_text`] does, numbers where nothing is lost (`7.0` as
/// `int`, `7` as `float`, `0` and `1` as `bool`). Null stays null. A number is never taken as `str`.
///
/// # Errors
/// [`CoerceError`] when it is not of that type and cannot be taken as it without loss.
pub fn coerce_value(ty: FieldType, value: Value) -> Result<Value, CoerceError> {
    match (ty, value) {
        (_, Value::Null) => Ok(Value::Null),
        (FieldType::Any, value) => Ok(value),
        (FieldType::Str, value) => text_of(value),
        (_, Value::Str(text)) => coerce_text(ty, &text),
        (FieldType::Int, Value::Int(value)) => number::safe(value).map(Value::Int),
        (FieldType::Int, Value::Float(value)) => number::whole(value).map(Value::Int),
        #[expect(clippy::cast_precision_loss, reason = "exact within +-(2^53-1)")]
        (FieldType::Float, Value::Int(value)) => number::safe(value).map(|int| Value::Float(int as f64)),
        (FieldType::Float, Value::Float(value)) => number::finite(value).map(Value::Float),
        (FieldType::Bool, Value::Int(value @ (0 | 1))) => Ok(Value::Bool(value == 1)),
        (FieldType::Decimal, Value::Int(value)) => Ok(Value::Decimal(value.into())),
        (FieldType::Decimal, Value::Float(value)) => number::decimal_of_float(value).map(Value::Decimal),
        (FieldType::Bool, value @ Value::Bool(_))
        | (FieldType::Decimal, value @ Value::Decimal(_))
        | (FieldType::Date, value @ Value::Date(_))
        | (FieldType::Datetime, value @ Value::DateTime(_)) => Ok(value),
        (_, value) => Err(wrong_type(&value)),
    }
}

fn text_of(value: Value) -> Result<Value, CoerceError> {
    if let Value::Str(_) = value {
        return Ok(value);
    }
    // These have one text form, which says all.
    value.plain_text().map(|text| Value::Str(text.into())).ok_or_else(|| wrong_type(&value))
}

fn wrong_type(value: &Value) -> CoerceError {
    CoerceError(format!("it is of type {}", value.type_name()))
}

fn boolean(word: &str) -> Result<bool, CoerceError> {
    let is = |words: [&str; 6]| words.iter().any(|w| word.eq_ignore_ascii_case(w));
    if is(["true", "t", "yes", "y", "on", "1"]) {
        Ok(true)
    } else if is(["false", "f", "no", "n", "off", "0"]) {
        Ok(false)
    } else {
        Err(refused(word, "true or false (true/false, t/f, yes/no, y/n, on/off, 1/0)"))
    }
}

fn refused(text: &str, wanted: &str) -> CoerceError {
    CoerceError(format!("{} is not {wanted}", quoted(text)))
}

/// At most 40 characters, so that a huge cell does not fill the record.
fn quoted(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("`{}\u{2026}`", &text[..end]),
        None => format!("`{text}`"),
    }
}
