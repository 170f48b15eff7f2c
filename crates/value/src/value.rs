//! Values: the types that pipeline data has, and maps of them.
//!
//! A value owns its data and knows its type; it knows no schema. Floats are finite and integers within +-(2^53-1) once
//! data has passed the border, which is why both can be hashed without loss.

use compact_str::CompactString;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use time::{Date, OffsetDateTime};

/// One value of pipeline data.
///
/// `Int` and `Float` are different types (`2500` and `2500.0`), as in Python. Floats are always finite.
/// The serde form is for storage in binary codecs; JSON is written by [`Value::write_json`] and [`Value::write_canonical`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub enum Value {
    /// No value.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number, within +-(2^53-1).
    Int(i64),
    /// A finite number with a fraction.
    Float(f64),
    /// Text.
    Str(CompactString),
    /// An exact decimal number.
    Decimal(Decimal),
    /// A calendar day.
    Date(Date),
    /// A moment.
    DateTime(OffsetDateTime),
    /// Bytes that are not text.
    Bytes(Box<[u8]>),
    /// A list.
    List(Vec<Value>),
    /// A map in insertion order.
    Map(Map),
}

/// A map in insertion order. Small: looked up by scanning.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Map(Vec<(CompactString, Value)>);

impl Map {
    /// An empty map.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|(k, _)| k == key).map(|(_, v)| v)
    }

    /// Sets `key`, in its old place if it was there.
    pub fn insert(&mut self, key: CompactString, value: Value) {
        match self.0.iter_mut().find(|(k, _)| *k == key) {
            Some((_, slot)) => *slot = value,
            None => self.0.push((key, value)),
        }
    }

    /// Entries in insertion order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(k, v)| (k.as_str(), v))
    }

    /// Taken apart, in insertion order.
    #[must_use]
    pub fn into_entries(self) -> Vec<(CompactString, Value)> {
        self.0
    }

    /// How many entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Value {
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

impl FromIterator<(CompactString, Value)> for Map {
    fn from_iter<I: IntoIterator<Item = (CompactString, Value)>>(entries: I) -> Self {
        let mut map = Self::new();
        for (key, value) in entries {
            map.insert(key, value);
        }
        map
    }
}
