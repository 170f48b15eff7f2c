//! The `batch_replicate` batch transform: as many copies of each member as one of its fields says.
//!
//! Copies of one member follow each other, members keep their order. A member whose number of copies is no number or out
//! of bounds is taken out of the batch; the others go on.

use std::sync::Arc;

use elspeth_contracts::{Determinism, ErrorReason, FailureKind};
use elspeth_plugin::{
    BatchContext, BatchOutput, BatchTransform, OptionError, PluginInfo, PluginKind, parse_options,
};
use elspeth_value::{Contract, FieldSpec, FieldType, Row, Value};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::contracts::{Added, with_fields};
use crate::schema_option::{SchemaOption, options_schema};

/// The field of a copy's index.
const INDEX_FIELD: &str = "copy_index";
/// The greatest number of copies that the options may allow.
const MOST_COPIES: u32 = 10_000;

/// Options of the `batch_replicate` batch transform.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct BatchReplicateOptions {
    /// The field with the number of copies.
    #[serde(default = "copies")]
    copies_field: String,
    /// How many copies there are of a member that lacks that field, or has no value there.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 10_000))]
    default_copies: u32,
    /// The greatest number of copies of one member, at most 10000; members that want more are taken out of the batch.
    #[serde(default = "most_copies")]
    #[schemars(range(min = 1, max = 10_000))]
    max_copies: u32,
    /// Whether each copy also gets its index among the copies of its member, from 0, as `copy_index`.
    #[serde(default = "yes")]
    include_copy_index: bool,
    /// What members must look like.
    #[serde(default)]
    schema: SchemaOption,
}

fn copies() -> String {
    "copies".to_owned()
}

fn one() -> u32 {
    1
}

fn most_copies() -> u32 {
    MOST_COPIES
}

fn yes() -> bool {
    true
}

/// What the registry knows of it.
pub(crate) fn info() -> PluginInfo {
    PluginInfo {
        kind: PluginKind::Aggregation,
        name: "batch_replicate",
        version: "1.0.0",
        determinism: Determinism::Deterministic,
        summary: "Makes as many copies of each member as one of its fields says.",
        options_schema: options_schema::<BatchReplicateOptions>(),
        example: "aggregations:\n  - name: labels\n    plugin: batch_replicate\n    input: parcels\n    on_success: printer\n    on_error: discard\n    trigger: {count: 100}\n    output_mode: transform\n    options:\n      copies_field: pieces\n      schema: {mode: observed}\n",
        resumable: false,
        idempotent: false,
    }
}

/// Makes one of its options.
pub(crate) fn make(options: &serde_json::Value) -> Result<Arc<dyn BatchTransform>, Vec<OptionError>> {
    let options: BatchReplicateOptions = parse_options(options).map_err(|e| vec![e])?;
    let mut errors = Vec::new();
    if options.copies_field.trim().is_empty() {
        errors.push(OptionError::new("copies_field", "the field has no name"));
    }
    for (option, number) in [("max_copies", options.max_copies), ("default_copies", options.default_copies)] {
        if !(1..=MOST_COPIES).contains(&number) {
            let message = format!("must be from 1 to {MOST_COPIES}, but is {number}");
            errors.push(OptionError::new(option, message));
        }
    }
    if errors.is_empty() && options.default_copies > options.max_copies {
        let message = format!("is {}, more than `max_copies` allows", options.default_copies);
        let help = format!("write at most {}, or raise `max_copies`", options.max_copies);
        errors.push(OptionError::new("default_copies", message).with_help(help));
    }
    let contract = options.schema.contract().map_err(|e| errors.push(e));
    let (Ok(contract), true) = (contract, errors.is_empty()) else { return Err(errors) };
    let BatchReplicateOptions { copies_field, default_copies, max_copies, include_copy_index, .. } = options;
    Ok(Arc::new(BatchReplicate { copies_field, default_copies, max_copies, include_copy_index, contract }))
}

struct BatchReplicate {
    copies_field: String,
    default_copies: u32,
    max_copies: u32,
    include_copy_index: bool,
    contract: Contract,
}

impl BatchTransform for BatchReplicate {
    fn input_contract(&self) -> Contract {
        self.contract.clone()
    }

    fn output_contract(&self, input: &Contract) -> Result<Contract, Vec<OptionError>> {
        if let Some(field) = input.field(&self.copies_field)
            && !matches!(field.ty, FieldType::Int | FieldType::Any)
        {
            let message = format!(
                "the number of copies must be int, but the field `{}` is {}",
                self.copies_field, field.ty
            );
            return Err(vec![OptionError::new("copies_field", message)]);
        }
        let index = Added {
            field: FieldSpec { name: INDEX_FIELD.into(), ty: FieldType::Int, required: true },
            option: "include_copy_index",
            else_write: "write `include_copy_index: false`, or rename the field before",
        };
        with_fields(input, None, self.include_copy_index.then_some(index).into_iter().collect())
    }

    fn process(
        &self,
        members: &mut dyn Iterator<Item = Row>,
        _context: &BatchContext<'_>,
        out: &mut dyn BatchOutput,
    ) -> Result<(), ErrorReason> {
        for (number, member) in (0..).zip(members) {
            match self.copies(&member).and_then(|copies| self.check_free(&member).map(|()| copies)) {
                Ok(copies) => self.replicate(member, copies, out),
                Err(reason) => out.quarantine(number, reason),
            }
        }
        Ok(())
    }
}

impl BatchReplicate {
    fn copies(&self, member: &Row) -> Result<u32, ErrorReason> {
        let found = match member.get(&self.copies_field) {
            None | Some(Value::Null) => return Ok(self.default_copies),
            Some(Value::Int(copies)) => {
                let asked = u32::try_from(*copies).ok().filter(|n| (1..=self.max_copies).contains(n));
                match asked {
                    Some(copies) => return Ok(copies),
                    None => copies.to_string(),
                }
            }
            Some(other) => other.type_name().to_owned(),
        };
        let message = format!(
            "the number of copies must be an integer from 1 to {}, but the field `{}` is {found}",
            self.max_copies, self.copies_field
        );
        Err(ErrorReason::new(FailureKind::TransformError, message).on_field(self.copies_field.as_str()))
    }

    fn check_free(&self, member: &Row) -> Result<(), ErrorReason> {
        if !self.include_copy_index || member.get(INDEX_FIELD).is_none() {
            return Ok(());
        }
        let message = format!("there is a field `{INDEX_FIELD}` already; rename it before");
        Err(ErrorReason::new(FailureKind::FieldCollision, message).on_field(INDEX_FIELD))
    }

    fn replicate(&self, member: Row, copies: u32, out: &mut dyn BatchOutput) {
        for index in 0..copies {
            let mut copy = member.clone();
            if self.include_copy_index {
                copy.set(INDEX_FIELD, Value::Int(index.into()));
            }
            out.emit(copy);
        }
    }
}
