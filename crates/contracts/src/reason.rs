use serde::{Deserialize, Serialize};

/// Why something about one row or token failed. Stored as JSON: `{"kind": ..., "message": ..., ...}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorReason {
    /// Which sort of failure.
    pub kind: FailureKind,
    /// What is wrong, in the user's words.
    pub message: String,
    /// The field it is about, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The 1-based line of the source where the record began, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Whether trying again could help.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retryable: bool,
}

impl ErrorReason {
    /// A reason without field and line that no retry can mend.
    #[must_use]
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), field: None, line: None, retryable: false }
    }

    /// The same, about `field`.
    #[must_use]
    pub fn on_field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// The same, at the source's `line` (from 1).
    #[must_use]
    pub fn at_line(mut self, line: u64) -> Self {
        self.line = Some(line);
        self
    }

    /// The same, marked as worth trying again.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }
}

/// Which sort of failure a row met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The source record could not be read as a record at all.
    MalformedRecord,
    /// The source record does not meet the schema.
    SchemaViolation,
    /// A row met a node with a type that its schema does not allow.
    TypeMismatch,
    /// A transform said no.
    TransformError,
    /// A gate's condition could not be evaluated.
    GateError,
    /// A gate's result is no label of its routes.
    UnknownLabel,
    /// A plugin panicked.
    PluginPanic,
    /// A plugin did what it did not declare.
    PluginContract,
    /// An output has no canonical form.
    Unhashable,
    /// A plugin's output field exists already.
    FieldCollision,
    /// Every attempt failed.
    RetriesExhausted,
    /// A sink refused the row.
    SinkRefused,
    /// A batch's flush failed.
    BatchFailed,
    /// A branch arrived after its merge.
    LateArrivalAfterMerge,
    /// A merge can no longer happen.
    CoalesceFailed,
    /// Too large for a bound of the engine.
    LimitExceeded,
    /// The source itself failed: ends the run, not a row.
    SourceFailed,
    /// A sink itself failed: ends the run, not a row.
    SinkFailed,
    /// More rows failed than the settings allow: ends the run.
    BudgetExceeded,
    /// The record could not be written: ends the run.
    RecordFailed,
    /// A rule of this program's own is broken: ends the run.
    Internal,
}

impl FailureKind {
    /// The stored and shown name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MalformedRecord => "malformed_record",
            Self::SchemaViolation => "schema_violation",
            Self::TypeMismatch => "type_mismatch",
            Self::TransformError => "transform_error",
            Self::GateError => "gate_error",
            Self::UnknownLabel => "unknown_label",
            Self::PluginPanic => "plugin_panic",
            Self::PluginContract => "plugin_contract",
            Self::Unhashable => "unhashable",
            Self::FieldCollision => "field_collision",
            Self::RetriesExhausted => "retries_exhausted",
            Self::SinkRefused => "sink_refused",
            Self::BatchFailed => "batch_failed",
            Self::LateArrivalAfterMerge => "late_arrival_after_merge",
            Self::CoalesceFailed => "coalesce_failed",
            Self::LimitExceeded => "limit_exceeded",
            Self::SourceFailed => "source_failed",
            Self::SinkFailed => "sink_failed",
            Self::BudgetExceeded => "budget_exceeded",
            Self::RecordFailed => "record_failed",
            Self::Internal => "internal",
        }
    }
}

impl std::fmt::Display for FailureKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}
