//! The `schema` option, which every plugin takes.

use std::borrow::Cow;
use std::collections::BTreeMap;

use elspeth_plugin::{OptionError, OptionsSchema};
use elspeth_value::{Contract, ContractError};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

/// A `schema:` mapping as it stands in the settings; read by [`Contract::from_settings`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct SchemaOption(Option<serde_json::Value>);

impl SchemaOption {
    /// The contract; one that knows nothing when there is no `schema`.
    pub(crate) fn contract(&self) -> Result<Contract, OptionError> {
        let Some(schema) = &self.0 else { return Ok(Contract::observed()) };
        Contract::from_settings(schema).map_err(in_options)
    }

    /// The contract of a source, which can only have fields that its names become.
    pub(crate) fn source_contract(
        &self,
        field_mapping: &BTreeMap<String, String>,
    ) -> Result<Contract, OptionError> {
        let contract = self.contract()?;
        contract.check_source_names(field_mapping).map_err(in_options)?;
        Ok(contract)
    }
}

fn in_options(error: ContractError) -> OptionError {
    let path = error.field_index.map_or("schema".to_owned(), |index| format!("schema.fields.{index}"));
    OptionError::new(path, error.message).with_help(error.help)
}

impl JsonSchema for SchemaOption {
    fn schema_name() -> Cow<'static, str> {
        "Schema".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        Contract::settings_schema().try_into().expect("the schema of a contract is a JSON Schema")
    }
}

/// The JSON Schema of an options struct.
pub(crate) fn options_schema<T: JsonSchema>() -> OptionsSchema {
    OptionsSchema::made_by(|| schemars::schema_for!(T).to_value())
}
