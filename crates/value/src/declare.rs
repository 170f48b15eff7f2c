//! How contracts are written in settings files: the `schema:` mapping, its JSON Schema, and its mistakes.
//!
//! Everything that is wrong is refused with what to write instead; nothing is guessed. The words of other tools
//! (`strict`, `integer`) are known only to say the right ones.

mod field;

use compact_str::CompactString;
use serde_json::{Map as JsonMap, Value as Json, json};

use crate::normalise::is_field_name;
use crate::{Contract, ContractError, FieldSpec, SchemaMode, normalise_header};
use field::FIELD_FORMS;

const KEYS: [&str; 5] = ["mode", "fields", "guaranteed_fields", "required_fields", "audit_fields"];

pub(crate) fn contract(schema: &Json) -> Result<Contract, ContractError> {
    let Json::Object(map) = schema else {
        return Err(error(None, "a schema is a mapping", "write {mode: observed}, or mode and fields"));
    };
    if let Some(unknown) = map.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(error(
            None,
            &format!("a schema has no key `{unknown}`"),
            &format!("its keys are {}", KEYS.join(", ")),
        ));
    }
    let mode = mode(map.get("mode"))?;
    let fields = fields(map.get("fields"), mode)?;
    let names = |key| names(map, key, mode, &fields);
    Ok(Contract {
        mode,
        guaranteed_fields: names("guaranteed_fields")?,
        required_fields: names("required_fields")?,
        audit_fields: names("audit_fields")?,
        fields,
    })
}

fn mode(mode: Option<&Json>) -> Result<SchemaMode, ContractError> {
    const MODES: &str =
        "modes are fixed (exactly these fields), flexible (at least these), observed (learnt from the data)";
    let Some(mode) = mode else {
        return Err(error(None, "a schema needs a `mode`", MODES));
    };
    let meant = match mode.as_str() {
        Some("fixed") => return Ok(SchemaMode::Fixed),
        Some("flexible") => return Ok(SchemaMode::Flexible),
        Some("observed") => return Ok(SchemaMode::Observed),
        Some("strict") => "write fixed",
        Some("free") => "write flexible",
        Some("dynamic") => "write observed",
        Some(_) | None => MODES,
    };
    let found = mode.as_str().map_or_else(|| mode.to_string(), str::to_owned);
    Err(error(None, &format!("`{found}` is no schema mode"), meant))
}

fn fields(fields: Option<&Json>, mode: SchemaMode) -> Result<Vec<FieldSpec>, ContractError> {
    let items: &[Json] = match fields {
        None | Some(Json::Null) => &[],
        Some(Json::Array(items)) => items,
        Some(_) => return Err(error(None, "`fields` is a list", FIELD_FORMS)),
    };
    match mode {
        SchemaMode::Observed if !items.is_empty() => {
            let help = "use mode: flexible to declare some fields, or list names in guaranteed_fields or required_fields";
            return Err(error(None, "an observed schema declares no `fields`: it learns them", help));
        }
        SchemaMode::Fixed | SchemaMode::Flexible if items.is_empty() => {
            return Err(error(None, "this mode needs `fields`", "list the fields, or use mode: observed"));
        }
        SchemaMode::Fixed | SchemaMode::Flexible | SchemaMode::Observed => {}
    }
    let mut specs: Vec<FieldSpec> = Vec::with_capacity(items.len());
    for (at, item) in items.iter().enumerate() {
        let spec = field::parse(at, item)?;
        if specs.iter().any(|s| s.name == spec.name) {
            return Err(error(
                Some(at),
                &format!("field `{}` is here twice", spec.name),
                "remove or rename one",
            ));
        }
        specs.push(spec);
    }
    Ok(specs)
}

/// One of the lists of field names.
fn names(
    map: &JsonMap<String, Json>,
    key: &str,
    mode: SchemaMode,
    fields: &[FieldSpec],
) -> Result<Vec<CompactString>, ContractError> {
    let no_list =
        || error(None, &format!("`{key}` is a list of field names"), &format!("write {key}: [id, name]"));
    let items: &[Json] = match map.get(key) {
        None | Some(Json::Null) => &[],
        Some(Json::Array(items)) => items,
        Some(_) => return Err(no_list()),
    };
    let mut names: Vec<CompactString> = Vec::with_capacity(items.len());
    for item in items {
        let name = field_name(None, item.as_str().ok_or_else(no_list)?)?;
        if names.contains(&name) {
            return Err(error(None, &format!("`{key}` names `{name}` twice"), "remove one"));
        }
        if mode == SchemaMode::Fixed && !fields.iter().any(|f| f.name == name) {
            let message = format!("`{key}` names `{name}`, which is not among the `fields`");
            return Err(error(None, &message, "declare it in `fields`, or correct the name"));
        }
        names.push(name);
    }
    Ok(names)
}

/// A name that a field can have. It need not be normalised, for `field_mapping` and transforms give any names.
fn field_name(at: Option<usize>, name: &str) -> Result<CompactString, ContractError> {
    let name = name.trim();
    if is_field_name(name) {
        return Ok(name.into());
    }
    match normalise_header(name) {
        Some(normal) => {
            let help =
                format!("field names have letters, digits and `_`, and no digit first; write `{normal}`");
            Err(error(at, &format!("`{name}` cannot be the name of a field"), &help))
        }
        None => Err(error(at, "a field needs a name", FIELD_FORMS)),
    }
}

pub(crate) fn json_schema() -> Json {
    let names = |what: &str| json!({"type": "array", "items": {"type": "string"}, "uniqueItems": true, "description": what});
    json!({
        "type": "object",
        "description": "Which fields rows have.",
        "properties": {
            "mode": {
                "enum": ["fixed", "flexible", "observed"],
                "description": "fixed: exactly these fields; flexible: these checked, others allowed; observed: learnt from the first valid row, then locked."
            },
            "fields": {
                "type": "array",
                "description": "The fields, in order; needed unless the mode is observed.",
                "items": field::json_schema()
            },
            "guaranteed_fields": names("Fields that every row is promised to have, beside the required ones."),
            "required_fields": names("Fields that a row must have, beside the required ones."),
            "audit_fields": names("Fields that are there for the audit only: nothing may depend on them.")
        },
        "required": ["mode"],
        "additionalProperties": false
    })
}

fn error(field_index: Option<usize>, message: &str, help: &str) -> ContractError {
    ContractError { field_index, message: message.to_owned(), help: help.to_owned() }
}
