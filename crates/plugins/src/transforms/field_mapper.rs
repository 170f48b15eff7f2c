//! The `field_mapper` transform: renames, picks and computes fields.
//!
//! All sources are read from the row as it came in, so that names can be exchanged. A renamed field keeps its place;
//! fields found by a dotted path and computed fields come behind. A field whose new name is taken is the row's error.

use std::sync::Arc;

use compact_str::CompactString;
use elspeth_contracts::{Determinism, ErrorReason, FailureKind};
use elspeth_expr::{Expr, Root, Scope};
use elspeth_plugin::{
    NamedField, OptionError, PluginInfo, PluginKind, Transform, TransformContext, TransformOutput,
    TransformResult, parse_options,
};
use elspeth_value::{Contract, Row, Value};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::mapping_plan::{Extras, Mapped, Plans};
use super::{mapping_schema, missing};
use crate::schema_option::{SchemaOption, options_schema};

/// Options of the `field_mapper` transform.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FieldMapperOptions {
    /// Source field to target field. A source `a.b` looks for `b` inside of the field `a`, which is then kept.
    #[serde(default)]
    #[schemars(with = "std::collections::BTreeMap<String, String>")]
    mapping: IndexMap<String, String>,
    /// New field to the expression that gives its value; `row` is the row as it came in.
    #[serde(default)]
    #[schemars(with = "std::collections::BTreeMap<String, String>")]
    computed: IndexMap<String, String>,
    /// Whether only mapped and computed fields go out.
    #[serde(default)]
    select_only: bool,
    /// Whether a row that lacks one of the sources is an error; else that entry is skipped.
    #[serde(default)]
    strict: bool,
    /// What rows must look like.
    #[serde(default)]
    schema: SchemaOption,
    /// Accepted for compatibility: rows are always checked against `schema`.
    #[serde(default)]
    #[expect(dead_code, reason = "the executor checks every row against the contract in any case")]
    validate_input: bool,
}

/// The checked options.
#[derive(Debug)]
pub(crate) struct Mapping {
    pub entries: Vec<Entry>,
    pub computed: Vec<Computed>,
    pub select_only: bool,
    pub strict: bool,
}

/// One line of `mapping`.
#[derive(Debug)]
pub(crate) struct Entry {
    pub source: String,
    /// The parts of a dotted source.
    pub path: Option<Vec<String>>,
    pub target: CompactString,
}

/// One line of `computed`.
#[derive(Debug)]
pub(crate) struct Computed {
    pub target: CompactString,
    pub expression: Expr,
}

/// What the registry knows of it.
pub(crate) fn info() -> PluginInfo {
    PluginInfo {
        kind: PluginKind::Transform,
        name: "field_mapper",
        version: "1.0.0",
        determinism: Determinism::Deterministic,
        summary: "Renames, picks and computes fields.",
        options_schema: options_schema::<FieldMapperOptions>(),
        example: "transforms:\n  - name: tidy\n    plugin: field_mapper\n    input: rows\n    on_success: tidied\n    on_error: discard\n    options:\n      mapping: {customer_name: name}\n      computed: {total: \"row['price'] * row['quantity']\"}\n      schema: {mode: observed}\n",
        resumable: false,
        idempotent: false,
    }
}

/// Makes one of its options.
pub(crate) fn make(options: &serde_json::Value) -> Result<Arc<dyn Transform>, Vec<OptionError>> {
    let options: FieldMapperOptions = parse_options(options).map_err(|e| vec![e])?;
    let mut errors = Vec::new();
    let contract = options.schema.contract().map_err(|e| errors.push(e));
    check_targets(&options, &mut errors);
    let entries = entries(&options.mapping, &mut errors);
    let computed = computed(&options.computed, &mut errors);
    let (Ok(contract), true) = (contract, errors.is_empty()) else { return Err(errors) };
    let mapping = Mapping { entries, computed, select_only: options.select_only, strict: options.strict };
    Ok(Arc::new(FieldMapper { mapping, contract, plans: Plans::default() }))
}

fn check_targets(options: &FieldMapperOptions, errors: &mut Vec<OptionError>) {
    let mapped = options.mapping.iter().map(|(source, target)| (format!("mapping.{source}"), target));
    let computed = options.computed.keys().map(|target| (format!("computed.{target}"), target));
    let mut seen: IndexMap<&String, String> = IndexMap::new();
    for (path, target) in mapped.chain(computed) {
        if target.trim().is_empty() {
            errors.push(OptionError::new(path, "the new field has no name"));
        } else if let Some(other) = seen.get(target) {
            let message = format!("`{target}` is made twice: by {other} and by {path}");
            errors.push(OptionError::new(path, message).with_help("give one of them another name"));
        } else {
            seen.insert(target, path);
        }
    }
    if options.select_only && seen.is_empty() {
        let error = OptionError::new("select_only", "nothing is selected: every row would become empty");
        errors.push(error.with_help("name fields in `mapping` or `computed`"));
    }
}

