//! The `format` option of json plugins.

use std::path::Path;

use schemars::JsonSchema;
use serde::Deserialize;

/// How records stand in a JSON file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum JsonFormat {
    /// One array, by itself or inside of an object.
    Json,
    /// One object a line.
    Jsonl,
}

impl JsonFormat {
    /// What a file of that name probably is.
    pub(crate) fn of_path(path: &Path) -> Self {
        let suffix = path.extension().map(|suffix| suffix.to_ascii_lowercase());
        match suffix.as_deref().and_then(|suffix| suffix.to_str()) {
            Some("jsonl" | "ndjson") => Self::Jsonl,
            _ => Self::Json,
        }
    }
}
