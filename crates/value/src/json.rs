//! Values as JSON: canonical for hashes, typed for people and sinks, and to and from `serde_json`.
//!
//! The canonical form follows RFC 8785 and so loses the difference of `2500` and `2500.0`; the typed form keeps it, and the
//! order of entries. Both are written to byte buffers without intermediate values.

use elspeth_canonical::{
    CanonicalError, MAX_SAFE_INTEGER, compare_keys, write_bool, write_bytes, write_f64, write_i64,
    write_null, write_str,
};
use serde_json::Value as Json;

use crate::text::{write_date, write_datetime, write_decimal, write_python_float};
use crate::{Map, Value};

/// How deep lists and maps of a value may nest to have a canonical form. Every source refuses deeper ones before.
pub const MAX_NESTING: u32 = 128;

impl Value {
    /// Appends canonical JSON (RFC 8785): moments as UTC RFC 3339 text, days and decimals as text, bytes tagged.
    ///
    /// # Errors
    /// [`CanonicalError`] for an integer beyond +-(2^53-1) or a float that is not finite, at any depth, and for values that
    /// nest deeper than [`MAX_NESTING`]; what was appended until then stays in `out`.
    pub fn write_canonical(&self, out: &mut Vec<u8>) -> Result<(), CanonicalError> {
        self.write_canonical_within(MAX_NESTING, out)
    }

    fn write_canonical_within(&self, levels: u32, out: &mut Vec<u8>) -> Result<(), CanonicalError> {
        let deeper = || levels.checked_sub(1).ok_or(CanonicalError::TooDeep(MAX_NESTING));
        match self {
            Self::Null => write_null(out),
            Self::Bool(value) => write_bool(out, *value),
            Self::Int(value) => write_i64(out, *value)?,
            Self::Float(value) => write_f64(out, *value)?,
            Self::Str(text) => write_str(out, text),
            Self::Decimal(_) | Self::Date(_) | Self::DateTime(_) => self.write_quoted(out),
            Self::Bytes(bytes) => write_bytes(out, bytes),
            Self::List(items) => write_canonical_list(items, deeper()?, out)?,
            Self::Map(map) => write_canonical_map(map, deeper()?, out)?,
        }
        Ok(())
    }

    /// Appends JSON for people and sinks: insertion order, `2500.0` stays apart from `2500`. A float that is not finite,
    /// which only a failed computation can leave in a value, is written as text.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => write_null(out),
            Self::Bool(value) => write_bool(out, *value),
            Self::Int(value) => out.extend_from_slice(itoa::Buffer::new().format(*value).as_bytes()),
            Self::Float(value) if value.is_finite() => write_python_float(out, *value),
            Self::Str(text) => write_str(out, text),
            Self::Decimal(_) | Self::Date(_) | Self::DateTime(_) | Self::Float(_) => self.write_quoted(out),
            Self::Bytes(bytes) => write_bytes(out, bytes),
            Self::List(items) => write_list(items, out),
            Self::Map(map) => write_map(map, out),
        }
    }

    /// Values without a JSON type of their own, in quotes; their texts need no escapes.
    fn write_quoted(&self, out: &mut Vec<u8>) {
        out.push(b'"');
        self.write_plain_text(out);
        out.push(b'"');
    }

    /// The text of a value that is written as one and is not `Str`; nothing for the others.
    fn write_plain_text(&self, out: &mut Vec<u8>) {
        match self {
            Self::Decimal(value) => write_decimal(out, *value),
            Self::Date(value) => write_date(out, *value),
            Self::DateTime(value) => write_datetime(out, *value),
            Self::Float(value) => write_python_float(out, *value),
            Self::Null | Self::Bool(_) | Self::Int(_) | Self::Str(_) => {}
            Self::Bytes(_) | Self::List(_) | Self::Map(_) => {}
        }
    }

    /// The text form of days, moments and decimals; `None` for all others.
    pub(crate) fn plain_text(&self) -> Option<String> {
        if !matches!(self, Self::Decimal(_) | Self::Date(_) | Self::DateTime(_)) {
            return None;
        }
        let mut text = Vec::with_capacity(32);
        self.write_plain_text(&mut text);
        Some(String::from_utf8(text).expect("these texts are ASCII"))
    }

    /// The same as a JSON value. A float that is not finite becomes null, for want of a number.
    #[must_use]
    pub fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Bool(value) => Json::Bool(*value),
            Self::Int(value) => Json::from(*value),
            Self::Float(value) => Json::from(*value),
            Self::Str(text) => Json::from(text.as_str()),
            Self::Decimal(_) | Self::Date(_) | Self::DateTime(_) => Json::from(self.plain_text()),
            Self::Bytes(bytes) => tagged_bytes(bytes),
            Self::List(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Self::Map(map) => Json::Object(map.iter().map(|(k, v)| (k.to_owned(), v.to_json())).collect()),
        }
    }

    /// Takes a JSON value; whole numbers become `Int`, those with fraction or exponent `Float`.
    ///
    /// `serde_json` has already turned whole numbers beyond 64 bits into floats; a source that must refuse them too has to
    /// look at the text.
    ///
    /// # Errors
    /// A sentence, for integers beyond +-(2^53-1) and numbers too large for a float.
    pub fn from_json(json: Json) -> Result<Self, String> {
        Ok(match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(value),
            Json::Number(number) => number_value(&number)?,
            Json::String(text) => Self::Str(text.into()),
            Json::Array(items) => {
                Self::List(items.into_iter().map(Self::from_json).collect::<Result<_, _>>()?)
            }
            Json::Object(entries) => {
                let entries = entries.into_iter().map(|(k, v)| Ok((k.into(), Self::from_json(v)?)));
                Self::Map(entries.collect::<Result<Map, String>>()?)
            }
        })
    }
}

