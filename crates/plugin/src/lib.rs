//! What a plugin is: the traits, what each is given, and the registry by which settings name them.
//!
//! A plugin is described by [`PluginInfo`] and made by a factory that the [`Registry`] knows by kind and name. Sources
//! ([`Source`]) and sinks ([`Sink`]) are driven by one thread each; transforms ([`Transform`]) are shared by all workers.
//! All of them are plain blocking code: the engine decides on which thread they run.
//!
//! Invariant: a plugin never sees the record. What it returns is recorded by its executor.

pub mod conformance;
mod info;
mod options;
mod registry;
mod sink;
mod source;
mod transform;

pub use info::{OptionError, PluginInfo, PluginKind};
pub use options::parse_options;
pub use registry::{Registry, SinkFactory, SourceFactory, TransformFactory, UnknownPlugin};
pub use sink::{Produced, Refusal, Sink, SinkContext, SinkError, SinkPosition, SinkRow, Target, Written};
pub use source::{
    InvalidRecord, RawRecord, ReadProgress, Source, SourceError, SourceIdentity, SourceItem, SourcePosition,
};
pub use transform::{Transform, TransformContext, TransformOutput, TransformResult};
