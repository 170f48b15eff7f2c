//! Field names from the headers of files.
//!
//! The rules are those of the Python system, checked against CPython over all of Unicode, because settings files name the
//! fields: another result would be another pipeline. Two headers never give one field.

use std::collections::BTreeMap;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Words that cannot be field names: Python's keywords, as far as they can stand here (`False`, `None` and `True` cannot,
/// names being lower case).
const RESERVED: [&str; 32] = [
    "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif", "else",
    "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal", "not",
    "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

/// How the source's headers became field names; recorded on the run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct FieldResolution {
    /// Pairs of original header and final field name, in the order of the source.
    pub fields: Vec<(String, CompactString)>,
    /// When later records brought more of them, oldest first; none where all are known from the start.
    pub grown: Vec<FieldsGrown>,
}

/// A record that brought further fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldsGrown {
    /// Its number, from 0.
    pub record: u64,
    /// How many fields there were until then.
    pub fields: usize,
}

impl FieldResolution {
    /// How many of the fields are known once that record is read.
    #[must_use]
    pub fn known_at(&self, record: u64) -> usize {
        let next = self.grown.partition_point(|grown| grown.record <= record);
        self.grown.get(next).map_or(self.fields.len(), |grown| grown.fields)
    }
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
    #[error("several headers give the same field name: {}", collisions(.0))]
    Collision(BTreeMap<String, Vec<String>>),
    /// `field_mapping` names a field that is not there.
    #[error("field_mapping names `{0}`, which is not a field of the source")]
    UnknownMapping(String),
    /// `field_mapping` gives a name that no field can have.
    #[error(
        "field_mapping renames `{field}` to `{target}`, but names have letters, digits and `_`, and no digit first"
    )]
    MappingTarget {
        /// The normalised name.
        field: String,
        /// What it should become.
        target: String,
    },
    /// `field_mapping` gives one name to two fields.
    #[error("field_mapping renames `{field}` to `{target}`, as it does `{other}`")]
    SharedTarget {
        /// The normalised name.
        field: String,
        /// The field that has the name already.
        other: String,
        /// What both should become.
        target: String,
    },
}

/// The field name of one header: NFC, trimmed, lower case, runs of non-word characters to one `_`, `_` trimmed, a leading
/// digit gets `_` in front, a reserved word `_` behind; `None` when nothing is left.
///
/// ```
/// use elspeth_value::normalise_header;
///
/// assert_eq!(normalise_header("  Amount (EUR) ").as_deref(), Some("amount_eur"));
/// assert_eq!(normalise_header("2nd score").as_deref(), Some("_2nd_score"));
/// assert_eq!(normalise_header("class").as_deref(), Some("class_"));
/// assert_eq!(normalise_header("***"), None);
/// ```
#[must_use]
pub fn normalise_header(header: &str) -> Option<CompactString> {
    let composed: String = header.nfc().collect();
    let lower = composed.trim().to_lowercase();
    let mut name = CompactString::default();
    // An underscore is a word character, but a run of them counts as one, and none stays at the ends.
    for part in lower.split(|c: char| c == '_' || !is_word(c)).filter(|part| !part.is_empty()) {
        if !name.is_empty() {
            name.push('_');
        }
        name.push_str(part);
    }
    let first = name.chars().next()?;
    if first.is_numeric() && !first.is_alphabetic() {
        name.insert(0, '_');
    } else if RESERVED.contains(&name.as_str()) {
        name.push('_');
    }
    Some(name)
}

/// Python's `\w` without the underscore: letters and numbers. Rust counts combining marks and circled letters among the
/// letters, Python does not.
fn is_word(c: char) -> bool {
    let circled = matches!(c, '\u{24b6}'..='\u{24e9}' | '\u{1f130}'..='\u{1f189}');
    c.is_alphanumeric() && !is_combining_mark(c) && !circled
}

/// Whether a field can have this name at all: letters, digits and underscores, no digit first.
pub(crate) fn is_field_name(name: &str) -> bool {
    let begins = name.chars().next().is_some_and(|c| c == '_' || c.is_alphabetic());
    begins && name.chars().all(|c| c == '_' || is_word(c))
}

/// Resolves all headers of a source, then renames by `mapping` (normalised name -> final name).
///
/// # Errors
/// [`NormaliseError`]; collisions list every header involved.
pub fn resolve_headers(
    headers: &[String],
    mapping: &BTreeMap<String, String>,
) -> Result<FieldResolution, NormaliseError> {
    let mut fields = Vec::with_capacity(headers.len());
    for (at, header) in headers.iter().enumerate() {
        let name = normalise_header(header)
            .ok_or_else(|| NormaliseError::Empty { header: header.clone(), position: at + 1 })?;
        fields.push((header.clone(), name));
    }
    if let Some(unknown) = mapping.keys().find(|key| !fields.iter().any(|(_, name)| name == key.as_str())) {
        return Err(NormaliseError::UnknownMapping(unknown.clone()));
    }
    if let Some((_, error)) = mapping_errors(mapping).into_iter().next() {
        return Err(error);
    }
    for (_, name) in &mut fields {
        if let Some(renamed) = mapping.get(name.as_str()) {
            *name = renamed.as_str().into();
        }
    }
    check_distinct(&fields)?;
    Ok(FieldResolution { fields, grown: Vec::new() })
}

/// Whatever is wrong with a mapping without regard to the headers: targets that are no names, and names given twice. With
/// the key that each is about, in the order of the keys.
#[must_use]
pub fn mapping_errors(mapping: &BTreeMap<String, String>) -> Vec<(&str, NormaliseError)> {
    let mut given = BTreeMap::new();
    let mut errors = Vec::new();
    for (key, target) in mapping {
        let (field, target) = (key.clone(), target.clone());
        if !is_field_name(&target) {
            errors.push((key.as_str(), NormaliseError::MappingTarget { field, target }));
        } else if let Some(other) = given.get(&target).copied() {
            let other = String::clone(other);
            errors.push((key.as_str(), NormaliseError::SharedTarget { field, other, target }));
        } else {
            given.insert(target, key);
        }
    }
    errors
}

fn check_distinct(fields: &[(String, CompactString)]) -> Result<(), NormaliseError> {
    let mut by_name: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (header, name) in fields {
        by_name.entry(name.to_string()).or_default().push(header.clone());
    }
    by_name.retain(|_, headers| headers.len() > 1);
    if by_name.is_empty() { Ok(()) } else { Err(NormaliseError::Collision(by_name)) }
}

fn collisions(names: &BTreeMap<String, Vec<String>>) -> String {
    let one = |(name, headers): (&String, &Vec<String>)| {
        let headers: Vec<_> = headers.iter().map(|h| format!("`{h}`")).collect();
        format!("{} -> `{name}`", headers.join(", "))
    };
    names.iter().map(one).collect::<Vec<_>>().join("; ")
}
