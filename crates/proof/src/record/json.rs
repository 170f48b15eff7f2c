use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use super::{BadRecord, Field, Form, Kind, Reason, Record, Value};
use crate::hash::Hash;
use crate::json::Json;
use crate::token::Token;

/// Names the kind.
const KIND: &str = "record";

impl Record {
    /// Its JSON: `record` with the name of the kind, and the fields that are there.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let mut entries = Vec::from([(KIND.to_string(), Json::Text(self.kind.name().to_string()))]);
        for (field, value) in self.kind.fields().iter().zip(&self.values) {
            if let Some(value) = value {
                entries.push((field.name.to_string(), to_json(value)));
            }
        }
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        Json::Object(entries)
    }

    /// The record with that JSON.
    ///
    /// # Errors
    /// [`BadRecord`] when it is none, or has anything that the kind does not have.
    pub fn from_json(json: &Json) -> Result<Self, BadRecord> {
        let name = json.get(KIND).and_then(Json::as_text).ok_or(BadRecord::NoKind)?;
        let kind = Kind::from_name(name).ok_or(BadRecord::NoKind)?;
        let Json::Object(entries) = json else { return Err(BadRecord::NoKind) };
        let known = |key: &str| key == KIND || kind.fields().iter().any(|field| field.name == key);
        if let Some((key, _)) = entries.iter().find(|(key, _)| !known(key)) {
            return Err(BadRecord::Unknown { kind: kind.name(), field: key.clone() });
        }
        let values = kind.fields().iter().map(|field| field_of(kind, field, json));
        Ok(Self { kind, values: values.collect::<Result<_, _>>()? })
    }
}

fn to_json(value: &Value) -> Json {
    let number = |number: u64| Json::number(number).expect("reading lets no other number through");
    match value {
        Value::Number(value) => number(*value),
        Value::Flag(flag) => Json::Flag(*flag),
        Value::Code(name) => Json::Text((*name).to_string()),
        Value::Hash(hash) => Json::Text(hash.to_string()),
        Value::Text(text) => Json::Text(text.clone()),
        Value::Token(token) => Json::Text(token.to_string()),
        Value::Reason(reason) => {
            let text = |text: &String| Json::Text(text.clone());
            let fields = [
                ("field", reason.field.as_ref().map(text)),
                ("kind", Some(text(&reason.kind))),
                ("line", reason.line.map(number)),
                ("message", Some(text(&reason.message))),
                ("retryable", Some(Json::Flag(reason.retryable))),
            ];
            object(fields)
        }
        Value::At { step, attempt } => {
            object([("attempt", Some(number(*attempt))), ("step", Some(number(*step)))])
        }
    }
}

fn object<const N: usize>(fields: [(&str, Option<Json>); N]) -> Json {
    let present = fields.into_iter().filter_map(|(name, value)| Some((name.to_string(), value?)));
    Json::Object(present.collect())
}

fn field_of(kind: Kind, field: &Field, json: &Json) -> Result<Option<Value>, BadRecord> {
    match json.get(field.name) {
        None if field.optional => Ok(None),
        None => Err(BadRecord::Missing { kind: kind.name(), field: field.name }),
        Some(json) => {
            let wrong = BadRecord::Value { kind: kind.name(), field: field.name };
            from_json(field.form, json).map(Some).ok_or(wrong)
        }
    }
}

fn from_json(form: Form, json: &Json) -> Option<Value> {
    Some(match form {
        Form::Number(width) => Value::Number(number(json, width)?),
        Form::Flag => Value::Flag(flag(json)?),
        Form::Code(names) => {
            let name = json.as_text()?;
            Value::Code(names.iter().find(|known| **known == name)?)
        }
        Form::Hash => Value::Hash(Hash::from_hex(json.as_text()?)?),
        Form::Text => Value::Text(json.as_text()?.to_string()),
        Form::Token => Value::Token(Token::parse(json.as_text()?)?),
        Form::Reason => Value::Reason(reason(json)?),
        Form::At => {
            has_only(json, &["attempt", "step"])?;
            Value::At { step: number(json.get("step")?, 2)?, attempt: number(json.get("attempt")?, 1)? }
        }
    })
}

fn reason(json: &Json) -> Option<Reason> {
    has_only(json, &["field", "kind", "line", "message", "retryable"])?;
    let text = |key: &str| json.get(key).and_then(Json::as_text).map(|text| text.to_string());
    let optional = |present: bool, key: &str| present || json.get(key).is_none();
    let (field, line) = (text("field"), json.get("line").and_then(|line| number(line, 8)));
    (optional(field.is_some(), "field") && optional(line.is_some(), "line")).then_some(())?;
    Some(Reason {
        kind: text("kind")?,
        message: text("message")?,
        field,
        line,
        retryable: flag(json.get("retryable")?)?,
    })
}

fn has_only(json: &Json, keys: &[&str]) -> Option<()> {
    let Json::Object(entries) = json else { return None };
    entries.iter().all(|(key, _)| keys.contains(&key.as_str())).then_some(())
}

fn number(json: &Json, width: usize) -> Option<u64> {
    json.as_number().filter(|number| width == 8 || number >> (8 * width) == 0)
}

fn flag(json: &Json) -> Option<bool> {
    if let Json::Flag(flag) = json { Some(*flag) } else { None }
}
