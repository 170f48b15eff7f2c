//! One field of a `schema:` mapping, in any of its four forms.

use serde_json::{Map as JsonMap, Value as Json, json};

use super::{error, field_name};
use crate::{ContractError, FieldSpec, FieldType};

pub(super) const FIELD_FORMS: &str =
    "write \"name: type\", \"name: type?\" for optional, or {name: ..., type: ..., required: ...}";
const TYPES: &str = "str, int, float, bool, any, datetime, date, decimal";

/// The field at that place of the list.
pub(super) fn parse(at: usize, item: &Json) -> Result<FieldSpec, ContractError> {
    match item {
        Json::String(text) => {
            let (name, ty) = text.split_once(':').ok_or_else(|| {
                error(Some(at), &format!("`{text}` is no field: there is no type"), FIELD_FORMS)
            })?;
            typed(at, name, ty, None)
        }
        Json::Object(map) if map.contains_key("name") && map.contains_key("type") => full(at, map),
        Json::Object(map) => match map.iter().next() {
            Some((name, Json::String(ty))) if map.len() == 1 => typed(at, name, ty, None),
            _ => Err(error(Some(at), "this is no field", FIELD_FORMS)),
        },
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Array(_) => {
            Err(error(Some(at), "a field is text or a mapping", FIELD_FORMS))
        }
    }
}

/// `{name: ..., type: ..., required: ...}`.
fn full(at: usize, map: &JsonMap<String, Json>) -> Result<FieldSpec, ContractError> {
    if let Some(unknown) = map.keys().find(|key| !["name", "type", "required"].contains(&key.as_str())) {
        return Err(error(
            Some(at),
            &format!("a field has no key `{unknown}`"),
            "its keys are name, type, required",
        ));
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
    let ty = ty.trim();
    let (word, optional) = ty.strip_suffix('?').map_or((ty, false), |word| (word.trim_end(), true));
    let ty = field_type(at, word)?;
    let name = field_name(Some(at), name)?;
    if required == Some(true) && optional {
        return Err(error(
            Some(at),
            &format!("`{name}` is both optional (`?`) and required"),
            "say one of them",
        ));
    }
    Ok(FieldSpec { name, ty, required: required.unwrap_or(!optional) })
}

fn field_type(at: usize, word: &str) -> Result<FieldType, ContractError> {
    let meant = match word {
        "str" => return Ok(FieldType::Str),
        "int" => return Ok(FieldType::Int),
        "float" => return Ok(FieldType::Float),
        "bool" => return Ok(FieldType::Bool),
        "any" => return Ok(FieldType::Any),
        "datetime" => return Ok(FieldType::Datetime),
        "date" => return Ok(FieldType::Date),
        "decimal" => return Ok(FieldType::Decimal),
        "string" | "text" => "write str",
        "integer" => "write int",
        "number" | "double" => "write float, int or decimal",
        "boolean" => "write bool",
        "timestamp" => "write datetime",
        _ => {
            return Err(error(
                Some(at),
                &format!("`{word}` is no field type"),
                &format!("types are {TYPES}"),
            ));
        }
    };
    Err(error(Some(at), &format!("`{word}` is no field type"), meant))
}

pub(super) fn json_schema() -> Json {
    let types: Vec<&str> = TYPES.split(", ").collect();
    let alternatives = types.join("|");
    let with_mark: Vec<String> = types.iter().flat_map(|ty| [(*ty).to_owned(), format!("{ty}?")]).collect();
    json!({
        "description": format!("`name: type`, with `?` behind the type when optional. Types: {TYPES}."),
        "anyOf": [
            {"type": "string", "pattern": format!(r"^\s*\w+\s*:\s*({alternatives})\s*\??\s*$")},
            {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "type": {"enum": with_mark},
                    "required": {"type": "boolean"}
                },
                "required": ["name", "type"],
                "additionalProperties": false
            },
            {"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": {"enum": with_mark}}
        ]
    })
}
