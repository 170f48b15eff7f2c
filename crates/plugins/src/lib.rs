//! The built-in sources, transforms and sinks.
//!
//! [`builtin`] is the one thing that this crate shows: a registry in which each plugin stands with its description,
//! the JSON Schema of its options and its factory.
//!
//! | kind | plugins |
//! |---|---|
//! | source | `csv`, `json`, `database`, `null` |
//! | transform | `passthrough`, `field_mapper`, `truncate`, `keyword_filter`, `json_explode` |
//! | aggregation | `batch_stats`, `batch_replicate` |
//! | sink | `csv`, `json`, `database` |
//!
//! Sources read their file once, in a window of bounded size, and set every record aside that is none, with its line
//! and what is left of its text; nothing that is in the file is in no item. Sinks write beside their target and give
//! the file its name when it is complete (`sinks/staged_file.rs`, through which all their writing goes); the `database` sink
//! writes epochs as transactions (`sinks/database.rs`).
//!
//! Invariant: making a plugin touches nothing outside; opening it does.
//!
//! This crate does not know runs, graphs or the record.
//!
//! ```
//! use elspeth_plugin::{ReadProgress, SourceItem};
//! use elspeth_testkit::Scratch;
//! use serde_json::json;
//!
//! let scratch = Scratch::new();
//! let path = scratch.write("people.csv", "Id,Name\n1,Ann\nx,Bob\n");
//!
//! let registry = elspeth_plugins::builtin();
//! let options = json!({"path": path, "schema": {"mode": "fixed", "fields": ["id: int", "name: str"]}});
//! let mut source = registry.source("csv").unwrap()(&options).unwrap();
//! source.open(Default::default(), None).unwrap();
//!
//! let mut items = Vec::new();
//! while source.read(100, &mut items).unwrap() == ReadProgress::More {}
//! let [SourceItem::Valid(ann), SourceItem::Invalid(bob)] = items.as_slice() else { panic!("two records") };
//! assert_eq!(ann.get("name"), Some(&elspeth_value::Value::Str("Ann".into())));
//! assert_eq!(bob.reason.line, Some(3));
//! assert_eq!(bob.reason.message, "field `id` must be int: `x` is not an integer");
//! ```

mod aggregations;
mod contracts;
mod database_place;
mod delimiter;
mod json_format;
mod row_chain;
mod schema_option;
mod sinks;
mod sources;
mod sql_name;
mod text_encoding;
mod transforms;
mod value_size;

use elspeth_plugin::Registry;

/// A registry of all plugins that are built in.
#[must_use]
pub fn builtin() -> Registry {
    let mut registry = Registry::new();
    registry.add_source(sources::csv::info(), sources::csv::make);
    registry.add_source(sources::database::info(), sources::database::make);
    registry.add_source(sources::json::info(), sources::json::make);
    registry.add_source(sources::null::info(), sources::null::make);
    registry.add_transform(transforms::passthrough::info(), transforms::passthrough::make);
    registry.add_transform(transforms::field_mapper::info(), transforms::field_mapper::make);
    registry.add_transform(transforms::truncate::info(), transforms::truncate::make);
    registry.add_transform(transforms::keyword_filter::info(), transforms::keyword_filter::make);
    registry.add_transform(transforms::json_explode::info(), transforms::json_explode::make);
    registry.add_aggregation(aggregations::batch_stats::info(), aggregations::batch_stats::make);
    registry.add_aggregation(aggregations::batch_replicate::info(), aggregations::batch_replicate::make);
    registry.add_sink(sinks::csv::info(), sinks::csv::make);
    registry.add_sink(sinks::json::info(), sinks::json::make);
    registry.add_sink(sinks::database::info(), sinks::database::make);
    registry
}