fn entries(mapping: &IndexMap<String, String>, errors: &mut Vec<OptionError>) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (source, target) in mapping {
        let path = source.contains('.').then(|| source.split('.').map(str::to_owned).collect::<Vec<_>>());
        if source.is_empty() || path.as_ref().is_some_and(|path| path.iter().any(String::is_empty)) {
            let message = format!("`{source}` is no field: a part of its path is empty");
            errors.push(OptionError::new(format!("mapping.{source}"), message));
            continue;
        }
        entries.push(Entry { source: source.clone(), path, target: target.as_str().into() });
    }
    entries
}

fn computed(expressions: &IndexMap<String, String>, errors: &mut Vec<OptionError>) -> Vec<Computed> {
    let mut computed = Vec::new();
    for (target, text) in expressions {
        match Expr::parse(text, Root::Row) {
            Ok(expression) => computed.push(Computed { target: target.as_str().into(), expression }),
            Err(e) => {
                let place = text.get(..e.span.start).map_or(0, |before| before.chars().count()) + 1;
                let message = format!("{} (at character {place} of `{text}`)", e.message);
                errors.push(OptionError { path: format!("computed.{target}"), message, help: e.help });
            }
        }
    }
    computed
}

struct FieldMapper {
    mapping: Mapping,
    contract: Contract,
    plans: Plans,
}

impl Transform for FieldMapper {
    fn output_contract(&self, input: &Contract) -> Result<Contract, Vec<OptionError>> {
        mapping_schema::output_contract(&self.mapping, input)
    }

    fn input_contract(&self) -> Contract {
        self.contract.clone()
    }

    fn named_fields(&self) -> Vec<NamedField> {
        let named = self.mapping.entries.iter();
        named.map(|entry| NamedField::new(format!("mapping.{}", entry.source), entry.head())).collect()
    }

    fn given_names(&self) -> Vec<String> {
        let mapped = self.mapping.entries.iter().map(|entry| &entry.target);
        mapped.chain(self.mapping.computed.iter().map(|c| &c.target)).map(ToString::to_string).collect()
    }

    fn process(&self, row: Row, _context: &TransformContext<'_>) -> TransformResult {
        let extras = self.mapping.extras(&row)?;
        let plan = self.plans.of(&self.mapping, row.shape(), &extras);
        Ok(match plan.apply(row, extras)? {
            Mapped::Same(row) => TransformOutput::Unchanged(row),
            Mapped::Changed(row) => TransformOutput::One(row),
        })
    }
}

impl Entry {
    /// The field of the row in which the source is.
    pub(crate) fn head(&self) -> &str {
        self.path.as_ref().map_or(self.source.as_str(), |path| path[0].as_str())
    }
}

impl Mapping {
    fn extras(&self, row: &Row) -> Result<Extras, ErrorReason> {
        let mut extras = Extras::default();
        for entry in &self.entries {
            let Some(path) = &entry.path else { continue };
            let found = look_inside(row, path, &entry.source)?;
            if found.is_none() && self.strict {
                return Err(missing(&entry.source));
            }
            extras.dotted.push(found.cloned());
        }
        for Computed { target, expression } in &self.computed {
            extras.computed.push(expression.eval(Scope::Row(row)).map_err(|e| {
                let message = format!("computing `{target}` from `{}`: {}", expression.text(), e.message);
                ErrorReason::new(FailureKind::TransformError, message).on_field(target.as_str())
            })?);
        }
        Ok(extras)
    }
}

/// What is at a dotted path. A missing or null part ends the search; a part that is no map is an upstream mistake.
fn look_inside<'a>(row: &'a Row, path: &[String], source: &str) -> Result<Option<&'a Value>, ErrorReason> {
    let mut found = row.get(&path[0]);
    for (n, part) in path.iter().enumerate().skip(1) {
        found = match found {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Map(map)) => map.get(part),
            Some(other) => {
                let inside = path[..n].join(".");
                let message =
                    format!("cannot look for `{source}`: `{inside}` is {}, not a map", other.type_name());
                return Err(ErrorReason::new(FailureKind::TypeMismatch, message).on_field(path[0].as_str()));
            }
        };
    }
    Ok(found)
}
