//! Checks that every plugin of a kind must pass; call them from a plugin's own tests.
//!
//! Each check makes plugins by a factory, drives them as the engine would, also through crashes, and panics with a
//! sentence when a promise of the trait is not kept: [`check_source`], [`check_transform`], [`check_batch_transform`],
//! [`check_sink`], [`check_table_sink`], and [`check_registry`] for what plugins say of themselves.
//!
//! ```
//! use elspeth_canonical::HashVersion;
//! use elspeth_plugin::conformance::check_source;
//! use elspeth_plugin::{
//!     ReadProgress, Source, SourceError, SourceIdentity, SourceItem, SourcePosition,
//! };
//! use elspeth_value::Contract;
//!
//! struct Nothing;
//!
//! impl Source for Nothing {
//!     fn contract(&self) -> Contract {
//!         Contract::observed()
//!     }
//!     fn open(&mut self, _: HashVersion, _: Option<&SourcePosition>) -> Result<(), SourceError> {
//!         Ok(())
//!     }
//!     fn read(&mut self, _: usize, _: &mut Vec<SourceItem>) -> Result<ReadProgress, SourceError> {
//!         Ok(ReadProgress::End)
//!     }
//!     fn position(&self) -> SourcePosition {
//!         SourcePosition(serde_json::Value::Null)
//!     }
//!     fn identity(&self) -> SourceIdentity {
//!         SourceIdentity { location: String::new(), size_bytes: None, read_bytes: 0, content_hash: None }
//!     }
//! }
//!
//! check_source(|| Box::new(Nothing));
//! ```

mod batch;
mod registry;
mod sink;
mod source;
mod table_sink;
mod transform;

pub use batch::check_batch_transform;
pub use registry::check_registry;
pub use sink::check_sink;
pub use source::check_source;
pub use table_sink::check_table_sink;
pub use transform::check_transform;

use elspeth_contracts::RunId;

/// The run for which the suite's plugins work.
fn run_id() -> RunId {
    "01JZ8Q4Z8N5X2V7K3M9T0B6C1D".parse().expect("a ULID")
}
