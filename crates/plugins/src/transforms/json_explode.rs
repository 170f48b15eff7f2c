//! The `json_explode` transform: one row with a list becomes one row for each item of the list.
//!
//! The list's field goes; the item comes behind the other fields, and behind it the item's index, from 0, as `item_index`.
//! A row whose field is missing, null, no list or an empty list has nothing that it could become and is an error. So is one
//! whose other fields, once for each item, would take too much memory.

use std::sync::Arc;

use elspeth_contracts::{Determinism, ErrorReason, FailureKind};
use elspeth_plugin::{
    NamedField, OptionError, PluginInfo, PluginKind, Transform, TransformContext, TransformOutput,
    TransformResult, parse_options,
};
use elspeth_value::{Contract, FieldSpec, FieldType, Row, SchemaMode, Value};
use schemars::JsonSchema;
use serde::Deserialize;

use super::missing;
use crate::contracts::{Added, with_fields};
use crate::schema_option::{SchemaOption, options_schema};
use crate::value_size::size_of_value;

/// The field of an item's index.
const INDEX_FIELD: &str = "item_index";

/// The bytes that all copies of a row's other fields may take.
const MOST_COPIED: usize = 256 << 20;

/// Options of the `json_explode` transform.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct JsonExplodeOptions {
    /// The field with the list.
    array_field: String,
    /// The field that an item gets.
    #[serde(default = "item")]
    output_field: String,
    /// Whether each row also gets the item's index in the list, from 0, as `item_index`.
    #[serde(default = "yes")]
    include_index: bool,
    /// What rows must look like.
    #[serde(default)]
    schema: SchemaOption,
}

fn item() -> String {
    "item".to_owned()
}

fn yes() -> bool {
    true
}

/// What the registry knows of it.
pub(crate) fn info() -> PluginInfo {
    PluginInfo {
        kind: PluginKind::Transform,
        name: "json_explode",
        version: "1.0.0",
        determinism: Determinism::Deterministic,
        summary: "Makes of a row with a list one row for each item.",
        options_schema: options_schema::<JsonExplodeOptions>(),
        example: "transforms:\n  - name: lines\n    plugin: json_explode\n    input: orders\n    on_success: order_lines\n    on_error: discard\n    options:\n      array_field: items\n      output_field: item\n      schema: {mode: observed}\n",
        resumable: false,
        idempotent: false,
    }
}

/// Makes one of its options.
pub(crate) fn make(options: &serde_json::Value) -> Result<Arc<dyn Transform>, Vec<OptionError>> {
    let options: JsonExplodeOptions = parse_options(options).map_err(|e| vec![e])?;
    let mut errors = Vec::new();
    for (option, field) in [("array_field", &options.array_field), ("output_field", &options.output_field)] {
        if field.trim().is_empty() {
            errors.push(OptionError::new(option, "the field has no name"));
        }
    }
    if options.include_index && options.output_field == INDEX_FIELD {
        let message = format!("`{INDEX_FIELD}` is the field of the index");
        errors.push(
            OptionError::new("output_field", message)
                .with_help("choose another name, or switch the index off with `include_index: false`"),
        );
    }
    let contract = options.schema.contract().map_err(|e| errors.push(e));
    let (Ok(contract), true) = (contract, errors.is_empty()) else { return Err(errors) };
    let JsonExplodeOptions { array_field, output_field, include_index, .. } = options;
    Ok(Arc::new(JsonExplode { array_field, output_field, include_index, contract }))
}

struct JsonExplode {
    array_field: String,
    output_field: String,
    include_index: bool,
    contract: Contract,
}

