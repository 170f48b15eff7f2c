//! Numbers from text and from other numbers. Nothing here allocates unless it refuses.

use elspeth_canonical::MAX_SAFE_INTEGER;
use rust_decimal::Decimal;

use super::{CoerceError, quoted, refused};

/// An optional sign, digits, and a fraction that is zero (`7.0`).
pub(super) fn int(text: &str) -> Result<i64, CoerceError> {
    let (negative, unsigned) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let digits = unsigned.iter().take_while(|b| b.is_ascii_digit()).count();
    let (whole, fraction) = unsigned.split_at(digits);
    let no_fraction = match fraction {
        [] => true,
        [b'.', zeros @ ..] => !zeros.is_empty() && zeros.iter().all(|b| *b == b'0'),
        _ => false,
    };
    if digits == 0 || !no_fraction {
        return Err(refused(text, "an integer"));
    }
    let mut value: i64 = 0;
    for digit in whole {
        value = value * 10 + i64::from(digit - b'0');
        if value > MAX_SAFE_INTEGER {
            return Err(beyond(text));
        }
    }
    Ok(if negative { -value } else { value })
}

/// What Rust and Python both read as a float. Rust's grammar lies within Python's, so Rust's decides.
pub(super) fn float(text: &str) -> Result<f64, CoerceError> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        Ok(_) => Err(CoerceError(format!("{} is not a finite number", quoted(text)))),
        Err(_) => Err(refused(text, "a number")),
    }
}

/// Sign, digits and one point, as they stand: `10.50` keeps its zero.
pub(super) fn decimal(text: &str) -> Result<Decimal, CoerceError> {
    // The library also reads `1_000`.
    let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.'));
    match Decimal::from_str_exact(text) {
        Ok(value) if plain => Ok(value),
        Ok(_) | Err(_) => Err(refused(text, "a decimal number of at most 28 digits")),
    }
}

/// The decimal that was meant by a binary float, where its shortest text leaves no doubt: any decimal of up to 15
/// digits comes back from a float as it was.
pub(super) fn decimal_of_float(value: f64) -> Result<Decimal, CoerceError> {
    let text = value.to_string();
    let significant = text.bytes().filter(u8::is_ascii_digit).skip_while(|b| *b == b'0').count();
    match Decimal::from_str_exact(&text) {
        Ok(decimal) if significant <= 15 => Ok(decimal),
        Ok(_) | Err(_) => Err(CoerceError(format!("the float {value} is not exact; write decimals as text"))),
    }
}

pub(super) fn safe(value: i64) -> Result<i64, CoerceError> {
    if value.unsigned_abs() <= MAX_SAFE_INTEGER.unsigned_abs() {
        Ok(value)
    } else {
        Err(beyond(&value.to_string()))
    }
}

pub(super) fn finite(value: f64) -> Result<f64, CoerceError> {
    if value.is_finite() { Ok(value) } else { Err(CoerceError(format!("{value} is not a finite number"))) }
}

/// The integer that a float is.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "compared with the original"
)]
pub(super) fn whole(value: f64) -> Result<i64, CoerceError> {
    let int = value as i64;
    if int as f64 == value && int.unsigned_abs() <= MAX_SAFE_INTEGER.unsigned_abs() {
        Ok(int)
    } else {
        Err(CoerceError(format!("{value} is not a whole number within +-(2^53-1)")))
    }
}

fn beyond(text: &str) -> CoerceError {
    CoerceError(format!("{} is beyond +-(2^53-1); declare the field as `str`", quoted(text)))
}
