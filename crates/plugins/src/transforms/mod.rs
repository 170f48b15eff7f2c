//! The built-in transforms.

pub(crate) mod field_mapper;
pub(crate) mod keyword_filter;
mod mapping_plan;
mod mapping_schema;
pub(crate) mod passthrough;
pub(crate) mod truncate;

use elspeth_contracts::{ErrorReason, FailureKind};
use elspeth_value::Value;

/// How a value's type is called in messages.
fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int",
        Value::Float(_) => "float",
        Value::Str(_) => "str",
        Value::Decimal(_) => "decimal",
        Value::Date(_) => "date",
        Value::DateTime(_) => "datetime",
        Value::Bytes(_) => "bytes",
        Value::List(_) => "list",
        Value::Map(_) => "map",
    }
}

/// A field that must be there is not.
fn missing(field: &str) -> ErrorReason {
    ErrorReason::new(FailureKind::TransformError, format!("the field `{field}` is missing")).on_field(field)
}