impl Transform for JsonExplode {
    fn output_contract(&self, input: &Contract) -> Result<Contract, Vec<OptionError>> {
        let list = &self.array_field;
        let refused = |message| Err(vec![OptionError::new("array_field", message)]);
        match input.field(list).map(|field| field.ty) {
            Some(FieldType::Any) => {}
            Some(ty) => return refused(format!("json_explode needs a list, but the field `{list}` is {ty}")),
            None if input.mode == SchemaMode::Fixed => {
                return refused(format!(
                    "json_explode names the field `{list}`, which these rows cannot have"
                ));
            }
            None => {}
        }
        // The item is in every row. One that is null is for the consumer that needs a value to refuse, row by row; nothing
        // can be known of items before.
        let field = |name: &str, ty| FieldSpec { name: name.into(), ty, required: true };
        let mut added = vec![Added {
            field: field(&self.output_field, FieldType::Any),
            option: "output_field",
            else_write: "choose another name",
        }];
        let index = || Added {
            field: field(INDEX_FIELD, FieldType::Int),
            option: "include_index",
            else_write: "write `include_index: false`, or rename the field before",
        };
        added.extend(self.include_index.then(index));
        with_fields(input, Some(list), added)
    }

    fn input_contract(&self) -> Contract {
        self.contract.clone()
    }

    fn named_fields(&self) -> Vec<NamedField> {
        vec![NamedField::new("array_field", &self.array_field)]
    }

    fn given_names(&self) -> Vec<String> {
        vec![self.output_field.clone()]
    }

    fn expands(&self) -> bool {
        true
    }

    fn process(&self, mut row: Row, _context: &TransformContext<'_>) -> TransformResult {
        let items = match row.remove(&self.array_field) {
            None => return Err(missing(&self.array_field)),
            Some(Value::List(items)) if items.is_empty() => return Err(self.empty()),
            Some(Value::List(items)) => items,
            Some(other) => return Err(self.no_list(&other)),
        };
        self.check_free(&row)?;
        self.check_size(&row, items.len())?;
        Ok(TransformOutput::Many(self.explode(row, items)))
    }
}

impl JsonExplode {
    /// One row for each item; all of them share one shape.
    fn explode(&self, mut row: Row, items: Vec<Value>) -> Vec<Row> {
        let at = row.values().len();
        row.set(&self.output_field, Value::Null);
        if self.include_index {
            row.set(INDEX_FIELD, Value::Null);
        }
        let numbered = (0..).zip(items);
        numbered
            .map(|(index, item)| {
                let mut out = row.clone();
                out.values_mut()[at] = item;
                if self.include_index {
                    out.values_mut()[at + 1] = Value::Int(index);
                }
                out
            })
            .collect()
    }

    fn check_free(&self, row: &Row) -> Result<(), ErrorReason> {
        let added = [Some(self.output_field.as_str()), self.include_index.then_some(INDEX_FIELD)];
        match added.into_iter().flatten().find(|name| row.get(name).is_some()) {
            None => Ok(()),
            Some(taken) => {
                let message = format!("there is a field `{taken}` already; rename it before");
                Err(ErrorReason::new(FailureKind::FieldCollision, message).on_field(taken))
            }
        }
    }

    fn check_size(&self, row: &Row, rows: usize) -> Result<(), ErrorReason> {
        let size: usize = row.values().iter().map(size_of_value).sum();
        if size.saturating_mul(rows) <= MOST_COPIED || rows == 1 {
            return Ok(());
        }
        let message = format!(
            "{rows} rows with {size} bytes of other fields each are too large: at most {MOST_COPIED} are allowed; drop \
             large fields before"
        );
        Err(ErrorReason::new(FailureKind::LimitExceeded, message).on_field(self.array_field.as_str()))
    }

    fn empty(&self) -> ErrorReason {
        let message = format!("the list `{}` is empty: there is no row for an item", self.array_field);
        ErrorReason::new(FailureKind::TransformError, message).on_field(self.array_field.as_str())
    }

    fn no_list(&self, found: &Value) -> ErrorReason {
        let message = format!(
            "json_explode needs a list, but the field `{}` is {}",
            self.array_field,
            found.type_name()
        );
        ErrorReason::new(FailureKind::TypeMismatch, message).on_field(self.array_field.as_str())
    }
}
