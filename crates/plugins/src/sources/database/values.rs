//! From what a database says to values of rows. What a row cannot hold as what it is (a number beyond +-(2^53-1) or that is not
//! finite, a decimal of more than 28 digits, a day before the year 1) comes as its text, and the schema says whether
//! that will do.

use elspeth_value::{FieldType, Value, coerce_text};

/// The largest whole number that rows hold as one.
const LARGEST: u64 = (1 << 53) - 1;

/// What a column of PostgreSQL holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Int,
    Float,
    Decimal,
    Bool,
    Text,
    Uuid,
    Date,
    /// Of no zone, and so no moment.
    LocalTime,
    Moment,
    Json,
    Bytes,
}

impl Type {
    /// In words.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Int => "a whole number",
            Self::Float => "a float",
            Self::Decimal => "a decimal",
            Self::Bool => "a truth value",
            Self::Text => "text",
            Self::Uuid => "a UUID",
            Self::Date => "a day",
            Self::LocalTime => "a time without zone",
            Self::Moment => "a moment",
            Self::Json => "JSON",
            Self::Bytes => "bytes",
        }
    }
}

/// A value of PostgreSQL, from its text.
pub(super) fn value(ty: Type, text: Option<&str>) -> Value {
    let Some(text) = text else { return Value::Null };
    let read = match ty {
        Type::Int => text.parse().ok().filter(|n: &i64| n.unsigned_abs() <= LARGEST).map(Value::Int),
        Type::Float => text.parse().ok().filter(|n: &f64| n.is_finite()).map(Value::Float),
        Type::Decimal => coerce_text(FieldType::Decimal, text).ok(),
        Type::Bool => Some(Value::Bool(text == "true")),
        Type::Text | Type::Uuid => None,
        Type::Date => coerce_text(FieldType::Date, text).ok(),
        Type::LocalTime => Some(Value::Str(text.replacen(' ', "T", 1).into())),
        Type::Moment => {
            let written = text.replacen(' ', "T", 1);
            let written = written.strip_suffix("+00").map(|local| format!("{local}Z"));
            written.and_then(|written| coerce_text(FieldType::Datetime, &written).ok())
        }
        Type::Json => serde_json::from_str(text).ok().and_then(|json| Value::from_json(json).ok()),
        Type::Bytes => bytes(text).map(Value::Bytes),
    };
    read.unwrap_or_else(|| Value::Str(text.into()))
}

fn bytes(text: &str) -> Option<Box<[u8]>> {
    let digits = text.strip_prefix("\\x")?.as_bytes();
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    digits.chunks(2).map(|pair| Some(digit(pair[0])? * 16 + digit(*pair.get(1)?)?)).collect()
}

/// A whole number of SQLite.
pub(super) fn whole(number: i64, is_bool: bool) -> Value {
    match number {
        0 | 1 if is_bool => Value::Bool(number == 1),
        _ if number.unsigned_abs() <= LARGEST => Value::Int(number),
        _ => Value::Str(number.to_string().into()),
    }
}

/// A float of SQLite.
pub(super) fn float(number: f64) -> Value {
    if number.is_finite() { Value::Float(number) } else { Value::Str(number.to_string().into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_row_cannot_hold_comes_as_text() {
        let text = |text: &str| Value::Str(text.into());
        let cases = [
            (Type::Int, "-9007199254740991", Value::Int(-9_007_199_254_740_991)),
            (Type::Int, "9007199254740992", text("9007199254740992")),
            (Type::Float, "1e-07", Value::Float(1e-7)),
            (Type::Float, "NaN", text("NaN")),
            (Type::Float, "-Infinity", text("-Infinity")),
            (Type::Decimal, "NaN", text("NaN")),
            (Type::Decimal, "1.20", Value::Decimal("1.20".parse().unwrap())),
            (Type::Date, "infinity", text("infinity")),
            (Type::Date, "0044-03-15 BC", text("0044-03-15 BC")),
            (Type::Moment, "infinity", text("infinity")),
            (Type::LocalTime, "2024-01-31 10:00:00", text("2024-01-31T10:00:00")),
            (Type::Bytes, "\\x00fF", Value::Bytes(Box::from([0, 255]))),
            (
                Type::Json,
                "{\"a\": [1, null]}",
                Value::from_json(serde_json::json!({"a": [1, null]})).unwrap(),
            ),
        ];
        for (ty, written, expected) in cases {
            assert_eq!(value(ty, Some(written)), expected, "{written}");
        }
        let moment = value(Type::Moment, Some("2024-01-31 10:00:00.000001+00"));
        assert_eq!(moment, coerce_text(FieldType::Datetime, "2024-01-31T12:00:00.000001+02:00").unwrap());
        assert_eq!(value(Type::Json, None), Value::Null);
        assert_eq!((whole(1, true), whole(2, true)), (Value::Bool(true), Value::Int(2)));
        assert_eq!(float(f64::INFINITY), text("inf"));
    }
}
