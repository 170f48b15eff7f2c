//! The functions of the language.
//!
//! Invariant: text that Python would read as infinite or not a number is refused. Knows nothing of syntax.

use std::borrow::Cow;

use rust_decimal::prelude::ToPrimitive as _;

use crate::ast::Function;
use crate::budget::Budget;
use crate::ev::Ev;
use crate::fault::Fault;
use crate::number::{self, Num};
use crate::text::{repr_of, str_of};

/// `function(value)`
pub(crate) fn call<'a>(function: Function, value: Ev<'a>, budget: &Budget) -> Result<Ev<'a>, Fault> {
    match function {
        Function::Str => to_str(value, budget),
        Function::Int => to_int(&value),
        Function::Float => to_float(&value),
        Function::Bool => Ok(Ev::Bool(value.truth())),
        Function::Abs => absolute(&value),
        Function::Len => length(&value),
    }
}

fn to_str<'a>(value: Ev<'a>, budget: &Budget) -> Result<Ev<'a>, Fault> {
    if let Ev::Str(_) = value {
        return Ok(value);
    }
    let text = str_of(&value, budget.left());
    budget.charge(text.len())?;
    Ok(Ev::Str(Cow::Owned(text)))
}

fn to_int(value: &Ev<'_>) -> Result<Ev<'static>, Fault> {
    if let Ev::Str(text) = value {
        return int_from_text(text);
    }
    match Num::of(value) {
        Some(Num::Int(number)) => Ok(Ev::Int(number)),
        Some(Num::Float(number)) => number::int(whole(number)),
        Some(Num::Decimal(number)) => number::int(number.trunc().to_i64()),
        None => Err(wrong_argument(Function::Int, value)),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "within +-2^62, and cutting is what int() does")]
fn whole(number: f64) -> Option<i64> {
    (number.abs() < 4.6e18).then_some(number as i64)
}

fn int_from_text(text: &str) -> Result<Ev<'static>, Fault> {
    let trimmed = python_trim(text);
    let digits = trimmed.strip_prefix(['+', '-']).unwrap_or(trimmed);
    if !is_digits(digits) {
        return Err(Fault::new(format!("int() cannot read {} as a whole number", quoted(text))));
    }
    number::int(trimmed.replace('_', "").parse().ok())
}

/// Digits, with single underscores between them.
fn is_digits(text: &str) -> bool {
    text.split('_').all(|group| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit()))
}

fn to_float(value: &Ev<'_>) -> Result<Ev<'static>, Fault> {
    if let Ev::Str(text) = value {
        return float_from_text(text);
    }
    match Num::of(value) {
        #[expect(clippy::cast_precision_loss, reason = "rounding to nearest is what Python does")]
        Some(Num::Int(number)) => Ok(Ev::Float(number as f64)),
        Some(Num::Float(number)) => Ok(Ev::Float(number)),
        Some(Num::Decimal(number)) => number::float(number::decimal_to_float(number)),
        None => Err(wrong_argument(Function::Float, value)),
    }
}

fn float_from_text(text: &str) -> Result<Ev<'static>, Fault> {
    let trimmed = python_trim(text);
    let unreadable = || Fault::new(format!("float() cannot read {} as a finite number", quoted(text)));
    let has_words = trimmed.bytes().any(|byte| byte.is_ascii_alphabetic() && !matches!(byte, b'e' | b'E'));
    if has_words || !underscores_between_digits(trimmed) {
        return Err(unreadable());
    }
    let number: f64 = trimmed.replace('_', "").parse().map_err(|_| unreadable())?;
    if number.is_finite() { Ok(Ev::Float(number)) } else { Err(unreadable()) }
}

fn underscores_between_digits(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    let at_underscores = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'_').map(|(at, _)| at);
    at_underscores.into_iter().all(|at| digit(at.checked_sub(1)) && digit(at.checked_add(1)))
}

/// Python's blanks are Unicode's and four separators.
fn python_trim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || ('\x1c'..='\x1f').contains(&c))
}

/// At most 40 characters of a text, for a message.
fn quoted(text: &str) -> String {
    let cut = text.char_indices().nth(40).map_or(text, |(at, _)| &text[..at]);
    let dots = if cut.len() < text.len() { "..." } else { "" };
    format!("{}{dots}", repr_of(&Ev::text(cut)))
}

fn absolute(value: &Ev<'_>) -> Result<Ev<'static>, Fault> {
    match Num::of(value) {
        Some(Num::Int(number)) => number::int(number.checked_abs()),
        Some(Num::Float(number)) => Ok(Ev::Float(number.abs())),
        Some(Num::Decimal(number)) => Ok(Ev::Decimal(number.abs())),
        None => Err(wrong_argument(Function::Abs, value)),
    }
}

fn length(value: &Ev<'_>) -> Result<Ev<'static>, Fault> {
    let length = match value {
        Ev::Str(text) => text.chars().count(),
        Ev::Bytes(bytes) => bytes.len(),
        Ev::Seq(_, items) => items.len(),
        Ev::Dict(entries) => entries.len(),
        Ev::None
        | Ev::Bool(_)
        | Ev::Int(_)
        | Ev::Float(_)
        | Ev::Decimal(_)
        | Ev::Date(_)
        | Ev::DateTime(_) => return Err(wrong_argument(Function::Len, value)),
    };
    number::int(i64::try_from(length).ok())
}

fn wrong_argument(function: Function, value: &Ev<'_>) -> Fault {
    Fault::new(format!("{}() does not take {}", function.text(), value.type_name()))
}
