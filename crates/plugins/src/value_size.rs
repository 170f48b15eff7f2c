//! How much memory values take.

use elspeth_value::Value;

/// The bytes that a copy of a value takes, but for what is kept with texts and lists besides.
pub(crate) fn size_of_value(value: &Value) -> usize {
    let inner = match value {
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Decimal(_)
        | Value::Date(_)
        | Value::DateTime(_) => 0,
        Value::Str(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(items) => items.iter().map(size_of_value).sum(),
        Value::Map(map) => map.iter().map(|(key, value)| key.len() + size_of_value(value)).sum(),
    };
    size_of::<Value>() + inner
}
