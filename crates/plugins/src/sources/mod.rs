//! The built-in sources.

mod border;
pub(crate) mod csv;
mod csv_records;
pub(crate) mod database;
pub(crate) mod json;
mod json_array;
mod json_keys;
mod json_lines;
mod json_parse;
mod json_record;
mod json_scan;
mod lines;
pub(crate) mod null;
mod text_input;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use elspeth_plugin::{OptionError, SourceError, SourcePosition};
use elspeth_value::mapping_errors;
use serde::de::DeserializeOwned;

/// The `path` option of a file source.
fn input_path(path: &str) -> Result<PathBuf, OptionError> {
    match path {
        "" => Err(OptionError::new("path", "the path is empty").with_help("name the file to read")),
        _ => Ok(PathBuf::from(path)),
    }
}

/// What is wrong with a `field_mapping` before a header is read.
fn field_mapping_errors(mapping: &BTreeMap<String, String>) -> Vec<OptionError> {
    let named = |(key, error)| OptionError::new(format!("field_mapping.{key}"), format!("{error}"));
    mapping_errors(mapping).into_iter().map(named).collect()
}

/// The parts of a recorded position.
fn parse_position<T: DeserializeOwned>(position: &SourcePosition) -> Result<T, SourceError> {
    T::deserialize(&position.0)
        .map_err(|e| SourceError::new(format!("the source's recorded position cannot be read: {e}")))
}

/// A source was used before it was opened.
fn not_open(path: &Path) -> SourceError {
    SourceError::new(format!("`{}` was read before it was opened", path.display()))
}
