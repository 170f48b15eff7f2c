//! Numbers of members, and their sums.
//!
//! Integers and decimals are added exactly. Floats are added in the order of the members with the rounding errors carried
//! along (Neumaier's variant of Kahan's sum), so that a million small amounts do not drift. Where a float is among the
//! numbers, their sum is a float; else, where a decimal is, a decimal.

use std::cmp::Ordering;

use elspeth_canonical::MAX_SAFE_INTEGER;
use elspeth_value::Value;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

/// The number that a member has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    Int(i64),
    Float(f64),
    Decimal(Decimal),
}

impl Number {
    /// The number, if the value is one; truth values are none.
    pub(super) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Int(n) => Some(Self::Int(*n)),
            Value::Float(n) => Some(Self::Float(*n)),
            Value::Decimal(n) => Some(Self::Decimal(*n)),
            Value::Null
            | Value::Bool(_)
            | Value::Str(_)
            | Value::Date(_)
            | Value::DateTime(_)
            | Value::Bytes(_)
            | Value::List(_)
            | Value::Map(_) => None,
        }
    }

    /// The nearest float.
    pub(super) fn as_float(self) -> f64 {
        match self {
            Self::Int(n) => n as f64,
            Self::Float(n) => n,
            Self::Decimal(n) => n.to_f64().unwrap_or(f64::NAN),
        }
    }

    pub(super) fn value(self) -> Value {
        match self {
            Self::Int(n) => Value::Int(n),
            Self::Float(n) => Value::Float(n),
            Self::Decimal(n) => Value::Decimal(n),
        }
    }

    /// Exact between numbers of one type and between integers and decimals.
    pub(super) fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a.cmp(&b),
            (Self::Decimal(a), Self::Decimal(b)) => a.cmp(&b),
            (Self::Int(a), Self::Decimal(b)) => Decimal::from(a).cmp(&b),
            (Self::Decimal(a), Self::Int(b)) => a.cmp(&Decimal::from(b)),
            (Self::Float(_), _) | (_, Self::Float(_)) => {
                self.as_float().partial_cmp(&other.as_float()).unwrap_or(Ordering::Equal)
            }
        }
    }
}

/// A sum that goes on.
#[derive(Debug, Clone, Default)]
pub(super) struct Sum {
    count: u64,
    ints: i128,
    /// `None` where they have become too large.
    decimals: Option<Decimal>,
    decimal_count: u64,
    floats: f64,
    /// What the additions of floats have lost.
    lost: f64,
    float_count: u64,
}

/// A sum that the record cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLarge;

impl Sum {
    pub(super) fn add(&mut self, number: Number) {
        self.count += 1;
        match number {
            Number::Int(n) => self.ints += i128::from(n),
            Number::Decimal(n) => {
                let before = if self.decimal_count == 0 { Some(Decimal::ZERO) } else { self.decimals };
                self.decimals = before.and_then(|sum| sum.checked_add(n));
                self.decimal_count += 1;
            }
            Number::Float(n) => self.add_float(n),
        }
    }

    fn add_float(&mut self, n: f64) {
        let sum = self.floats + n;
        let (large, small) = if self.floats.abs() >= n.abs() { (self.floats, n) } else { (n, self.floats) };
        self.lost += (large - sum) + small;
        self.floats = sum;
        self.float_count += 1;
    }

    /// How many numbers were added.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The sum.
    pub(super) fn total(&self) -> Result<Number, TooLarge> {
        if self.float_count > 0 {
            return finite(self.float_total()).map(Number::Float);
        }
        if self.decimal_count > 0 {
            return self.decimal_total().map(Number::Decimal).ok_or(TooLarge);
        }
        let safe = i64::try_from(self.ints).ok().filter(|n| n.abs() <= MAX_SAFE_INTEGER);
        safe.map(Number::Int).ok_or(TooLarge)
    }

