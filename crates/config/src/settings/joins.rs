use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

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
    #[schemars(length(min = 1))]
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
    /// The service that it calls, whose limit under `rate_limit` it keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub service: Option<String>,
    /// Options of the plugin.
    #[serde(default)]
    pub options: Options,
}

/// When a batch is worked on: at the first of these that happens, and at the end of the source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TriggerSettings {
    /// After so many rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub count: Option<u64>,
    /// So many seconds after the first row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1e9))]
    pub timeout_seconds: Option<f64>,
    /// When this is true; `row['batch_count']` and `row['batch_age_seconds']` are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
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
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1e9))]
    pub timeout_seconds: Option<f64>,
    /// How many branches are enough, for `policy: quorum`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub quorum_count: Option<u64>,
    /// Which branch is taken, for `merge: select`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub select_branch: Option<String>,
    /// Sink or connection for merged rows; its own name is the connection when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub on_success: Option<String>,
}

/// Branches, by name or with the connection in which each ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Branches {
    /// Branches that lead here directly.
    Direct(#[schemars(inner(length(min = 1)))] Vec<String>),
    /// Branch and the connection in which its own transforms end. Their order matters (in a union, later branches win), so
    /// it is recorded: as a list of mappings.
    Through(
        #[serde(serialize_with = "in_order")]
        #[schemars(schema_with = "super::named_texts")]
        IndexMap<String, String>,
    ),
}

fn in_order<S: Serializer>(branches: &IndexMap<String, String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(branches.iter().map(|(name, input)| IndexMap::from([(name, input)])))
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
    /// Those that arrive before the timeout; all that are not lost, when they are there earlier.
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
