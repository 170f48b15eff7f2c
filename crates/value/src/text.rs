//! How values are written as JSON text that keeps their types, and as Python prints floats.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use elspeth_canonical::{CanonicalError, compare_keys, write_bool, write_bytes, write_f64, write_i64, write_null, write_str};
use rust_decimal::Decimal;
use time::format_description::well_known::Rfc3339;
use time::{Date, OffsetDateTime, UtcOffset};

use crate::{Map, Value};

impl Value {
    /// Appends canonical JSON (RFC 8785): moments as UTC RFC 3339 text, days and decimals as text, bytes tagged.
    ///
    /// # Errors
    /// [`CanonicalError`] for an integer beyond +-(2^53-1) or a float that is not finite, at any depth.
    pub fn write_canonical(&self, out: &mut Vec<u8>) -> Result<(), CanonicalError> {
        match self {
            Self::Null => write_null(out),
            Self::Bool(value) => write_bool(out, *value),
            Self::Int(value) => write_i64(out, *value)?,
            Self::Float(value) => write_f64(out, *value)?,
            Self::Str(text) => write_str(out, text),
            Self::Decimal(value) => write_str(out, &decimal_text(value)),
            Self::Date(value) => write_str(out, &date_text(*value)),
            Self::DateTime(value) => write_str(out, &datetime_text(*value)),
            Self::Bytes(bytes) => write_bytes(out, bytes),
            Self::List(items) => list(items, out, Self::write_canonical)?,
            Self::Map(map) => {
                let mut entries: Vec<_> = map.iter().collect();
                entries.sort_by(|(a, _), (b, _)| compare_keys(a, b));
                object(entries.into_iter(), out, Self::write_canonical)?;
            }
        }
        Ok(())
    }

    /// Appends JSON for people and sinks: insertion order, `2500.0` stays apart from `2500`.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => write_null(out),
            Self::Bool(value) => write_bool(out, *value),
            Self::Int(value) => out.extend_from_slice(value.to_string().as_bytes()),
            Self::Float(value) => write_python_float(out, *value),
            Self::Str(text) => write_str(out, text),
            Self::Decimal(value) => write_str(out, &decimal_text(value)),
            Self::Date(value) => write_str(out, &date_text(*value)),
            Self::DateTime(value) => write_str(out, &datetime_text(*value)),
            Self::Bytes(bytes) => write_bytes(out, bytes),
            Self::List(items) => infallible(list(items, out, plain)),
            Self::Map(map) => infallible(object(map.iter(), out, plain)),
        }
    }

    /// The same as a JSON value.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match self {
            Self::Null => Json::Null,
            Self::Bool(value) => Json::Bool(*value),
            Self::Int(value) => Json::from(*value),
            Self::Float(value) => Json::from(*value),
            Self::Str(text) => Json::from(text.as_str()),
            Self::Decimal(value) => Json::from(decimal_text(value)),
            Self::Date(value) => Json::from(date_text(*value)),
            Self::DateTime(value) => Json::from(datetime_text(*value)),
            Self::Bytes(bytes) => serde_json::json!({ "__bytes__": STANDARD.encode(bytes) }),
            Self::List(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Self::Map(map) => Json::Object(map.iter().map(|(k, v)| (k.to_owned(), v.to_json())).collect()),
        }
    }

    /// Takes a JSON value; whole numbers become `Int`, those with fraction or exponent `Float`.
    ///
    /// # Errors
    /// A sentence, for integers beyond +-(2^53-1) and numbers too large for a float.
    pub fn from_json(json: serde_json::Value) -> Result<Self, String> {
        use serde_json::Value as Json;
        Ok(match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(value),
            Json::Number(number) => number_value(&number)?,
            Json::String(text) => Self::Str(text.into()),
            Json::Array(items) => Self::List(items.into_iter().map(Self::from_json).collect::<Result<_, _>>()?),
            Json::Object(entries) => {
                let entries = entries.into_iter().map(|(k, v)| Ok((k.into(), Self::from_json(v)?)));
                Self::Map(entries.collect::<Result<Map, String>>()?)
            }
        })
    }

    /// The type's name, in the words of settings files: `str`, `int`, `float`, `bool`, `null`, `list`, `map`, ...
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Str(_) => "str",
            Self::Decimal(_) => "decimal",
            Self::Date(_) => "date",
            Self::DateTime(_) => "datetime",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "list",
            Self::Map(_) => "map",
        }
    }
}

