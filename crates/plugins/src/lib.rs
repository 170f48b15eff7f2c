//! The built-in sources, transforms and sinks.
