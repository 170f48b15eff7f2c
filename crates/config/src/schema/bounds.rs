//! Limits of numbers, texts and lists.

use elspeth_graph::SettingPath;
use serde_json::Value;

use super::words::found;

/// What a value of the right type must be, when it is not: "must be at least 1, but is the number `0`".
pub(super) fn broken(schema: &Value, value: &Value, path: &SettingPath) -> Option<String> {
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    match value {
        Value::Number(number) => {
            let number = number.as_f64()?;
            let low = bound("minimum").filter(|low| number < *low).map(|low| format!("at least {low}"));
            let above =
                bound("exclusiveMinimum").filter(|low| number <= *low).map(|low| format!("more than {low}"));
            let most = [bound("maximum"), most_of(schema)].into_iter().flatten().reduce(f64::min);
            let high = most.filter(|most| number > *most).map(|most| format!("at most {most}"));
            let limit = low.or(above).or(high)?;
            Some(format!("must be {limit}, but is {}", found(value, path)))
        }
        Value::String(text) => {
            of_length(text.chars().count(), "characters", bound("minLength"), bound("maxLength"))
        }
        Value::Array(list) => of_length(list.len(), "items", bound("minItems"), bound("maxItems")),
        Value::Null | Value::Bool(_) | Value::Object(_) => None,
    }
}

/// The greatest number that the type of a setting holds.
fn most_of(schema: &Value) -> Option<f64> {
    match schema.get("format").and_then(Value::as_str)? {
        "uint8" => Some(u8::MAX.into()),
        "uint16" => Some(u16::MAX.into()),
        "uint32" => Some(u32::MAX.into()),
        "int32" => Some(i32::MAX.into()),
        // Larger ones are no whole numbers in JSON's sense either.
        "int64" => Some(9_007_199_254_740_991.0),
        _ => None,
    }
}

fn of_length(length: usize, what: &str, low: Option<f64>, high: Option<f64>) -> Option<String> {
    let count = length as f64;
    if let Some(low) = low.filter(|low| count < *low) {
        let empty = length == 0 && low <= 1.0;
        return Some(if empty {
            "must not be empty".to_owned()
        } else {
            format!("needs at least {low} {what}")
        });
    }
    high.filter(|high| count > *high).map(|high| format!("may have at most {high} {what}, but has {length}"))
}
