use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use super::{BadRecord, Field, Form, Kind, Reason, Record, Value};
use crate::hash::Hash;
use crate::json::Json;
use crate::token::Token;

impl Record {
    /// Appends its tag and content.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(self.kind.tag());
        for (field, value) in self.kind.fields().iter().zip(&self.values) {
            if field.optional {
                out.push(u8::from(value.is_some()));
            }
            if let Some(value) = value {
                write(field.form, value, out);
            }
        }
    }

    /// Its tag and content.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    /// Takes the record that `bytes` begins with off them.
    ///
    /// # Errors
    /// [`BadRecord`] when it begins with none; nothing can be said of the rest then.
    pub fn read(bytes: &mut &[u8]) -> Result<Self, BadRecord> {
        let tag = number(bytes, 1).and_then(|tag| u8::try_from(tag).ok()).unwrap_or_default();
        let kind = Kind::from_tag(tag).ok_or(BadRecord::Tag(tag))?;
        let values = kind.fields().iter().map(|field| read_field(kind, field, bytes));
        Ok(Self { kind, values: values.collect::<Result<_, _>>()? })
    }

    /// The records that follow on one another in `bytes`.
    ///
    /// # Errors
    /// [`BadRecord`] at the first that is none.
    pub fn read_all(mut bytes: &[u8]) -> Result<Vec<Self>, BadRecord> {
        let mut records = Vec::new();
        while !bytes.is_empty() {
            records.push(Self::read(&mut bytes)?);
        }
        Ok(records)
    }
}

fn write(form: Form, value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Number(number) => {
            let Form::Number(width) = form else { unreachable!("a number is the value of a number's field") };
            out.extend_from_slice(&number.to_be_bytes()[8 - width..]);
        }
        Value::Flag(flag) => out.push(u8::from(*flag)),
        Value::Code(name) => {
            let Form::Code(names) = form else { unreachable!("a code is the value of a code's field") };
            let code = names.iter().position(|known| known == name).expect("it was taken from the list");
            out.push(u8::try_from(code).expect("no list has more than ten"));
        }
        Value::Hash(hash) => out.extend_from_slice(hash.as_bytes()),
        Value::Text(value) => text(value, out),
        Value::Token(token) => out.extend_from_slice(&token.number().to_be_bytes()),
        Value::Reason(value) => reason(value, out),
        Value::At { step, attempt } => {
            out.extend_from_slice(&step.to_be_bytes()[6..]);
            out.extend_from_slice(&attempt.to_be_bytes()[7..]);
        }
    }
}

fn text(text: &str, out: &mut Vec<u8>) {
    let length = u32::try_from(text.len()).expect("no text has four thousand million bytes");
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn reason(reason: &Reason, out: &mut Vec<u8>) {
    text(&reason.kind, out);
    text(&reason.message, out);
    out.push(u8::from(reason.field.is_some()));
    if let Some(field) = &reason.field {
        text(field, out);
    }
    out.push(u8::from(reason.line.is_some()));
    if let Some(line) = reason.line {
        out.extend_from_slice(&line.to_be_bytes());
    }
    out.push(u8::from(reason.retryable));
}

fn read_field(kind: Kind, field: &Field, bytes: &mut &[u8]) -> Result<Option<Value>, BadRecord> {
    let missing = BadRecord::Missing { kind: kind.name(), field: field.name };
    let wrong = BadRecord::Value { kind: kind.name(), field: field.name };
    if bytes.is_empty() {
        return Err(missing);
    }
    if field.optional && !flag(bytes).ok_or_else(|| wrong.clone())? {
        return Ok(None);
    }
    read(field.form, bytes).map(Some).ok_or(wrong)
}

fn read(form: Form, bytes: &mut &[u8]) -> Option<Value> {
    Some(match form {
        Form::Number(width) => Value::Number(safe(bytes, width)?),
        Form::Flag => Value::Flag(flag(bytes)?),
        Form::Code(names) => Value::Code(names.get(usize::try_from(number(bytes, 1)?).ok()?)?),
        Form::Hash => Value::Hash(Hash::from_bytes(take(bytes, 32)?.try_into().ok()?)),
        Form::Text => Value::Text(read_text(bytes)?),
        Form::Token => Value::Token(Token::from_number(number(bytes, 8)?)?),
        Form::Reason => Value::Reason(Reason {
            kind: read_text(bytes)?,
            message: read_text(bytes)?,
            field: if flag(bytes)? { Some(read_text(bytes)?) } else { None },
            line: if flag(bytes)? { Some(safe(bytes, 8)?) } else { None },
            retryable: flag(bytes)?,
        }),
        Form::At => Value::At { step: number(bytes, 2)?, attempt: number(bytes, 1)? },
    })
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

fn number(bytes: &mut &[u8], width: usize) -> Option<u64> {
    Some(take(bytes, width)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// A number that JSON can hold.
fn safe(bytes: &mut &[u8], width: usize) -> Option<u64> {
    number(bytes, width).filter(|number| Json::number(*number).is_some())
}

fn flag(bytes: &mut &[u8]) -> Option<bool> {
    match number(bytes, 1)? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

fn read_text(bytes: &mut &[u8]) -> Option<String> {
    let length = usize::try_from(number(bytes, 4)?).ok()?;
    core::str::from_utf8(take(bytes, length)?).ok().map(|text| text.to_string())
}