/// Appends a float as Python's `repr` prints it: shortest digits that read back the same, with a fraction or an exponent
/// (`2500.0`, `0.1`, `1e+16`, `1e-05`).
pub fn write_python_float(out: &mut Vec<u8>, value: f64) {
    if !value.is_finite() {
        let name = if value.is_nan() { "nan" } else if value > 0.0 { "inf" } else { "-inf" };
        out.extend_from_slice(name.as_bytes());
        return;
    }
    let mut buffer = ryu::Buffer::new();
    let text = buffer.format_finite(value);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    // Ryu writes a plain form between 1e-5 and 1e16, where Python does too but for the lower end.
    let size = value.abs();
    if exponent == "0" && (size == 0.0 || (1e-4..1e16).contains(&size)) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    python_scientific(out, mantissa, exponent, value);
}

fn python_scientific(out: &mut Vec<u8>, mantissa: &str, exponent: &str, value: f64) {
    let size = value.abs();
    let digits = format!("{:e}", size);
    let (significand, power) = digits.split_once('e').unwrap_or((mantissa, exponent));
    let power: i32 = power.parse().unwrap_or(0);
    if value.is_sign_negative() {
        out.push(b'-');
    }
    if (-4..16).contains(&power) {
        plain_digits(out, significand, power);
        return;
    }
    out.extend_from_slice(significand.as_bytes());
    out.extend_from_slice(if power < 0 { b"e-" } else { b"e+" });
    out.extend_from_slice(format!("{:02}", power.unsigned_abs()).as_bytes());
}

/// `d.ddd` times ten to `power` without an exponent.
fn plain_digits(out: &mut Vec<u8>, significand: &str, power: i32) {
    let digits: Vec<u8> = significand.bytes().filter(u8::is_ascii_digit).collect();
    if power < 0 {
        out.extend_from_slice(b"0.");
        out.extend(std::iter::repeat_n(b'0', power.unsigned_abs() as usize - 1));
        out.extend_from_slice(&digits);
        return;
    }
    let whole = power.unsigned_abs() as usize + 1;
    for at in 0..whole {
        out.push(digits.get(at).copied().unwrap_or(b'0'));
    }
    out.push(b'.');
    match digits.get(whole..) {
        Some(rest) if !rest.is_empty() => out.extend_from_slice(rest),
        _ => out.push(b'0'),
    }
}

/// RFC 3339 in UTC.
pub(crate) fn datetime_text(value: OffsetDateTime) -> String {
    let utc = value.to_offset(UtcOffset::UTC);
    utc.format(&Rfc3339).unwrap_or_else(|_| utc.to_string())
}

/// `YYYY-MM-DD`.
pub(crate) fn date_text(value: Date) -> String {
    format!("{:04}-{:02}-{:02}", value.year(), u8::from(value.month()), value.day())
}

pub(crate) fn decimal_text(value: &Decimal) -> String {
    value.to_string()
}

fn number_value(number: &serde_json::Number) -> Result<Value, String> {
    if let Some(int) = number.as_i64() {
        return if int.unsigned_abs() <= elspeth_canonical::MAX_SAFE_INTEGER.unsigned_abs() {
            Ok(Value::Int(int))
        } else {
            Err(beyond_safe(number))
        };
    }
    if number.is_u64() {
        return Err(beyond_safe(number));
    }
    match number.as_f64() {
        Some(float) if float.is_finite() => Ok(Value::Float(float)),
        _ => Err(format!("{number} is too large for a number; keep it as text (`str`)")),
    }
}

fn beyond_safe(number: &serde_json::Number) -> String {
    format!("integer {number} is beyond +-(2^53-1); keep it as text (`str`)")
}

fn plain(value: &Value, out: &mut Vec<u8>) -> Result<(), std::convert::Infallible> {
    value.write_json(out);
    Ok(())
}

fn infallible(result: Result<(), std::convert::Infallible>) {
    match result {
        Ok(()) => {}
    }
}

fn list<E>(
    items: &[Value],
    out: &mut Vec<u8>,
    write: impl Fn(&Value, &mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    out.push(b'[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write(item, out)?;
    }
    out.push(b']');
    Ok(())
}

pub(crate) fn object<'a, E>(
    entries: impl Iterator<Item = (&'a str, &'a Value)>,
    out: &mut Vec<u8>,
    write: impl Fn(&Value, &mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    out.push(b'{');
    for (at, (key, value)) in entries.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_str(out, key);
        out.push(b':');
        write(value, out)?;
    }
    out.push(b'}');
    Ok(())
}
