use elspeth_contracts::Determinism;

use crate::OptionsSchema;

/// Which trait a plugin implements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PluginKind {
    /// [`crate::Source`].
    Source,
    /// [`crate::Transform`].
    Transform,
    /// [`crate::BatchTransform`]; named by aggregations.
    Aggregation,
    /// [`crate::Sink`].
    Sink,
}

/// What a plugin says of itself, before any instance exists.
#[derive(Debug, Clone)]
pub struct PluginInfo {
    /// Its kind.
    pub kind: PluginKind,
    /// The name that settings use.
    pub name: &'static str,
    /// Its own version, `major.minor.patch`; recorded with every node.
    pub version: &'static str,
    /// What its output depends on.
    pub determinism: Determinism,
    /// One sentence.
    pub summary: &'static str,
    /// Its options, with defaults and descriptions.
    pub options_schema: OptionsSchema,
    /// A snippet of settings that uses it.
    pub example: &'static str,
    /// Sources: whether it can continue at a position. Sinks: whether it can be cut back to one.
    pub resumable: bool,
    /// Sinks: whether writing the same rows twice changes nothing.
    pub idempotent: bool,
}

/// An option that a plugin refuses. Positions are found by the path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct OptionError {
    /// Path inside `options`, keys and indexes joined by `.`; empty for the mapping itself.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl OptionError {
    /// An error about the option at `path`.
    #[must_use]
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into(), help: None }
    }

    /// The same with advice.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