    /// The sum divided by the count; of integers a float.
    pub(super) fn mean(&self) -> Result<Number, TooLarge> {
        match self.total()? {
            Number::Int(n) => Ok(Number::Float(n as f64 / self.count as f64)),
            Number::Float(n) => finite(n / self.count as f64).map(Number::Float),
            Number::Decimal(n) => {
                n.checked_div(Decimal::from(self.count)).map(Number::Decimal).ok_or(TooLarge)
            }
        }
    }

    /// How far a sum of that type can go, and what to do where that is not enough.
    pub(super) fn limit(&self) -> String {
        if self.float_count > 0 {
            return format!("floats go to {:e}; use smaller batches, or smaller units", f64::MAX);
        }
        let most = match self.decimal_count {
            0 => format!("integers go to {MAX_SAFE_INTEGER}"),
            _ => "decimals have 28 digits".to_owned(),
        };
        format!("{most}; use smaller batches, or make the field a float before")
    }

    fn float_total(&self) -> f64 {
        let decimals = match self.decimal_count {
            0 => 0.0,
            _ => self.decimals.and_then(|sum| sum.to_f64()).unwrap_or(f64::NAN),
        };
        self.floats + self.lost + (self.ints as f64 + decimals)
    }

    fn decimal_total(&self) -> Option<Decimal> {
        let ints = Decimal::try_from_i128_with_scale(self.ints, 0).ok()?;
        self.decimals?.checked_add(ints)
    }
}

fn finite(number: f64) -> Result<f64, TooLarge> {
    if number.is_finite() { Ok(number) } else { Err(TooLarge) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(numbers: &[Number]) -> Sum {
        let mut sum = Sum::default();
        numbers.iter().for_each(|n| sum.add(*n));
        sum
    }

    fn decimal(text: &str) -> Number {
        Number::Decimal(text.parse().unwrap())
    }

    #[test]
    fn integers_and_decimals_add_exactly_and_floats_without_drift() {
        use Number::{Float, Int};
        let cases = [
            (vec![Int(1), Int(2), Int(4)], Ok(Int(7))),
            (
                vec![Int(MAX_SAFE_INTEGER), Int(-1), Int(MAX_SAFE_INTEGER), Int(-MAX_SAFE_INTEGER)],
                Ok(Int(MAX_SAFE_INTEGER - 1)),
            ),
            (vec![Int(MAX_SAFE_INTEGER), Int(1)], Err(TooLarge)),
            (vec![Float(0.1); 10], Ok(Float(1.0))),
            (vec![Float(1e100), Float(1.0), Float(-1e100)], Ok(Float(1.0))),
            (vec![Float(f64::MAX), Float(f64::MAX)], Err(TooLarge)),
            (vec![Int(1), Float(0.5)], Ok(Float(1.5))),
            (vec![decimal("0.10"), decimal("0.20"), Int(1)], Ok(decimal("1.30"))),
            (vec![decimal("0.5"), Float(0.25)], Ok(Float(0.75))),
            (vec![decimal("79228162514264337593543950335"), decimal("1")], Err(TooLarge)),
        ];
        for (numbers, total) in cases {
            assert_eq!(sum(&numbers).total(), total, "the sum of {numbers:?}");
        }
    }

    #[test]
    fn the_mean_of_integers_is_a_float_and_that_of_decimals_a_decimal() {
        assert_eq!(sum(&[Number::Int(1), Number::Int(2)]).mean(), Ok(Number::Float(1.5)));
        assert_eq!(sum(&[decimal("1.00"), decimal("2.50")]).mean(), Ok(decimal("1.75")));
    }

    #[test]
    fn numbers_of_different_types_compare_by_their_value() {
        let ordered =
            [Number::Int(-3), Number::Float(-2.5), decimal("0.1"), Number::Int(1), Number::Float(1.5)];
        for (n, a) in ordered.iter().enumerate() {
            for (m, b) in ordered.iter().enumerate() {
                assert_eq!(a.compare(*b), n.cmp(&m), "{a:?} against {b:?}");
            }
        }
    }
}
