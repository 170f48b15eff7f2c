//! The `null` source: no rows. For pipelines whose work is all in what happens around them, and for tests.

use elspeth_canonical::HashVersion;
use elspeth_contracts::Determinism;
use elspeth_plugin::{
    OptionError, PluginInfo, PluginKind, ReadProgress, Source, SourceError, SourceIdentity, SourceItem,
    SourcePosition, parse_options,
};
use elspeth_value::Contract;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::schema_option::{SchemaOption, options_schema};

/// Options of the `null` source.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NullOptions {
    /// What its rows would look like, for the checks of what follows.
    #[serde(default)]
    schema: SchemaOption,
    /// Where invalid rows would go: a sink's name or `discard`.
    #[serde(default)]
    #[expect(dead_code, reason = "the graph reads it; here it only has to be allowed")]
    on_validation_failure: Option<String>,
}

struct Null {
    contract: Contract,
}

/// What the registry knows of it.
pub(crate) fn info() -> PluginInfo {
    PluginInfo {
        kind: PluginKind::Source,
        name: "null",
        version: "1.0.0",
        determinism: Determinism::Deterministic,
        summary: "Gives no rows.",
        options_schema: options_schema::<NullOptions>(),
        example: "source:\n  plugin: \"null\"\n  on_success: rows\n  options: {}\n",
        resumable: true,
        idempotent: false,
    }
}

/// Makes one of its options.
pub(crate) fn make(options: &serde_json::Value) -> Result<Box<dyn Source>, Vec<OptionError>> {
    let options: NullOptions = parse_options(options).map_err(|e| vec![e])?;
    let contract = options.schema.contract().map_err(|e| vec![e])?;
    Ok(Box::new(Null { contract }))
}

impl Source for Null {
    fn contract(&self) -> Contract {
        self.contract.clone()
    }

    fn open(&mut self, _version: HashVersion, _position: Option<&SourcePosition>) -> Result<(), SourceError> {
        Ok(())
    }

    fn read(&mut self, _max: usize, _items: &mut Vec<SourceItem>) -> Result<ReadProgress, SourceError> {
        Ok(ReadProgress::End)
    }

    fn position(&self) -> SourcePosition {
        SourcePosition(serde_json::Value::Null)
    }

    fn identity(&self) -> SourceIdentity {
        SourceIdentity { location: String::new(), size_bytes: None, read_bytes: 0, content_hash: None }
    }
}
