use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{BatchTransform, OptionError, PluginInfo, PluginKind, Sink, Source, Transform};

/// Makes a source of its options. Must not touch the outside: that is [`Source::open`]'s.
pub type SourceFactory = fn(&serde_json::Value) -> Result<Box<dyn Source>, Vec<OptionError>>;
/// Makes a transform of its options. Must not touch the outside.
pub type TransformFactory = fn(&serde_json::Value) -> Result<Arc<dyn Transform>, Vec<OptionError>>;
/// Makes a batch transform of its options. Must not touch the outside.
pub type BatchFactory = fn(&serde_json::Value) -> Result<Arc<dyn BatchTransform>, Vec<OptionError>>;
/// Makes a sink of its options. Must not touch the outside: that is [`Sink::open`]'s.
pub type SinkFactory = fn(&serde_json::Value) -> Result<Box<dyn Sink>, Vec<OptionError>>;

/// The plugins that settings can name.
#[derive(Debug, Default, Clone)]
pub struct Registry {
    infos: BTreeMap<(PluginKind, &'static str), PluginInfo>,
    sources: BTreeMap<&'static str, SourceFactory>,
    transforms: BTreeMap<&'static str, TransformFactory>,
    aggregations: BTreeMap<&'static str, BatchFactory>,
    sinks: BTreeMap<&'static str, SinkFactory>,
}

/// A plugin that nobody registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no {kind} plugin `{name}`")]
pub struct UnknownPlugin {
    /// `source`, `transform`, `aggregation` or `sink`.
    pub kind: PluginKind,
    /// The name asked for.
    pub name: String,
    /// The names of that kind that exist.
    pub known: Vec<&'static str>,
}

impl Registry {
    /// A registry that knows nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a source; a later one of the same name replaces an earlier one.
    pub fn add_source(&mut self, info: PluginInfo, factory: SourceFactory) {
        self.sources.insert(info.name, factory);
        self.infos.insert((PluginKind::Source, info.name), info);
    }

    /// Adds a transform.
    pub fn add_transform(&mut self, info: PluginInfo, factory: TransformFactory) {
        self.transforms.insert(info.name, factory);
        self.infos.insert((PluginKind::Transform, info.name), info);
    }

    /// Adds a batch transform, which aggregations can name.
    pub fn add_aggregation(&mut self, info: PluginInfo, factory: BatchFactory) {
        self.aggregations.insert(info.name, factory);
        self.infos.insert((PluginKind::Aggregation, info.name), info);
    }

    /// Adds a sink.
    pub fn add_sink(&mut self, info: PluginInfo, factory: SinkFactory) {
        self.sinks.insert(info.name, factory);
        self.infos.insert((PluginKind::Sink, info.name), info);
    }

    /// Everything registered, by kind and name.
    pub fn infos(&self) -> impl Iterator<Item = &PluginInfo> {
        self.infos.values()
    }

    /// One plugin's description.
    ///
    /// # Errors
    /// [`UnknownPlugin`], with the names that exist.
    pub fn info(&self, kind: PluginKind, name: &str) -> Result<&PluginInfo, UnknownPlugin> {
        self.infos
            .iter()
            .find(|((k, n), _)| *k == kind && *n == name)
            .map(|(_, info)| info)
            .ok_or_else(|| self.unknown(kind, name))
    }

    /// The factory of a source.
    ///
    /// # Errors
    /// [`UnknownPlugin`].
    pub fn source(&self, name: &str) -> Result<SourceFactory, UnknownPlugin> {
        self.sources.get(name).copied().ok_or_else(|| self.unknown(PluginKind::Source, name))
    }

    /// The factory of a transform.
    ///
    /// # Errors
    /// [`UnknownPlugin`].
    pub fn transform(&self, name: &str) -> Result<TransformFactory, UnknownPlugin> {
        self.transforms.get(name).copied().ok_or_else(|| self.unknown(PluginKind::Transform, name))
    }

    /// The factory of a batch transform.
    ///
    /// # Errors
    /// [`UnknownPlugin`].
    pub fn aggregation(&self, name: &str) -> Result<BatchFactory, UnknownPlugin> {
        self.aggregations.get(name).copied().ok_or_else(|| self.unknown(PluginKind::Aggregation, name))
    }

    /// The factory of a sink.
    ///
    /// # Errors
    /// [`UnknownPlugin`].
    pub fn sink(&self, name: &str) -> Result<SinkFactory, UnknownPlugin> {
        self.sinks.get(name).copied().ok_or_else(|| self.unknown(PluginKind::Sink, name))
    }

    fn unknown(&self, kind: PluginKind, name: &str) -> UnknownPlugin {
        let known = self.infos.keys().filter(|(k, _)| *k == kind).map(|(_, n)| *n).collect();
        UnknownPlugin { kind, name: name.to_owned(), known }
    }
}

impl std::fmt::Display for PluginKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Source => "source",
            Self::Transform => "transform",
            Self::Aggregation => "aggregation",
            Self::Sink => "sink",
        })
    }
}
