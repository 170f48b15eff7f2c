//! The `schema` option, which every plugin takes.

use std::borrow::Cow;

use elspeth_plugin::OptionError;
use elspeth_value::Contract;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

/// A `schema:` mapping as it stands in the settings; read by [`Contract::from_settings`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct SchemaOption(Option<serde_json::Value>);

impl SchemaOption {
    /// The contract; one that knows nothing when there is no `schema`.
    pub(crate) fn contract(&self) -> Result<Contract, OptionError> {
        let Some(schema) = &self.0 else { return Ok(Contract::observed()) };
        Contract::from_settings(schema).map_err(|e| {
            let path = e.field_index.map_or("schema".to_owned(), |index| format!("schema.fields.{index}"));
            OptionError::new(path, e.message).with_help(e.help)
        })
    }
}

impl JsonSchema for SchemaOption {
    fn schema_name() -> Cow<'static, str> {
        "Schema".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names = json_schema!({"type": "array", "items": {"type": "string"}});
        json_schema!({
            "type": "object",
            "description": "Which fields rows have: `mode` and, unless observed, `fields`.",
            "properties": {
                "mode": {
                    "enum": ["fixed", "flexible", "observed"],
                    "description": "fixed: exactly these fields; flexible: these checked, others allowed; observed: learnt from the first valid row, then locked."
                },
                "fields": {
                    "type": "array",
                    "description": "`name: type`, with `?` behind the type when optional. Types: str, int, float, bool, any, datetime, date, decimal.",
                    "items": {"type": ["string", "object"]}
                },
                "guaranteed_fields": names,
                "required_fields": names,
                "audit_fields": names
            },
            "required": ["mode"],
            "additionalProperties": false
        })
    }
}

/// The JSON Schema of an options struct.
pub(crate) fn options_schema<T: JsonSchema>() -> serde_json::Value {
    schemars::schema_for!(T).to_value()
}
