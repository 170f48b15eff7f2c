//! The `keyword_filter` transform: stops rows in whose texts a pattern is found.
//!
//! Patterns are searched in linear time, so that no text can make a search run away. The reason names the field, the
//! pattern and the character at which it was found, never the text itself: what is blocked must not spread by the record.

use std::sync::Arc;

use elspeth_contracts::{Determinism, ErrorReason, FailureKind};
use elspeth_plugin::{
    NamedField, OptionError, PluginInfo, PluginKind, Transform, TransformContext, TransformOutput,
    TransformResult, parse_options,
};
use elspeth_value::{Contract, FieldType, Row, SchemaMode, Value};
use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::Deserialize;

use super::missing;
use super::python_pattern::{Refused, translate};
use crate::schema_option::{SchemaOption, options_schema};

/// Most memory that one compiled pattern may take, and its search.
const PATTERN_LIMIT: usize = 4 * 1024 * 1024;

/// Options of the `keyword_filter` transform.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct KeywordFilterOptions {
    /// The fields to search: a list, one name, or `all`. Text inside of lists and maps is searched too; a field that a
    /// row lacks is skipped, unless `strict` says otherwise.
    fields: FieldsOption,
    /// Regular expressions as Python's `re` reads them, without look-around and back-references; one that is found stops
    /// the row.
    #[schemars(length(min = 1))]
    blocked_patterns: Vec<String>,
    /// Whether a row that lacks one of the fields, or has no text in it, is an error; else it passes without being searched
    /// there.
    #[serde(default)]
    strict: bool,
    /// What rows must look like.
    #[serde(default)]
    schema: SchemaOption,
}

/// The `fields` option as it is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "must be a list of field names, one name, or `all`")]
enum FieldsOption {
    One(String),
    List(Vec<String>),
}

/// What the registry knows of it.
pub(crate) fn info() -> PluginInfo {
    PluginInfo {
        kind: PluginKind::Transform,
        name: "keyword_filter",
        version: "1.1.0",
        determinism: Determinism::Deterministic,
        summary: "Stops rows in whose texts a blocked pattern is found.",
        options_schema: options_schema::<KeywordFilterOptions>(),
        example: "transforms:\n  - name: screen\n    plugin: keyword_filter\n    input: rows\n    on_success: clean\n    on_error: blocked\n    options:\n      fields: [message]\n      blocked_patterns: ['(?i)\\bpassword\\b']\n      schema: {mode: observed}\n",
        resumable: false,
        idempotent: false,
    }
}

/// Makes one of its options.
pub(crate) fn make(options: &serde_json::Value) -> Result<Arc<dyn Transform>, Vec<OptionError>> {
    let options: KeywordFilterOptions = parse_options(options).map_err(|e| vec![e])?;
    let mut errors = Vec::new();
    let mut patterns = Vec::new();
    for (index, pattern) in options.blocked_patterns.iter().enumerate() {
        match compile(pattern) {
            Ok(compiled) => patterns.push(compiled),
            Err(e) => errors.push(OptionError { path: format!("blocked_patterns.{index}"), ..e }),
        }
    }
    if options.blocked_patterns.is_empty() {
        errors.push(OptionError::new("blocked_patterns", "there must be at least one pattern"));
    }
    let field = |option: String, field: &String| NamedField {
        passes_unseen: !options.strict,
        ..NamedField::new(option, field)
    };
    let fields = match &options.fields {
        FieldsOption::One(name) if name == "all" => None,
        FieldsOption::One(name) => Some(vec![field("fields".to_owned(), name)]),
        FieldsOption::List(names) => {
            let names = names.iter().enumerate();
            Some(names.map(|(index, name)| field(format!("fields.{index}"), name)).collect::<Vec<_>>())
        }
    };
    if fields.as_ref().is_some_and(Vec::is_empty) {
        errors
            .push(OptionError::new("fields", "there must be at least one field").with_help("or write `all`"));
    }
    let contract = options.schema.contract().map_err(|e| errors.push(e));
    match (contract, errors.is_empty()) {
        (Ok(contract), true) => {
            Ok(Arc::new(KeywordFilter { fields, patterns, strict: options.strict, contract }))
        }
        _ => Err(errors),
    }
}

/// A pattern of the settings.
struct Pattern {
    /// As it is written there.
    written: String,
    compiled: Regex,
}

