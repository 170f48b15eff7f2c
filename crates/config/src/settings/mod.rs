//! The settings file as types. Their documentation is the description that editors show, by way of the JSON Schema.

mod joins;
mod later;
mod nodes;
mod operation;

pub use joins::{
    AggregationSettings, Branches, CoalescePolicy, CoalesceSettings, MergeStrategy, OutputMode,
    TriggerSettings,
};
pub use later::{CommencementGate, Dependency, ExportFormat, ExportSettings, RunMode};
pub use nodes::{GateSettings, Options, SinkSettings, SourceSettings, TransformSettings};
pub use operation::{
    Backpressure, CheckpointFrequency, CheckpointSettings, ConcurrencySettings, ExporterSettings,
    FailureBudgetSettings, Granularity, HashName, LandscapeBackend, LandscapeSettings, PayloadBackend,
    PayloadStoreSettings, RateLimitSettings, RetrySettings, SecretSource, SecretsSettings, ServiceLimit,
    SigningSettings, Synchronous, TelemetrySettings,
};

use elspeth_graph::SettingPath;
use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A pipeline: where rows come from, what is decided about them, where they go, and how all of that is recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Elspeth settings")]
pub struct Settings {
    /// Where rows come from.
    pub source: SourceSettings,
    /// Steps that change rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transforms: Vec<TransformSettings>,
    /// Steps that decide where rows go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<GateSettings>,
    /// Steps that collect rows into batches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aggregations: Vec<AggregationSettings>,
    /// Steps that join the branches of a fork.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub coalesce: Vec<CoalesceSettings>,
    /// Where rows go, by name.
    pub sinks: IndexMap<String, SinkSettings>,
    /// The audit database.
    #[serde(default)]
    pub landscape: LandscapeSettings,
    /// Where large bodies are kept.
    #[serde(default)]
    pub payload_store: PayloadStoreSettings,
    /// How much work becomes durable at once.
    #[serde(default)]
    pub checkpoint: CheckpointSettings,
    /// How many rows are worked on at once.
    #[serde(default)]
    pub concurrency: ConcurrencySettings,
    /// How many rows may fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_budget: Option<FailureBudgetSettings>,
    /// How often and after which delays a failed attempt is repeated.
    #[serde(default)]
    pub retry: RetrySettings,
    /// How often services are called.
    #[serde(default)]
    pub rate_limit: RateLimitSettings,
    /// Traces of runs, for operators; the record does not depend on them.
    #[serde(default)]
    pub telemetry: TelemetrySettings,
    /// Whether to run live, or to repeat or compare an earlier run.
    #[serde(default)]
    pub run_mode: RunMode,
    /// The run to replay or to verify against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay_from: Option<String>,
    /// Pipelines to run first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<Dependency>,
    /// Conditions for beginning at all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commencement_gates: Vec<CommencementGate>,
    /// Where secrets come from.
    #[serde(default)]
    pub secrets: SecretsSettings,
}

impl Settings {
    /// The services that nodes name, with where they do.
    pub(crate) fn services(&self) -> impl Iterator<Item = (SettingPath, &str)> {
        let transforms = self.transforms.iter().map(|node| node.service.as_deref()).enumerate();
        let aggregations = self.aggregations.iter().map(|node| node.service.as_deref()).enumerate();
        let all = transforms
            .map(|node| ("transforms", node))
            .chain(aggregations.map(|node| ("aggregations", node)));
        all.filter_map(|(section, (index, service))| {
            Some((SettingPath::new(section).child(index).child("service"), service?))
        })
    }
}

/// A mapping from names to names.
fn named_texts(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "additionalProperties": {"type": "string", "minLength": 1}})
}
