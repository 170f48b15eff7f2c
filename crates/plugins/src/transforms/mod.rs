//! The built-in transforms.

pub(crate) mod field_mapper;
pub(crate) mod json_explode;
pub(crate) mod keyword_filter;
mod mapping_plan;
mod mapping_schema;
pub(crate) mod passthrough;
mod python_pattern;
pub(crate) mod truncate;

use elspeth_contracts::{ErrorReason, FailureKind};

/// A field that must be there is not.
fn missing(field: &str) -> ErrorReason {
    ErrorReason::new(FailureKind::TransformError, format!("the field `{field}` is missing")).on_field(field)
}
