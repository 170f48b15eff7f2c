//! The `passthrough` transform: rows go on as they came.

use std::sync::Arc;

use elspeth_contracts::Determinism;
use elspeth_plugin::{
    OptionError, PluginInfo, PluginKind, Transform, TransformContext, TransformOutput, TransformResult,
    parse_options,
};
use elspeth_value::{Contract, Row};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::schema_option::{SchemaOption, options_schema};

/// Options of the `passthrough` transform.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PassthroughOptions {
    /// What rows must look like.
    #[serde(default)]
    schema: SchemaOption,
    /// Accepted for compatibility: rows are always checked against `schema`.
    #[serde(default)]
    #[expect(dead_code, reason = "the executor checks every row against the contract in any case")]
    validate_input: bool,
}

struct Passthrough {
    contract: Contract,
}

/// What the registry knows of it.
pub(crate) fn info() -> PluginInfo {
    PluginInfo {
        kind: PluginKind::Transform,
        name: "passthrough",
        version: "1.0.0",
        determinism: Determinism::Deterministic,
        summary: "Passes rows on as they came; with a schema, checks them.",
        options_schema: options_schema::<PassthroughOptions>(),
        example: "transforms:\n  - name: check\n    plugin: passthrough\n    input: rows\n    on_success: checked\n    on_error: discard\n    options:\n      schema: {mode: flexible, fields: [\"id: int\"]}\n",
        resumable: false,
        idempotent: false,
    }
}

/// Makes one of its options.
pub(crate) fn make(options: &serde_json::Value) -> Result<Arc<dyn Transform>, Vec<OptionError>> {
    let options: PassthroughOptions = parse_options(options).map_err(|e| vec![e])?;
    let contract = options.schema.contract().map_err(|e| vec![e])?;
    Ok(Arc::new(Passthrough { contract }))
}

impl Transform for Passthrough {
    fn output_contract(&self, input: &Contract) -> Result<Contract, Vec<OptionError>> {
        Ok(input.clone())
    }

    fn input_contract(&self) -> Contract {
        self.contract.clone()
    }

    fn process(&self, row: Row, _context: &TransformContext<'_>) -> TransformResult {
        Ok(TransformOutput::Unchanged(row))
    }
}
