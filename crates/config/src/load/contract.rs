//! Everything that is wrong with the fields of one `schema`.

use elspeth_graph::{SettingPath, nearest};
use elspeth_value::Contract;
use serde_json::{Value, json};

use crate::finding::Finding;

/// Of longer lists only the first error is found, for each one costs a look at the whole list.
const FIELDS_LIMIT: usize = 1000;

/// What is wrong with a schema, field by field; what may only follow from a wrong field is left out.
pub(super) fn errors(schema: &Value, at: &SettingPath) -> Vec<Finding> {
    let mut schema = schema.clone();
    let free_name = free_name(&schema);
    let mut findings = Vec::new();
    while let Err(error) = Contract::from_settings(&schema) {
        let Some(index) = error.field_index else {
            if findings.is_empty() {
                findings.push(Finding::new("wrong-option", at.clone(), error.message).help(error.help));
            }
            break;
        };
        let place = at.child("fields").child(index);
        findings.push(
            Finding::new("wrong-option", place, &*error.message)
                .help(with_nearest_type(&error.message, error.help)),
        );
        let fields = schema.get_mut("fields").and_then(Value::as_array_mut);
        let Some(fields) = fields.filter(|fields| fields.len() <= FIELDS_LIMIT) else { break };
        let Some(field) = fields.get_mut(index) else { break };
        *field = json!({"name": format!("{free_name}{index}"), "type": "any"});
    }
    findings
}

/// Advice that lists all types, with the one that was probably meant before the list.
pub(super) fn with_nearest_type(message: &str, help: String) -> String {
    let word = message.split('`').nth(1);
    let near = |types: &str| nearest(word?, types.split(", ")).map(str::to_owned);
    match help.strip_prefix("types are ").and_then(near) {
        Some(near) => format!("did you mean `{near}`? {help}"),
        None => help,
    }
}

/// The beginning of names that no field has.
fn free_name(schema: &Value) -> String {
    let text = schema.to_string();
    let mut name = "x_".to_owned();
    while text.contains(&name) {
        name.push_str("x_");
    }
    name
}
