use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Options of a plugin; which ones there are is the plugin's matter.
pub type Options = serde_json::Map<String, serde_json::Value>;

/// Where rows come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceSettings {
    /// Name of the source plugin.
    #[schemars(length(min = 1))]
    pub plugin: String,
    /// Sink or connection for valid rows.
    #[schemars(length(min = 1))]
    pub on_success: String,
    /// Options of the plugin, with `schema` and `on_validation_failure`.
    #[serde(default)]
    pub options: Options,
}

/// A step that changes rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TransformSettings {
    /// Its name, unique over all nodes and sinks.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Name of the transform plugin.
    #[schemars(length(min = 1))]
    pub plugin: String,
    /// The connection whose rows it works on.
    #[schemars(length(min = 1))]
    pub input: String,
    /// Sink or connection for its outputs.
    #[schemars(length(min = 1))]
    pub on_success: String,
    /// Sink for rows that fail, or `discard`.
    #[schemars(length(min = 1))]
    pub on_error: String,
    /// The service that it calls, whose limit under `rate_limit` it keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub service: Option<String>,
    /// Options of the plugin.
    #[serde(default)]
    pub options: Options,
}

/// A step that decides where rows go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GateSettings {
    /// Its name, unique over all nodes and sinks.
    #[schemars(length(min = 1))]
    pub name: String,
    /// The connection whose rows it decides about.
    #[schemars(length(min = 1))]
    pub input: String,
    /// What is asked of each row, such as `row['amount'] > 1000`.
    #[schemars(length(min = 1))]
    pub condition: String,
    /// Sink or connection (or `fork`) for each result of the condition.
    #[schemars(schema_with = "super::named_texts")]
    pub routes: IndexMap<String, String>,
    /// The branches of a fork: sinks or connections, each of which gets a copy of the row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(inner(length(min = 1)))]
    pub fork_to: Vec<String>,
    /// Sink for rows for which the condition has no result, or `discard`.
    #[serde(default = "discard")]
    #[schemars(length(min = 1))]
    pub on_error: String,
}

/// Where rows go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SinkSettings {
    /// Name of the sink plugin.
    #[schemars(length(min = 1))]
    pub plugin: String,
    /// Another sink for rows that this one refuses, or `discard`.
    #[serde(default = "discard")]
    #[schemars(length(min = 1))]
    pub on_write_failure: String,
    /// Options of the plugin.
    #[serde(default)]
    pub options: Options,
}

fn discard() -> String {
    elspeth_graph::spec::DISCARD.to_owned()
}
