//! How contracts are written in settings files.

use compact_str::CompactString;
use serde_json::{Map as JsonMap, Value as Json};

use crate::{Contract, ContractError, FieldSpec, FieldType, SchemaMode, normalise_header};

const KEYS: [&str; 5] = ["mode", "fields", "guaranteed_fields", "required_fields", "audit_fields"];
const TYPES: &str = "str, int, float, bool, any, datetime, date, decimal";
const FIELD_FORMS: &str = "write \"name: type\", \"name: type?\" for optional, or {name: ..., type: ..., required: ...}";

pub(crate) fn contract(schema: &Json) -> Result<Contract, ContractError> {
    let Json::Object(map) = schema else {
        return Err(error(None, "a schema is a mapping", "write {mode: observed}, or mode and fields"));
    };
    if let Some(unknown) = map.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(error(None, &format!("a schema has no key `{unknown}`"), &format!("its keys are {}", KEYS.join(", "))));
    }
    let mode = mode(map.get("mode"))?;
    let fields = fields(map.get("fields"))?;
    if fields.is_empty() && mode != SchemaMode::Observed {
        return Err(error(None, "this mode needs `fields`", "list the fields, or use mode: observed"));
    }
    Ok(Contract {
        mode,
        fields,
        guaranteed_fields: names(map, "guaranteed_fields")?,
        required_fields: names(map, "required_fields")?,
        audit_fields: names(map, "audit_fields")?,
    })
}

fn mode(mode: Option<&Json>) -> Result<SchemaMode, ContractError> {
    match mode.map(Json::as_str) {
        Some(Some("fixed")) => Ok(SchemaMode::Fixed),
        Some(Some("flexible")) => Ok(SchemaMode::Flexible),
        Some(Some("observed")) => Ok(SchemaMode::Observed),
        None => Err(error(None, "a schema needs a `mode`", "write mode: fixed, flexible or observed")),
        Some(other) => {
            let found = other.map_or_else(|| "this".to_owned(), |m| format!("`{m}`"));
            Err(error(None, &format!("{found} is no schema mode"), "modes are fixed, flexible, observed"))
        }
    }
}

fn fields(fields: Option<&Json>) -> Result<Vec<FieldSpec>, ContractError> {
    let items = match fields {
        None | Some(Json::Null) => return Ok(Vec::new()),
        Some(Json::Array(items)) => items,
        Some(_) => return Err(error(None, "`fields` is a list", FIELD_FORMS)),
    };
    let mut specs: Vec<FieldSpec> = Vec::with_capacity(items.len());
    for (at, item) in items.iter().enumerate() {
        let spec = field(at, item)?;
        if specs.iter().any(|s| s.name == spec.name) {
            return Err(error(Some(at), &format!("field `{}` is here twice", spec.name), "remove or rename one"));
        }
        specs.push(spec);
    }
    Ok(specs)
}

fn field(at: usize, item: &Json) -> Result<FieldSpec, ContractError> {
    match item {
        Json::String(text) => {
            let (name, ty) = text.split_once(':').ok_or_else(|| {
                error(Some(at), &format!("`{text}` is no field: there is no type"), FIELD_FORMS)
            })?;
            typed(at, name.trim(), ty.trim(), None)
        }
        Json::Object(map) => field_mapping(at, map),
        _ => Err(error(Some(at), "a field is text or a mapping", FIELD_FORMS)),
    }
}

/// `{name: type}` or `{name: ..., type: ..., required: ...}`.
fn field_mapping(at: usize, map: &JsonMap<String, Json>) -> Result<FieldSpec, ContractError> {
    let full = map.contains_key("name") && map.contains_key("type");
    if !full {
        return match map.iter().next() {
            Some((name, Json::String(ty))) if map.len() == 1 => typed(at, name, ty, None),
            _ => Err(error(Some(at), "this is no field", FIELD_FORMS)),
        };
    }
    if let Some(unknown) = map.keys().find(|key| !["name", "type", "required"].contains(&key.as_str())) {
        return Err(error(Some(at), &format!("a field has no key `{unknown}`"), "its keys are name, type, required"));
    }
    let (Some(name), Some(ty)) = (map["name"].as_str(), map["type"].as_str()) else {
        return Err(error(Some(at), "`name` and `type` of a field are text", FIELD_FORMS));
    };
    let required = match map.get("required") {
        None => None,
        Some(Json::Bool(required)) => Some(*required),
        Some(_) => return Err(error(Some(at), "`required` is true or false", FIELD_FORMS)),
    };
    typed(at, name, ty, required)
}

