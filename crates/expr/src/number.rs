//! Arithmetic and comparison of numbers as Python does them.
//!
//! Key type: [`Num`]. Invariant: results are whole numbers within +-(2^53-1), finite floats, or decimals; anything else is
//! a [`Fault`]. Knows nothing of text and lists.
//!
//! Sources: "Numeric Types" of the Python library reference; `float_floor_div` and `float_rem` of CPython for signs.

use std::cmp::Ordering;
use std::str::FromStr;

use rust_decimal::Decimal;

use crate::ast::BinaryOp;
use crate::ev::Ev;
use crate::fault::Fault;

/// The largest whole number: beyond it a double skips numbers, and the record's canonical form refuses them.
pub(crate) const MAX_INT: i64 = (1 << 53) - 1;

const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

/// An operand of arithmetic.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Num {
    Int(i64),
    Float(f64),
    Decimal(Decimal),
}

impl Num {
    /// A bool is a whole number here.
    pub(crate) fn of(value: &Ev<'_>) -> Option<Self> {
        match value {
            Ev::Bool(value) => Some(Self::Int(i64::from(*value))),
            Ev::Int(value) => Some(Self::Int(*value)),
            Ev::Float(value) => Some(Self::Float(*value)),
            Ev::Decimal(value) => Some(Self::Decimal(*value)),
            Ev::None
            | Ev::Date(_)
            | Ev::DateTime(_)
            | Ev::Str(_)
            | Ev::Bytes(_)
            | Ev::Seq(..)
            | Ev::Dict(_) => None,
        }
    }

    fn is_zero(self) -> bool {
        match self {
            Self::Int(value) => value == 0,
            Self::Float(value) => value == 0.0,
            Self::Decimal(value) => value.is_zero(),
        }
    }
}

/// A whole number, if it is one that the record can hold.
pub(crate) fn int(value: Option<i64>) -> Result<Ev<'static>, Fault> {
    match value {
        Some(value) if (-MAX_INT..=MAX_INT).contains(&value) => Ok(Ev::Int(value)),
        Some(_) | None => Err(Fault::new("the whole number is beyond +-(2^53-1)")),
    }
}

/// A float, if it is one that the record can hold.
pub(crate) fn float(value: f64) -> Result<Ev<'static>, Fault> {
    if value.is_finite() {
        Ok(Ev::Float(value))
    } else {
        Err(Fault::new("the float is infinite or not a number"))
    }
}

/// `left op right`; `None` when Python has no such operation for the two types.
pub(crate) fn arithmetic(op: BinaryOp, left: Num, right: Num) -> Option<Result<Ev<'static>, Fault>> {
    let divides = matches!(op, BinaryOp::Div | BinaryOp::FloorDiv | BinaryOp::Mod);
    let decimal_with_float =
        matches!((left, right), (Num::Decimal(_), Num::Float(_)) | (Num::Float(_), Num::Decimal(_)));
    if decimal_with_float {
        return None;
    }
    if divides && right.is_zero() {
        return Some(Err(Fault::new(format!("`{}` by zero", op.text()))));
    }
    Some(match (left, right) {
        (Num::Int(left), Num::Int(right)) => int_arithmetic(op, left, right),
        (Num::Decimal(left), Num::Decimal(right)) => decimal_arithmetic(op, left, right),
        (Num::Decimal(left), Num::Int(right)) => decimal_arithmetic(op, left, right.into()),
        (Num::Int(left), Num::Decimal(right)) => decimal_arithmetic(op, left.into(), right),
        (left, right) => float(float_arithmetic(op, lossy(left), lossy(right))),
    })
}

/// As Python's `float(x)` for arithmetic that mixes whole numbers with floats; never reached by decimals.
#[expect(clippy::cast_precision_loss, reason = "rounding to nearest is what Python does")]
fn lossy(value: Num) -> f64 {
    match value {
        Num::Int(value) => value as f64,
        Num::Float(value) => value,
        Num::Decimal(value) => decimal_to_float(value),
    }
}

#[expect(clippy::cast_precision_loss, reason = "rounding to nearest is what Python does")]
fn int_arithmetic(op: BinaryOp, left: i64, right: i64) -> Result<Ev<'static>, Fault> {
    match op {
        BinaryOp::Add => int(left.checked_add(right)),
        BinaryOp::Sub => int(left.checked_sub(right)),
        BinaryOp::Mul => int(left.checked_mul(right)),
        BinaryOp::Div => float(left as f64 / right as f64),
        BinaryOp::FloorDiv => int(floor_div(left, right)),
        BinaryOp::Mod => int(floor_div(left, right).map(|quotient| left - quotient * right)),
    }
}

