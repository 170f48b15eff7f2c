//! The built-in sinks.

mod appended;
pub(crate) mod csv;
mod csv_columns;
mod csv_existing;
mod csv_padding;
mod csv_text;
pub(crate) mod database;
mod folders;
mod headers;
pub(crate) mod json;
mod json_text;
mod staged_file;

use std::path::PathBuf;

use elspeth_contracts::{ErrorReason, FailureKind};
use elspeth_plugin::{OptionError, SinkError, SinkPosition};
use elspeth_value::{Contract, Row, Violation};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// What becomes of a file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum WriteMode {
    /// It is replaced when the run completes.
    #[default]
    Write,
    /// It is kept and added to.
    Append,
}

/// The `path` option of a file sink.
fn output_path(path: &str) -> Result<PathBuf, OptionError> {
    match path {
        "" => Err(OptionError::new("path", "the path is empty").with_help("name the file to write")),
        _ if path.ends_with('/') => {
            Err(OptionError::new("path", format!("`{path}` is a folder"))
                .with_help("name a file inside of it"))
        }
        _ => Ok(PathBuf::from(path)),
    }
}

/// The parts of a recorded position.
fn parse_position<T: DeserializeOwned>(position: &SinkPosition) -> Result<T, SinkError> {
    T::deserialize(&position.0)
        .map_err(|e| SinkError::new(format!("the sink's recorded position cannot be read: {e}")))
}

/// A sink was used before it was opened.
fn unopened(plugin: &str) -> SinkError {
    SinkError::new(format!("the {plugin} sink was used before it was opened"))
}

/// Whether a row meets the sink's schema; nothing is coerced.
fn check_row(contract: &Contract, row: &Row) -> Result<(), ErrorReason> {
    contract.check(row).map_err(|violation| {
        let field = match &violation {
            Violation::Missing { field } | Violation::Type { field, .. } | Violation::Extra { field } => {
                field
            }
        };
        ErrorReason::new(FailureKind::SinkRefused, violation.to_string()).on_field(field.as_str())
    })
}