fn typed(at: usize, name: &str, ty: &str, required: Option<bool>) -> Result<FieldSpec, ContractError> {
    let (word, optional) = ty.strip_suffix('?').map_or((ty, false), |word| (word.trim_end(), true));
    let ty = match word {
        "str" => FieldType::Str,
        "int" => FieldType::Int,
        "float" => FieldType::Float,
        "bool" => FieldType::Bool,
        "any" => FieldType::Any,
        "datetime" => FieldType::Datetime,
        "date" => FieldType::Date,
        "decimal" => FieldType::Decimal,
        _ => return Err(error(Some(at), &format!("`{word}` is no field type"), &format!("types are {TYPES}"))),
    };
    if required == Some(true) && optional {
        return Err(error(Some(at), &format!("`{name}` is both optional (`?`) and required"), "say one of them"));
    }
    Ok(FieldSpec { name: field_name(at, name)?, ty, required: required.unwrap_or(!optional) })
}

fn field_name(at: usize, name: &str) -> Result<CompactString, ContractError> {
    match normalise_header(name) {
        Some(normal) if normal == name => Ok(normal),
        Some(normal) => {
            let message = format!("`{name}` is not the name that the field gets");
            Err(error(Some(at), &message, &format!("field names are normalised; write `{normal}`")))
        }
        None => Err(error(Some(at), "a field needs a name", FIELD_FORMS)),
    }
}

fn names(map: &JsonMap<String, Json>, key: &str) -> Result<Vec<CompactString>, ContractError> {
    let refused = || error(None, &format!("`{key}` is a list of field names"), &format!("write {key}: [id, name]"));
    match map.get(key) {
        None | Some(Json::Null) => Ok(Vec::new()),
        Some(Json::Array(items)) => {
            items.iter().map(|item| item.as_str().map(CompactString::from).ok_or_else(refused)).collect()
        }
        Some(_) => Err(refused()),
    }
}

fn error(field_index: Option<usize>, message: &str, help: &str) -> ContractError {
    ContractError { field_index, message: message.to_owned(), help: help.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_written_in_four_forms() {
        let schema = json!({"mode": "flexible", "fields": [
            "id: int", "note: str?", {"score": "float?"}, {"name": "ok", "type": "bool", "required": false}
        ]});
        let contract = contract(&schema).unwrap();
        let fields: Vec<_> = contract.fields.iter().map(|f| (f.name.as_str(), f.ty, f.required)).collect();
        assert_eq!(fields, [
            ("id", FieldType::Int, true),
            ("note", FieldType::Str, false),
            ("score", FieldType::Float, false),
            ("ok", FieldType::Bool, false)
        ]);
    }

    #[test]
    fn each_mistake_has_its_own_message() {
        for (schema, part) in [
            (json!([]), "mapping"),
            (json!({}), "mode"),
            (json!({"mode": "strict"}), "`strict`"),
            (json!({"mode": "fixed"}), "fields"),
            (json!({"mode": "fixed", "fields": ["id"]}), "no type"),
            (json!({"mode": "fixed", "fields": ["id: integer"]}), "`integer`"),
            (json!({"mode": "fixed", "fields": ["id: int", "id: str"]}), "twice"),
            (json!({"mode": "fixed", "fields": ["First Name: str"]}), "not the name"),
            (json!({"mode": "fixed", "fields": [7]}), "text or a mapping"),
            (json!({"mode": "fixed", "fields": [{"name": "a", "type": "int", "need": 1}]}), "`need`"),
            (json!({"mode": "observed", "field": []}), "`field`"),
            (json!({"mode": "observed", "required_fields": "id"}), "list of field names"),
        ] {
            let error = contract(&schema).unwrap_err();
            assert!(error.message.contains(part), "{schema}: {}", error.message);
            assert!(!error.help.is_empty());
        }
    }
}
