use std::fmt::Write as _;

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
    /// A reason without field and line that no retry can mend. Of a message over 4 KiB, the middle is left out, and
    /// control characters but line feeds are written as `\x00`.
    #[must_use]
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        let message = bounded(escaped(message.into()));
        Self { kind, message, field: None, line: None, retryable: false }
    }

    /// The same, about `field`; its name is written as messages are.
    #[must_use]
    pub fn on_field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(bounded(escaped(field.into())));
        self
    }

    /// The same, of that kind and with that message instead.
    #[must_use]
    pub fn restated(self, kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: bounded(escaped(message.into())), ..self }
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

/// Bytes of a text in a reason.
const MOST: usize = 4096;

/// What stands for the middle of a longer one.
const CUT: &str = " ... [cut] ... ";

/// How much of its end a longer one keeps: that is where the innermost cause stands.
const END: usize = 1024;

/// The beginning and the end, where the text is too long.
fn bounded(text: String) -> String {
    if text.len() <= MOST {
        return text;
    }
    let is_boundary = |at: &usize| text.is_char_boundary(*at);
    let head = (0..=MOST - END - CUT.len()).rev().find(is_boundary).unwrap_or(0);
    let tail = (text.len() - END..text.len()).find(is_boundary).unwrap_or(text.len());
    [&text[..head], CUT, &text[tail..]].concat()
}

/// Control characters as Python's `repr` shows them. Databases refuse NUL in JSON, and terminals obey others.
fn escaped(text: String) -> String {
    let is_shown = |c: char| c == '\n' || !c.is_control();
    if text.chars().all(is_shown) {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_shown(c) => out.push(c),
            c => write!(out, "\\x{:02x}", u32::from(c)).expect("text can be written to"),
        }
    }
    out
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

#[cfg(test)]
mod tests {
    use super::{ErrorReason, FailureKind};

    fn message(text: &str) -> String {
        ErrorReason::new(FailureKind::TransformError, text).message
    }

    #[test]
    fn control_characters_are_written_as_python_shows_them() {
        assert_eq!(
            message("no 'a\0b\r\t\u{1b}[2J\u{7f}\u{85}'\nas \u{e9} says"),
            "no 'a\\x00b\\r\\t\\x1b[2J\\x7f\\x85'\nas \u{e9} says"
        );
        let reason = ErrorReason::new(FailureKind::TransformError, "").on_field("a\0\nb");
        assert_eq!(reason.field.as_deref(), Some("a\\x00\nb"));
    }

    #[test]
    fn long_messages_keep_their_beginning_and_their_end() {
        let exact = "\u{e9}".repeat(2048);
        assert_eq!(message(&exact), exact);
        for text in
            [format!("begins {}ends", "\u{e9}".repeat(5000)), format!("begins {}ends", "\0".repeat(4000))]
        {
            let cut = message(&text);
            assert!(cut.len() <= 4096 && cut.len() > 4080, "{}", cut.len());
            assert!(cut.starts_with("begins ") && cut.ends_with("ends") && cut.contains(" [cut] "), "{cut}");
            assert_eq!(message(&cut), cut);
        }
        let reason = ErrorReason::new(FailureKind::TransformError, "").on_field("x".repeat(1 << 20));
        assert_eq!(reason.field.map(|field| field.len()), Some(4096));
    }
}
