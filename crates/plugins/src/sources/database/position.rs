//! Where the source stands: behind which key, and what it read until there.

use std::fmt;

use compact_str::CompactString;
use elspeth_plugin::SourceSnapshot;
use elspeth_value::Contract;
use serde::{Deserialize, Serialize};

use crate::row_chain::StoredChain;

/// The values of a row's key, in the order of the key's columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct KeyValues(pub(super) Vec<KeyPart>);

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum KeyPart {
    Int(i64),
    /// Also of what is no text, as the database writes it.
    Text(String),
}

/// As the record keeps it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Position {
    /// Of the last row; nothing before the first one.
    pub(super) key: Option<KeyValues>,
    pub(super) read: StoredChain,
    /// The query's columns, and the fields that they became.
    pub(super) columns: Vec<(String, CompactString)>,
    /// Those from which a row was read.
    pub(super) snapshots: Vec<SourceSnapshot>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) learnt: Option<Contract>,
}

impl KeyValues {
    /// With the names of the columns: ``id = 7, part = `a` ``.
    pub(super) fn shown(&self, columns: &[String]) -> String {
        let parts = columns.iter().zip(&self.0).map(|(column, part)| format!("{column} = {part}"));
        parts.collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for KeyPart {
    /// At most 40 characters of a text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(number) => write!(f, "{number}"),
            Self::Text(text) => match text.char_indices().nth(40) {
                Some((end, _)) => write!(f, "`{}\u{2026}`", &text[..end]),
                None => write!(f, "`{text}`"),
            },
        }
    }
}
