//! What the source makes of its lines.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::pipeline::{Pipeline, Row, SourceSchema};

/// Types of fields that random data has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Int,
    Str,
    Any,
}

/// Valid rows, and refused records as the rows that they are kept as.
pub(super) fn rows(pipeline: &Pipeline) -> Vec<Result<Row, Row>> {
    let mut learnt: Option<BTreeMap<String, Type>> = None;
    let lines = pipeline.lines.iter();
    lines
        .map(|line| match serde_json::from_str(line) {
            Ok(Json::Object(row)) => checked(pipeline.schema, row, &mut learnt),
            Ok(_) | Err(_) => Err(Row::from_iter([("raw".to_owned(), json!(line))])),
        })
        .collect()
}

fn checked(schema: SourceSchema, row: Row, learnt: &mut Option<BTreeMap<String, Type>>) -> Result<Row, Row> {
    let required = match schema {
        SourceSchema::Flexible | SourceSchema::Fixed => &["id", "n"][..],
        SourceSchema::Observed => &[],
    };
    let fixed = [("s", Type::Str), ("opt", Type::Int), ("g", Type::Str)];
    let fixed = fixed.into_iter().chain([("items", Type::Any), ("c", Type::Any), ("one", Type::Any)]);
    let mut types: BTreeMap<String, Type> =
        required.iter().map(|name| ((*name).to_owned(), Type::Int)).collect();
    match schema {
        SourceSchema::Flexible => {}
        SourceSchema::Fixed => types.extend(fixed.map(|(name, ty)| (name.to_owned(), ty))),
        SourceSchema::Observed => types.extend(learnt.clone().unwrap_or_default()),
    }
    let lacks = |name: &&str| row.get(*name).is_none_or(Json::is_null);
    let extra = || row.keys().any(|name| !types.contains_key(name));
    if required.iter().any(lacks) || (schema == SourceSchema::Fixed && extra()) {
        return Err(row);
    }
    let mut taken = row.clone();
    for (name, ty) in &types {
        if let Some(value) = taken.get_mut(name).filter(|value| !value.is_null()) {
            match coerced(*ty, value) {
                Some(coerced) => *value = coerced,
                None => return Err(row),
            }
        }
    }
    if schema == SourceSchema::Observed && learnt.is_none() {
        *learnt = Some(taken.iter().map(|(name, value)| (name.clone(), type_of(value))).collect());
    }
    Ok(taken)
}

fn coerced(ty: Type, value: &Json) -> Option<Json> {
    match (ty, value) {
        (Type::Any, value) => Some(value.clone()),
        (Type::Int, Json::Number(_)) | (Type::Str, Json::String(_)) => Some(value.clone()),
        (Type::Int, Json::String(text)) => text.trim().parse::<i64>().ok().map(|int| json!(int)),
        (Type::Int | Type::Str, _) => None,
    }
}

fn type_of(value: &Json) -> Type {
    match value {
        Json::Number(_) => Type::Int,
        Json::String(_) => Type::Str,
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => Type::Any,
    }
}