fn compile(written: &str) -> Result<Pattern, OptionError> {
    let unusable =
        |why: &str| OptionError::new("", format!("`{written}` is not a usable regular expression: {why}"));
    let translated = translate(written).map_err(|Refused { why, help }| unusable(&why).with_help(help))?;
    let built =
        RegexBuilder::new(&translated).size_limit(PATTERN_LIMIT).dfa_size_limit(PATTERN_LIMIT).build();
    let compiled = built.map_err(|e| match e {
        regex::Error::CompiledTooBig(limit) => {
            OptionError::new("", format!("the pattern needs more than {limit} bytes once compiled"))
                .with_help("make its repetitions smaller")
        }
        other => {
            let said = other.to_string();
            unusable(said.lines().last().unwrap_or_default().trim_start_matches("error: "))
                .with_help("put a backslash before a character that is meant as itself")
        }
    })?;
    Ok(Pattern { written: written.to_owned(), compiled })
}

struct KeywordFilter {
    /// `None`: all of them.
    fields: Option<Vec<NamedField>>,
    patterns: Vec<Pattern>,
    strict: bool,
    contract: Contract,
}

impl Transform for KeywordFilter {
    fn output_contract(&self, input: &Contract) -> Result<Contract, Vec<OptionError>> {
        let mut errors = Vec::new();
        for NamedField { option, field, .. } in self.fields.iter().flatten() {
            let message = match input.field(field).map(|spec| spec.ty) {
                Some(FieldType::Str | FieldType::Any) => continue,
                Some(ty) => format!("keyword_filter searches text, but the field `{field}` is {ty}"),
                None if input.mode == SchemaMode::Fixed => {
                    format!("keyword_filter names the field `{field}`, which these rows cannot have")
                }
                None => continue,
            };
            errors.push(OptionError::new(option, message));
        }
        if errors.is_empty() { Ok(input.clone()) } else { Err(errors) }
    }

    fn input_contract(&self) -> Contract {
        self.contract.clone()
    }

    fn named_fields(&self) -> Vec<NamedField> {
        self.fields.clone().unwrap_or_default()
    }

    fn process(&self, row: Row, _context: &TransformContext<'_>) -> TransformResult {
        let found = match &self.fields {
            None => row
                .shape()
                .names()
                .iter()
                .zip(row.values())
                .find_map(|(name, value)| self.search(value).map(|found| found.in_field(name))),
            Some(fields) => fields.iter().find_map(|named| self.search_field(&row, &named.field)),
        };
        found.map_or(Ok(TransformOutput::Unchanged(row)), Err)
    }
}

/// A pattern that was found.
struct Found<'a> {
    number: usize,
    pattern: &'a str,
    character: usize,
}

impl KeywordFilter {
    fn search_field(&self, row: &Row, name: &str) -> Option<ErrorReason> {
        match row.get(name) {
            None | Some(Value::Null) => self.strict.then(|| missing(name)),
            Some(value) if self.strict && !holds_text(value) => Some(no_text(name, value)),
            Some(value) => self.search(value).map(|found| found.in_field(name)),
        }
    }

    /// The first pattern that is in the value, or in a text inside of it.
    fn search(&self, value: &Value) -> Option<Found<'_>> {
        match value {
            Value::Str(text) => self.search_text(text),
            Value::List(items) => items.iter().find_map(|item| self.search(item)),
            Value::Map(map) => {
                map.iter().find_map(|(key, item)| self.search_text(key).or_else(|| self.search(item)))
            }
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Decimal(_)
            | Value::Date(_)
            | Value::DateTime(_)
            | Value::Bytes(_) => None,
        }
    }

    fn search_text(&self, text: &str) -> Option<Found<'_>> {
        self.patterns.iter().enumerate().find_map(|(number, pattern)| {
            let start = pattern.compiled.find(text)?.start();
            Some(Found {
                number: number + 1,
                pattern: &pattern.written,
                character: text[..start].chars().count() + 1,
            })
        })
    }
}

/// Whether there is a text to search in the value, or nothing at all in it.
fn holds_text(value: &Value) -> bool {
    match value {
        Value::Str(_) => true,
        Value::List(items) => items.is_empty() || items.iter().any(holds_text),
        // Its keys are texts.
        Value::Map(_) => true,
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Decimal(_)
        | Value::Date(_)
        | Value::DateTime(_)
        | Value::Bytes(_) => false,
    }
}

fn no_text(field: &str, found: &Value) -> ErrorReason {
    let what = match found {
        Value::List(_) => "a list without text",
        other => other.type_name(),
    };
    let message = format!("keyword_filter searches text, but the field `{field}` is {what}");
    ErrorReason::new(FailureKind::TypeMismatch, message).on_field(field)
}

impl Found<'_> {
    fn in_field(self, field: &str) -> ErrorReason {
        let Self { number, pattern, character } = self;
        let message = format!(
            "blocked pattern {number} (`{pattern}`) was found in the field `{field}` at character {character}"
        );
        ErrorReason::new(FailureKind::TransformError, message).on_field(field)
    }
}
