//! The built-in sources, transforms and sinks.

mod delimiter;
mod json_format;
mod schema_option;
mod sinks;
mod sources;
mod text_encoding;
mod transforms;

use elspeth_plugin::Registry;

/// A registry of all plugins that are built in.
#[must_use]
pub fn builtin() -> Registry {
    let mut registry = Registry::new();
    registry.add_source(sources::csv::info(), sources::csv::make);
    registry.add_source(sources::json::info(), sources::json::make);
    registry.add_source(sources::null::info(), sources::null::make);
    registry.add_transform(transforms::passthrough::info(), transforms::passthrough::make);
    registry.add_transform(transforms::field_mapper::info(), transforms::field_mapper::make);
    registry.add_transform(transforms::truncate::info(), transforms::truncate::make);
    registry.add_transform(transforms::keyword_filter::info(), transforms::keyword_filter::make);
    registry.add_sink(sinks::csv::info(), sinks::csv::make);
    registry.add_sink(sinks::json::info(), sinks::json::make);
    registry
}