fn floor_div(left: i64, right: i64) -> Option<i64> {
    let quotient = left.checked_div(right)?;
    let inexact = quotient * right != left;
    Some(if inexact && (left < 0) != (right < 0) { quotient - 1 } else { quotient })
}

fn float_arithmetic(op: BinaryOp, left: f64, right: f64) -> f64 {
    match op {
        BinaryOp::Add => left + right,
        BinaryOp::Sub => left - right,
        BinaryOp::Mul => left * right,
        BinaryOp::Div => left / right,
        BinaryOp::FloorDiv => float_floor_div(left, right),
        BinaryOp::Mod => float_mod(left, right),
    }
}

fn float_mod(left: f64, right: f64) -> f64 {
    let rest = left % right;
    if rest == 0.0 {
        0.0_f64.copysign(right)
    } else if (right < 0.0) != (rest < 0.0) {
        rest + right
    } else {
        rest
    }
}

fn float_floor_div(left: f64, right: f64) -> f64 {
    let rest = left % right;
    let mut quotient = (left - rest) / right;
    if rest != 0.0 && (right < 0.0) != (rest < 0.0) {
        quotient -= 1.0;
    }
    if quotient == 0.0 {
        return 0.0_f64.copysign(left / right);
    }
    let floor = quotient.floor();
    if quotient - floor > 0.5 { floor + 1.0 } else { floor }
}

/// Decimals divide as Python's do: `//` and `%` cut towards zero there.
fn decimal_arithmetic(op: BinaryOp, left: Decimal, right: Decimal) -> Result<Ev<'static>, Fault> {
    let result = match op {
        BinaryOp::Add => left.checked_add(right),
        BinaryOp::Sub => left.checked_sub(right),
        BinaryOp::Mul => left.checked_mul(right),
        BinaryOp::Div => left.checked_div(right),
        BinaryOp::FloorDiv => left.checked_div(right).map(|quotient| quotient.trunc()),
        BinaryOp::Mod => left.checked_rem(right),
    };
    result.map(Ev::Decimal).ok_or_else(|| Fault::new("the decimal is too large"))
}

/// The order of two numbers, exact also between whole numbers and floats.
///
/// A float that meets a decimal is the number that its shortest text says (`0.1` is one tenth), because the language has
/// no decimal literals.
pub(crate) fn order(left: Num, right: Num) -> Ordering {
    match (left, right) {
        (Num::Int(left), Num::Int(right)) => left.cmp(&right),
        (Num::Float(left), Num::Float(right)) => total(left, right),
        (Num::Int(left), Num::Float(right)) => int_with_float(left, right),
        (Num::Float(left), Num::Int(right)) => int_with_float(right, left).reverse(),
        (Num::Decimal(left), Num::Decimal(right)) => left.cmp(&right),
        (Num::Decimal(left), Num::Int(right)) => left.cmp(&right.into()),
        (Num::Int(left), Num::Decimal(right)) => Decimal::from(left).cmp(&right),
        (Num::Decimal(left), Num::Float(right)) => decimal_with_float(left, right),
        (Num::Float(left), Num::Decimal(right)) => decimal_with_float(right, left).reverse(),
    }
}

fn total(left: f64, right: f64) -> Ordering {
    left.partial_cmp(&right).expect("floats of values are finite")
}

#[expect(clippy::cast_precision_loss, reason = "exact within +-2^53")]
#[expect(clippy::cast_possible_truncation, reason = "the float is within i64 there")]
fn int_with_float(left: i64, right: f64) -> Ordering {
    if (-MAX_INT..=MAX_INT).contains(&left) {
        total(left as f64, right)
    } else if right >= TWO_TO_63 {
        Ordering::Less
    } else if right < -TWO_TO_63 {
        Ordering::Greater
    } else {
        left.cmp(&(right.trunc() as i64)).then_with(|| total(0.0, right.fract()))
    }
}

fn decimal_with_float(left: Decimal, right: f64) -> Ordering {
    match Decimal::from_str_exact(&right.to_string()) {
        Ok(right) => left.cmp(&right),
        Err(_) => total(decimal_to_float(left), right),
    }
}

/// The nearest float.
pub(crate) fn decimal_to_float(value: Decimal) -> f64 {
    f64::from_str(&value.to_string()).expect("the text of a decimal is a number")
}
