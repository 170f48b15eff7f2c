//! The `truncate` transform: cuts texts that are too long, counted in characters (Unicode scalar values).

use std::sync::Arc;

use compact_str::CompactString;
use elspeth_contracts::{Determinism, ErrorReason, FailureKind};
use elspeth_plugin::{
    NamedField, OptionError, PluginInfo, PluginKind, Transform, TransformContext, TransformOutput,
    TransformResult, parse_options,
};
use elspeth_value::{Contract, FieldType, Row, SchemaMode, Value};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::missing;
use crate::schema_option::{SchemaOption, options_schema};

/// Options of the `truncate` transform.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TruncateOptions {
    /// Field name to the greatest number of characters.
    #[serde(default)]
    #[schemars(with = "std::collections::BTreeMap<String, usize>")]
    fields: IndexMap<String, usize>,
    /// What a text that was cut ends with; counts towards the limit.
    #[serde(default)]
    suffix: String,
    /// Whether a row that lacks one of the fields is an error. Null stays null, also then.
    #[serde(default)]
    strict: bool,
    /// What rows must look like.
    #[serde(default)]
    schema: SchemaOption,
}

/// What the registry knows of it.
pub(crate) fn info() -> PluginInfo {
    PluginInfo {
        kind: PluginKind::Transform,
        name: "truncate",
        version: "1.1.0",
        determinism: Determinism::Deterministic,
        summary: "Cuts texts that are longer than a number of characters.",
        options_schema: options_schema::<TruncateOptions>(),
        example: "transforms:\n  - name: shorten\n    plugin: truncate\n    input: rows\n    on_success: short\n    on_error: discard\n    options:\n      fields: {title: 80}\n      suffix: \"...\"\n      schema: {mode: observed}\n",
        resumable: false,
        idempotent: false,
    }
}

/// Makes one of its options.
pub(crate) fn make(options: &serde_json::Value) -> Result<Arc<dyn Transform>, Vec<OptionError>> {
    let options: TruncateOptions = parse_options(options).map_err(|e| vec![e])?;
    let mut errors = Vec::new();
    let suffix_length = options.suffix.chars().count();
    for (field, limit) in &options.fields {
        let path = format!("fields.{field}");
        if *limit == 0 {
            errors.push(OptionError::new(path, "the limit must be at least 1"));
        } else if suffix_length >= *limit {
            let message =
                format!("the suffix has {suffix_length} characters, which leaves nothing of {limit}");
            errors.push(OptionError::new(path, message).with_help("raise the limit or shorten `suffix`"));
        }
    }
    let contract = options.schema.contract().map_err(|e| errors.push(e));
    let (Ok(contract), true) = (contract, errors.is_empty()) else { return Err(errors) };
    let cut_to = |limit: usize| limit - suffix_length;
    let limits = options
        .fields
        .into_iter()
        .map(|(field, limit)| Limit { field: field.into(), longest: limit, kept: cut_to(limit) })
        .collect();
    Ok(Arc::new(Truncate { limits, suffix: options.suffix, strict: options.strict, contract }))
}

struct Truncate {
    limits: Vec<Limit>,
    suffix: String,
    strict: bool,
    contract: Contract,
}

struct Limit {
    field: CompactString,
    /// The greatest number of characters.
    longest: usize,
    /// How many are kept before the suffix.
    kept: usize,
}

impl Transform for Truncate {
    fn output_contract(&self, input: &Contract) -> Result<Contract, Vec<OptionError>> {
        let mut errors = Vec::new();
        for Limit { field, .. } in &self.limits {
            let message = match input.field(field).map(|f| f.ty) {
                Some(FieldType::Str | FieldType::Any) => continue,
                Some(ty) => format!("truncate cuts text, but the field `{field}` is {ty}"),
                None if input.mode == SchemaMode::Fixed => {
                    format!("truncate names the field `{field}`, which these rows cannot have")
                }
                None => continue,
            };
            errors.push(OptionError::new(format!("fields.{field}"), message));
        }
        if errors.is_empty() { Ok(input.clone()) } else { Err(errors) }
    }

    fn input_contract(&self) -> Contract {
        self.contract.clone()
    }

    fn named_fields(&self) -> Vec<NamedField> {
        let named = self.limits.iter().map(|limit| &limit.field);
        named.map(|field| NamedField::new(format!("fields.{field}"), field)).collect()
    }

    fn process(&self, mut row: Row, _context: &TransformContext<'_>) -> TransformResult {
        let mut changed = false;
        for limit in &self.limits {
            let slot = row.shape().slot(&limit.field);
            match slot.map(|slot| &mut row.values_mut()[slot]) {
                Some(Value::Str(text)) => changed |= self.cut(text, limit),
                None if self.strict => return Err(missing(&limit.field)),
                None | Some(Value::Null) => {}
                Some(other) => return Err(no_text(&limit.field, other)),
            }
        }
        Ok(if changed { TransformOutput::One(row) } else { TransformOutput::Unchanged(row) })
    }
}

impl Truncate {
    fn cut(&self, text: &mut CompactString, limit: &Limit) -> bool {
        // A text of no more bytes has no more characters.
        if text.len() <= limit.longest || text.chars().count() <= limit.longest {
            return false;
        }
        let end = text.char_indices().nth(limit.kept).map_or(text.len(), |(end, _)| end);
        text.truncate(end);
        text.push_str(&self.suffix);
        true
    }
}

fn no_text(field: &str, found: &Value) -> ErrorReason {
    let message = format!("truncate cuts text, but the field `{field}` is {}", found.type_name());
    ErrorReason::new(FailureKind::TypeMismatch, message).on_field(field)
}
