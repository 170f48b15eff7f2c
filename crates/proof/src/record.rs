//! Records: their bytes, as leaves are hashed, and their JSON, as receipts show them. One table says how both are made; it
//! is the table "Records" of `docs/evidence-format.md`. Content only, no times. Knows no order and no trees.

mod bytes;
mod json;
mod table;

use alloc::string::String;
use alloc::vec::Vec;

use thiserror::Error;

pub use table::{Field, Form, Kind};

use crate::hash::Hash;
use crate::token::Token;

/// One record of a kind: a value for each of its fields.
///
/// ```
/// use elspeth_proof::{Json, Kind, Record};
///
/// let json = Json::parse(r#"{"branch":"fast","record":"token","token":"3.1"}"#).unwrap();
/// let record = Record::from_json(&json)?;
/// assert_eq!(record.kind(), Kind::Token);
/// assert_eq!(record.to_bytes(), b"\x02\0\0\0\0\0\x30\0\x01\x01\0\0\0\x04fast\0");
/// assert_eq!(Record::read_all(&record.to_bytes())?, [record.clone()]);
/// assert_eq!(record.to_json(), json);
/// # Ok::<(), elspeth_proof::BadRecord>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    kind: Kind,
    /// One for each field of the kind; `None` where an optional one is absent.
    values: Vec<Option<Value>>,
}

/// The value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A number of any width.
    Number(u64),
    /// Yes or no.
    Flag(bool),
    /// A value of a closed list, by its name.
    Code(&'static str),
    /// A hash.
    Hash(Hash),
    /// A text.
    Text(String),
    /// A token.
    Token(Token),
    /// Why something failed.
    Reason(Reason),
    /// A step and an attempt.
    At {
        /// The node.
        step: u64,
        /// The attempt, from 0.
        attempt: u64,
    },
}

/// Why something failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// Which sort of failure.
    pub kind: String,
    /// What is wrong, in words.
    pub message: String,
    /// The field that it is about.
    pub field: Option<String>,
    /// The line of the source.
    pub line: Option<u64>,
    /// Whether trying again could help.
    pub retryable: bool,
}

/// Bytes or JSON that are no record.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadRecord {
    /// The JSON is no object with a field `record` that names a kind.
    #[error("it has no `record` that names a kind of record")]
    NoKind,
    /// The first byte is the tag of no kind.
    #[error("no kind of record has the tag {0}")]
    Tag(u8),
    /// A field that must be there is missing, or its bytes are.
    #[error("a {kind} without `{field}`")]
    Missing {
        /// Of what.
        kind: &'static str,
        /// Which.
        field: &'static str,
    },
    /// A field has a value that it cannot have.
    #[error("a {kind} whose `{field}` cannot be so")]
    Value {
        /// Of what.
        kind: &'static str,
        /// Which.
        field: &'static str,
    },
    /// The JSON has a field that the kind does not have.
    #[error("a {kind} has no `{field}`")]
    Unknown {
        /// Of what.
        kind: &'static str,
        /// Which.
        field: String,
    },
}

impl Record {
    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The value of the field with that name; `None` where it is absent or the kind does not have it.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&Value> {
        let at = self.kind.fields().iter().position(|candidate| candidate.name == field)?;
        self.values[at].as_ref()
    }

    /// The number in that field.
    #[must_use]
    pub fn number(&self, field: &str) -> Option<u64> {
        if let Some(Value::Number(number)) = self.get(field) { Some(*number) } else { None }
    }

    /// The token in that field.
    #[must_use]
    pub fn token(&self, field: &str) -> Option<Token> {
        if let Some(Value::Token(token)) = self.get(field) { Some(*token) } else { None }
    }

    /// The hash in that field.
    #[must_use]
    pub fn hash(&self, field: &str) -> Option<Hash> {
        if let Some(Value::Hash(hash)) = self.get(field) { Some(*hash) } else { None }
    }

    /// The text in that field, or the name of the code.
    #[must_use]
    pub fn text(&self, field: &str) -> Option<&str> {
        match self.get(field)? {
            Value::Text(text) => Some(text),
            Value::Code(name) => Some(name),
            Value::Number(_)
            | Value::Flag(_)
            | Value::Hash(_)
            | Value::Token(_)
            | Value::Reason(_)
            | Value::At { .. } => None,
        }
    }

    /// Whether that flag is set.
    #[must_use]
    pub fn is(&self, field: &str) -> bool {
        matches!(self.get(field), Some(Value::Flag(true)))
    }

    /// The reason in that field.
    #[must_use]
    pub fn reason(&self, field: &str) -> Option<&Reason> {
        if let Some(Value::Reason(reason)) = self.get(field) { Some(reason) } else { None }
    }

    /// The hashes in it: those of bodies among them.
    pub fn hashes(&self) -> impl Iterator<Item = Hash> {
        self.values
            .iter()
            .filter_map(|value| if let Some(Value::Hash(hash)) = value { Some(*hash) } else { None })
    }
}

#[cfg(test)]
mod tests;
