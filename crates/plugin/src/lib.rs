//! What a plugin is: the traits, what each is given, and the registry by which settings name them.
//!
//! A plugin is described by [`PluginInfo`] and made by a factory that the [`Registry`] knows by kind and name. Sources
//! ([`Source`]) and sinks ([`Sink`]) are driven by one thread each; transforms ([`Transform`]) and batch transforms
//! ([`BatchTransform`]) are shared by all workers. All of them are plain blocking code: the engine decides on which thread
//! they run. Options are read by [`parse_options`], whose errors name the path, the option that was probably meant and
//! those that exist. What a trait promises beyond its types, [`conformance`] checks.
//!
//! Invariant: a plugin never sees the record. What it returns is recorded by its executor.
//!
//! This crate does not know any plugin, nor how rows travel between them.
//!
//! A transform of one's own:
//!
//! ```
//! use std::sync::Arc;
//!
//! use elspeth_contracts::{Determinism, ErrorReason, FailureKind};
//! use elspeth_plugin::{
//!     OptionError, PluginInfo, PluginKind, Registry, Transform, TransformContext, TransformOutput,
//!     TransformResult, parse_options,
//! };
//! use elspeth_value::{Contract, Row, Value};
//! use serde_json::json;
//!
//! #[derive(serde::Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Shout {
//!     field: String,
//! }
//!
//! impl Transform for Shout {
//!     fn output_contract(&self, input: &Contract) -> Result<Contract, Vec<OptionError>> {
//!         Ok(input.clone())
//!     }
//!
//!     fn process(&self, mut row: Row, _: &TransformContext<'_>) -> TransformResult {
//!         let slot = row.shape().slot(&self.field);
//!         let Some(Value::Str(text)) = slot.map(|slot| &mut row.values_mut()[slot]) else {
//!             let reason = ErrorReason::new(FailureKind::TransformError, "there is nothing to shout");
//!             return Err(reason.on_field(&self.field));
//!         };
//!         *text = text.to_uppercase();
//!         Ok(TransformOutput::One(row))
//!     }
//! }
//!
//! fn make(options: &serde_json::Value) -> Result<Arc<dyn Transform>, Vec<OptionError>> {
//!     let shout: Shout = parse_options(options).map_err(|e| vec![e])?;
//!     Ok(Arc::new(shout))
//! }
//!
//! let mut registry = Registry::new();
//! registry.add_transform(
//!     PluginInfo {
//!         kind: PluginKind::Transform,
//!         name: "shout",
//!         version: "1.0.0",
//!         determinism: Determinism::Deterministic,
//!         summary: "Writes a text in capitals.",
//!         options_schema: json!({"type": "object", "properties": {"field": {"type": "string"}}}).into(),
//!         example: "plugin: shout\noptions: {field: name}\n",
//!         resumable: false,
//!         idempotent: false,
//!     },
//!     make,
//! );
//! let factory = registry.transform("shout")?;
//! assert!(factory(&json!({"field": "name"})).is_ok());
//! assert_eq!(factory(&json!({"feild": "name"})).err().unwrap()[0].path, "feild");
//! # Ok::<(), elspeth_plugin::UnknownPlugin>(())
//! ```

mod batch;
pub mod conformance;
mod info;
mod options;
mod options_schema;
mod registry;
mod sink;
mod source;
mod transform;

pub use batch::{BatchContext, BatchOutput, BatchTransform};
pub use info::{OptionError, PluginInfo, PluginKind};
pub use options::parse_options;
pub use options_schema::OptionsSchema;
pub use registry::{BatchFactory, Registry, SinkFactory, SourceFactory, TransformFactory, UnknownPlugin};
pub use sink::{Produced, Refusal, Sink, SinkContext, SinkError, SinkPosition, SinkRow, Target, Written};
pub use source::{
    InvalidRecord, RawRecord, ReadProgress, ReadSoFar, Source, SourceError, SourceIdentity, SourceItem,
    SourcePosition, SourceSnapshot,
};
pub use transform::{NamedField, Transform, TransformContext, TransformOutput, TransformResult};
