//! JSON as RFC 8785 writes it, and no other: a document with a blank, an escape that is not needed, a key out of order or twice,
//! or a number in another form is refused. Numbers are integers within ±(2^53-1); nothing that is read here has others.

mod read;
mod write;

use alloc::string::String;
use alloc::vec::Vec;

use thiserror::Error;

/// The largest integer that every reader of JSON can hold (RFC 7493, 2.2).
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Flag(bool),
    /// An integer within ±(2^53-1).
    Integer(i64),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Json>),
    /// An object. Reading gives the keys in their order; writing puts them into it.
    Object(Vec<(String, Json)>),
}

/// A text that is not the canonical JSON of anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("at byte {at}: {what}")]
pub struct BadJson {
    /// How many bytes are in front of what is wrong.
    pub at: usize,
    /// What is wrong, or was expected.
    pub what: &'static str,
}

impl Json {
    /// The value whose canonical form the text is, to its last byte.
    ///
    /// # Errors
    /// [`BadJson`] for every other text.
    pub fn parse(text: &str) -> Result<Self, BadJson> {
        read::document(text)
    }

    /// Its canonical form.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        write::value(self, &mut out);
        out
    }

    /// The value of that key, where it is an object that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Self::Object(entries) = self else { return None };
        entries.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The text, where it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The number, where it is one that is not negative.
    #[must_use]
    pub fn as_number(&self) -> Option<u64> {
        if let Self::Integer(number) = self { u64::try_from(*number).ok() } else { None }
    }

    /// An integer; `None` beyond 2^53-1.
    #[must_use]
    pub fn number(number: u64) -> Option<Self> {
        if number > MAX_SAFE_INTEGER { None } else { i64::try_from(number).ok().map(Self::Integer) }
    }
}

#[cfg(test)]
mod tests;
