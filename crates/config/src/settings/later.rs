use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Export of the record after a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExportSettings {
    /// Whether to export.
    #[serde(default)]
    pub enabled: bool,
    /// The sink that takes the records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sink: Option<String>,
    /// The form of the records.
    #[serde(default)]
    pub format: ExportFormat,
    /// Whether to sign them.
    #[serde(default)]
    pub sign: bool,
}

/// The form of exported records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// One table for each kind of record.
    #[default]
    Csv,
    /// One object a line.
    Json,
}

/// Whether to run live, or to repeat or compare an earlier run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunMode {
    /// Services are called.
    #[default]
    Live,
    /// Answers come from the record of `replay_from`.
    Replay,
    /// Services are called and compared with the record of `replay_from`.
    Verify,
}

/// A pipeline to run first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dependency {
    /// How conditions name its run.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Its settings file.
    pub settings: String,
}

/// A condition for beginning at all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommencementGate {
    /// Its name.
    #[schemars(length(min = 1))]
    pub name: String,
    /// What must be true; `dependency_runs`, `collections` and `env` are known.
    pub condition: String,
}