fn write_map(map: &Map, out: &mut Vec<u8>) {
    out.push(b'{');
    for (at, (key, value)) in map.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_str(out, key);
        out.push(b':');
        value.write_json(out);
    }
    out.push(b'}');
}

fn write_list(items: &[Value], out: &mut Vec<u8>) {
    out.push(b'[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        item.write_json(out);
    }
    out.push(b']');
}

fn write_canonical_list(items: &[Value], levels: u32, out: &mut Vec<u8>) -> Result<(), CanonicalError> {
    out.push(b'[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        item.write_canonical_within(levels, out)?;
    }
    out.push(b']');
    Ok(())
}

fn write_canonical_map(map: &Map, levels: u32, out: &mut Vec<u8>) -> Result<(), CanonicalError> {
    if map.iter().is_sorted_by(|(a, _), (b, _)| compare_keys(a, b).is_lt()) {
        return write_canonical_entries(map.iter(), levels, out);
    }
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_by(|(a, _), (b, _)| compare_keys(a, b));
    write_canonical_entries(entries.into_iter(), levels, out)
}

fn write_canonical_entries<'a>(
    entries: impl Iterator<Item = (&'a str, &'a Value)>,
    levels: u32,
    out: &mut Vec<u8>,
) -> Result<(), CanonicalError> {
    out.push(b'{');
    for (at, (key, value)) in entries.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_str(out, key);
        out.push(b':');
        value.write_canonical_within(levels, out)?;
    }
    out.push(b'}');
    Ok(())
}

fn tagged_bytes(bytes: &[u8]) -> Json {
    let mut text = Vec::new();
    write_bytes(&mut text, bytes);
    serde_json::from_slice(&text).expect("tagged bytes are JSON")
}

fn number_value(number: &serde_json::Number) -> Result<Value, String> {
    if number.is_i64() || number.is_u64() {
        let safe = number.as_i64().filter(|int| int.unsigned_abs() <= MAX_SAFE_INTEGER.unsigned_abs());
        return safe
            .map(Value::Int)
            .ok_or_else(|| format!("integer {number} is beyond +-(2^53-1); keep it as text (`str`)"));
    }
    let finite = number.as_f64().filter(|float| float.is_finite());
    finite
        .map(Value::Float)
        .ok_or_else(|| format!("{number} is too large for a number; keep it as text (`str`)"))
}
