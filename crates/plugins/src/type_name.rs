//! How the type of a value is called in messages.

use elspeth_value::Value;

/// The name, as the settings call it where they have one.
pub(crate) fn type_name(value: &Value) -> &'static str {
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
