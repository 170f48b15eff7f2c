use std::num::NonZeroU64;
use std::path::PathBuf;

use elspeth_canonical::HashVersion;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ExportSettings, Options};
use crate::DatabaseUrl;

/// The audit database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LandscapeSettings {
    /// Where it is: `sqlite:///relative/path`, `sqlite:////absolute/path` or `postgresql://...`.
    #[schemars(length(min = 1))]
    pub url: String,
    /// The digest of all hashes of a run.
    pub hash: HashName,
    /// Whether a commit waits until it is on the disk.
    #[serde(skip_serializing_if = "is_full")]
    pub synchronous: Synchronous,
    /// The key that signs the heads of the registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signing: Option<SigningSettings>,
    /// Export of the record after a run.
    pub export: ExportSettings,
    /// Whether to keep a journal: a copy of every record in a file of lines, written while the run goes on.
    pub dump_to_jsonl: bool,
    /// That file; beside the database, with the ending `.journal.jsonl`, if not set.
    #[schemars(length(min = 1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dump_to_jsonl_path: Option<String>,
    /// Accepted for compatibility; the URL says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<LandscapeBackend>,
    /// Accepted for compatibility; there is no run without a record.
    pub enabled: bool,
}

/// The digest of all hashes of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HashName {
    /// BLAKE3.
    #[default]
    Blake3,
    /// SHA-256, as the Python system has it.
    Sha256,
}

/// The key that signs the heads of the registry. Without this, or without a key in it, the environment variables
/// `ELSPETH_SIGNING_KEY` (the key) and `ELSPETH_SIGNING_KEY_FILE` (its file) name one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SigningSettings {
    /// The file of the secret key, as `elspeth keys generate` writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub key_file: Option<String>,
    /// The secret key itself; write `${VARIABLE}`. What is recorded of it is its name and id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub key: Option<String>,
    /// After so many epochs of a run that is under way, how far it is becomes part of the registry, with a signed head.
    pub heads_every: NonZeroU64,
}

impl Default for SigningSettings {
    fn default() -> Self {
        Self { key_file: None, key: None, heads_every: NonZeroU64::new(100).expect("100 is not 0") }
    }
}

/// Whether a commit to the audit database waits until it is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Synchronous {
    /// It does: what is committed survives whatever happens.
    #[default]
    Full,
    /// It does not. A crash of this program costs nothing then either, but a power failure can cost the whole record.
    Off,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_full(synchronous: &Synchronous) -> bool {
    *synchronous == Synchronous::Full
}

/// Kind of the audit database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LandscapeBackend {
    /// A file.
    Sqlite,
    /// A server.
    Postgresql,
}

/// Where large bodies are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PayloadStoreSettings {
    /// Kind of store.
    pub backend: PayloadBackend,
    /// Its folder.
    #[schemars(length(min = 1))]
    pub base_path: String,
    /// How long bodies are kept before `elspeth purge` may take them.
    #[schemars(range(min = 1))]
    pub retention_days: u32,
}

/// Kind of payload store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PayloadBackend {
    /// A folder.
    #[default]
    Filesystem,
}

/// How much work becomes durable at once. Work is always durable; these only bound how many rows an epoch takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CheckpointSettings {
    /// Accepted for compatibility; with `false`, the other settings here have no effect.
    pub enabled: bool,
    /// `every_row`: one row; `every_n`: `checkpoint_interval` rows; otherwise as many as suit, at most 1,000 (8,192 where the record is on a
    /// server) and those of 250 ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frequency: Option<CheckpointFrequency>,
    /// Rows, for `frequency: every_n`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub checkpoint_interval: Option<u64>,
    /// Accepted for compatibility; open batches are always part of what is durable.
    pub aggregation_boundaries: bool,
}

/// How often work becomes durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckpointFrequency {
    /// After each row.
    EveryRow,
    /// After `checkpoint_interval` rows.
    EveryN,
    /// By the default measure.
    AggregationOnly,
}

/// How many rows may fail before the run is stopped as failed; it can be resumed once the cause is mended. What counts is what
/// `elspeth errors` lists: rows that were quarantined, diverted, failed, or sent along an error edge. Each counts once, however many of
/// its tokens fail; being too late for a merge does not count.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FailureBudgetSettings {
    /// So many may; one more stops the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_failed_rows: Option<u64>,
    /// Such a share of the rows read may. Asked from the hundredth row on, and at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub max_failed_ratio: Option<f64>,
}

/// How many rows are worked on at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ConcurrencySettings {
    /// Rows in flight.
    #[schemars(range(min = 1, max = 1024))]
    pub max_workers: u16,
}

