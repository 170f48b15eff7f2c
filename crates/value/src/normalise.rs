use std::collections::BTreeMap;

use compact_str::CompactString;
use serde::Serialize;
use thiserror::Error;

/// How the source's headers became field names; recorded on the run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct FieldResolution {
    /// Pairs of original header and final field name, in the order of the source.
    pub fields: Vec<(String, CompactString)>,
}

/// Why headers cannot become field names.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NormaliseError {
    /// Nothing is left of the header.
    #[error("header {position} (`{header}`) has no letters or digits to make a field name of")]
    Empty {
        /// The header.
        header: String,
        /// From 1.
        position: usize,
    },
    /// Several headers give one name; all such names are listed, each with its headers.
    #[error("several headers give the same field name: {0:?}")]
    Collision(BTreeMap<String, Vec<String>>),
    /// `field_mapping` names a field that is not there.
    #[error("field_mapping names `{0}`, which is not a field of the source")]
    UnknownMapping(String),
}

/// The field name of one header: NFC, trimmed, lower case, runs of non-word characters to one `_`, `_` trimmed, a leading
/// digit gets `_` in front, a reserved word `_` behind; `None` when nothing is left.
#[must_use]
pub fn normalise_header(_header: &str) -> Option<CompactString> {
    todo!()
}

/// Resolves all headers of a source, then renames by `mapping` (normalised name -> final name).
///
/// # Errors
/// [`NormaliseError`]; collisions list every header involved.
pub fn resolve_headers(
    _headers: &[String],
    _mapping: &BTreeMap<String, String>,
) -> Result<FieldResolution, NormaliseError> {
    todo!()
}
