use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Options;

/// A step that collects rows into batches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AggregationSettings {
    /// Its name, unique over all nodes and sinks.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Name of the aggregation plugin.
    #[schemars(length(min = 1))]
    pub plugin: String,
    /// The connection whose rows it collects.
    #[schemars(length(min = 1))]
    pub input: String,
    /// Sink or connection for its outputs; its own name is the connection when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_success: Option<String>,
    /// Sink for members of batches that fail, or `discard`.
    #[schemars(length(min = 1))]
    pub on_error: String,
    /// When a batch is worked on; the end of the source always does it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<TriggerSettings>,
    /// Whether new rows come out, or the members themselves.
    #[serde(default)]
    pub output_mode: OutputMode,
    /// How many rows a batch must give.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_output_count: Option<u64>,
    /// Options of the plugin.
    #[serde(default)]
    pub options: Options,
}

/// When a batch is worked on; the first of these that happens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TriggerSettings {
    /// After so many rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub count: Option<u64>,
    /// So many seconds after the first row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub timeout_seconds: Option<f64>,
    /// When this is true; `row['batch_count']` and `row['batch_age_seconds']` are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
}

/// What comes out of an aggregation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutputMode {
    /// New rows.
    #[default]
    Transform,
    /// The members themselves.
    Passthrough,
}

/// A step that joins the branches of a fork.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CoalesceSettings {
    /// Its name, unique over all nodes and sinks.
    #[schemars(length(min = 1))]
    pub name: String,
    /// The branches that it joins.
    pub branches: Branches,
    /// Which branches must have arrived.
    #[serde(default)]
    pub policy: CoalescePolicy,
    /// How the rows become one.
    #[serde(default)]
    pub merge: MergeStrategy,
    /// How long it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub timeout_seconds: Option<f64>,
    /// How many branches suffice, for `policy: quorum`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub quorum_count: Option<u64>,
    /// Which branch is taken, for `merge: select`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub select_branch: Option<String>,
    /// Sink or connection for merged rows; its own name is the connection when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_success: Option<String>,
}

/// Branches, by name or with the connection in which each ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Branches {
    /// Branches that lead here directly.
    Direct(Vec<String>),
    /// Branch and the connection in which its own transforms end.
    Through(IndexMap<String, String>),
}

/// Which branches must have arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CoalescePolicy {
    /// All of them.
    #[default]
    RequireAll,
    /// `quorum_count` of them.
    Quorum,
    /// Those that arrive before the timeout.
    BestEffort,
    /// Any one.
    First,
}

/// How the rows of branches become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MergeStrategy {
    /// All fields; the later branch wins.
    #[default]
    Union,
    /// One field for each branch.
    Nested,
    /// One branch's row.
    Select,
}

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