/// How often and after which delays a failed attempt is repeated. Delays are drawn evenly between zero and a bound that
/// grows by `exponential_base`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetrySettings {
    /// Attempts in all, the first included.
    #[schemars(range(min = 1, max = 255))]
    pub max_attempts: u8,
    /// Bound of the first delay.
    #[schemars(range(min = 0.0, max = 86400.0))]
    pub initial_delay_seconds: f64,
    /// Bound of any delay.
    #[schemars(range(min = 0.0, max = 86400.0))]
    pub max_delay_seconds: f64,
    /// By how much the bound grows each time.
    #[schemars(range(min = 1.0, max = 1000.0))]
    pub exponential_base: f64,
}

/// How often services are called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RateLimitSettings {
    /// Whether limits apply.
    pub enabled: bool,
    /// For services that are not named below.
    #[schemars(range(min = 1))]
    pub default_requests_per_minute: u32,
    /// Where counts are kept over runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub persistence_path: Option<String>,
    /// By service.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub services: IndexMap<String, ServiceLimit>,
}

/// The limit of one service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceLimit {
    /// Most requests in a minute.
    #[schemars(range(min = 1))]
    pub requests_per_minute: u32,
}

/// Traces of runs, for operators.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetrySettings {
    /// Whether there are any.
    pub enabled: bool,
    /// How fine they are.
    pub granularity: Granularity,
    /// Who gets them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exporters: Vec<ExporterSettings>,
    /// What happens when an exporter is too slow.
    pub backpressure_mode: Backpressure,
}

/// How fine traces are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Granularity {
    /// Runs and phases.
    #[default]
    Lifecycle,
    /// Rows too.
    Rows,
    /// Everything.
    Full,
}

/// What happens when an exporter is too slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Backpressure {
    /// The run waits.
    #[default]
    Block,
    /// Traces are lost.
    Drop,
}

/// Who gets traces.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExporterSettings {
    /// `otlp` or `console`.
    pub name: String,
    /// Its options: `endpoint`, `headers`, ...
    #[serde(default)]
    pub options: Options,
}

/// Where secrets come from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SecretsSettings {
    /// `env`: the environment, by `${VAR}`.
    pub source: SecretSource,
}

/// Where secrets come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecretSource {
    /// The environment.
    #[default]
    Env,
}

impl CheckpointSettings {
    /// Rows of an epoch that these settings ask for, if they do.
    #[must_use]
    pub fn epoch_rows(&self) -> Option<u64> {
        match self.frequency.filter(|_| self.enabled)? {
            CheckpointFrequency::EveryRow => Some(1),
            CheckpointFrequency::EveryN => self.checkpoint_interval,
            CheckpointFrequency::AggregationOnly => None,
        }
    }
}

impl RateLimitSettings {
    /// How many requests a minute a service may get; `None` when limits do not apply.
    #[must_use]
    pub fn requests_per_minute(&self, service: &str) -> Option<u32> {
        let own = self.services.get(service).map(|limit| limit.requests_per_minute);
        self.enabled.then(|| own.unwrap_or(self.default_requests_per_minute))
    }
}

impl HashName {
    /// The digest with its canonical form.
    #[must_use]
    pub const fn version(self) -> HashVersion {
        match self {
            Self::Blake3 => HashVersion::Blake3V1,
            Self::Sha256 => HashVersion::Sha256V1,
        }
    }
}

impl LandscapeSettings {
    /// The file of the journal of a record in that database; `None` where none is kept, or nothing says where.
    #[must_use]
    pub fn journal(&self, database: &DatabaseUrl) -> Option<PathBuf> {
        if !self.dump_to_jsonl {
            return None;
        }
        let beside = || Some(database.file()?.with_extension("journal.jsonl"));
        self.dump_to_jsonl_path.as_ref().map(PathBuf::from).or_else(beside)
    }
}

impl Default for LandscapeSettings {
    fn default() -> Self {
        Self {
            url: "sqlite:///./state/audit.db".to_owned(),
            hash: HashName::default(),
            synchronous: Synchronous::Full,
            signing: None,
            export: ExportSettings::default(),
            dump_to_jsonl: false,
            dump_to_jsonl_path: None,
            backend: None,
            enabled: true,
        }
    }
}

impl Default for PayloadStoreSettings {
    fn default() -> Self {
        Self {
            backend: PayloadBackend::default(),
            base_path: ".elspeth/payloads".to_owned(),
            retention_days: 90,
        }
    }
}

impl Default for CheckpointSettings {
    fn default() -> Self {
        Self { enabled: true, frequency: None, checkpoint_interval: None, aggregation_boundaries: true }
    }
}

impl Default for ConcurrencySettings {
    fn default() -> Self {
        Self { max_workers: 4 }
    }
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self { max_attempts: 3, initial_delay_seconds: 1.0, max_delay_seconds: 60.0, exponential_base: 2.0 }
    }
}

impl Default for RateLimitSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            default_requests_per_minute: 60,
            persistence_path: None,
            services: IndexMap::new(),
        }
    }
}
