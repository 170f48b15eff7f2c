//! The standard deviation of numbers that come one by one.
//!
//! Kept are the sums of the distances from the first number and of their squares, in [`Wide`] floats. What cancels out between the
//! two is no more than the count of the numbers, since the first is one of them: so the result is right to the last digit, or
//! to the one before. All is kept as multiples of a power of two near the largest number, so that no square is too large or
//! too small where the result is not.

use rust_decimal::Decimal;

use super::number::Number;
use super::wide::Wide;

/// The largest power of ten that is a float.
const MOST_TENS: u32 = 22;
const HALF_BITS: u32 = 48;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Spread {
    count: f64,
    first: Option<Number>,
    /// The sums are in units of two to the power of that, and of its square.
    unit: i32,
    sum: Wide,
    squares: Wide,
}

impl Spread {
    pub(super) fn add(&mut self, number: Number) {
        let unit = exponent(number.as_float());
        let first = *self.first.get_or_insert(number);
        if self.count == 0.0 {
            self.unit = unit;
        } else if unit > self.unit {
            self.enlarge(unit);
        }
        let distance = distance(first, number, -self.unit);
        self.count += 1.0;
        self.sum = self.sum + distance;
        self.squares = self.squares + distance * distance;
    }

    fn enlarge(&mut self, unit: i32) {
        let by = self.unit - unit;
        self.sum = scaled(self.sum, by);
        self.squares = scaled(scaled(self.squares, by), by);
        self.unit = unit;
    }

    /// With Bessel's correction. One number alone has none; one that is too large for a float is infinite.
    pub(super) fn deviation(&self) -> Option<f64> {
        let squares = self.squares + -(self.sum * self.sum).over(self.count);
        let root = squares.over(self.count - 1.0).root();
        (self.count > 1.0).then(|| by_power(root, self.unit))
    }
}

/// From one number to the other, by two to that power.
fn distance(from: Number, to: Number, power: i32) -> Wide {
    if let (Number::Decimal(from), Number::Decimal(to)) = (from, to)
        && let Some(distance) = to.checked_sub(from)
    {
        return scaled(of_decimal(distance), power);
    }
    scaled(wide(to), power) + -scaled(wide(from), power)
}

fn wide(number: Number) -> Wide {
    match number {
        Number::Int(_) | Number::Float(_) => Wide { high: number.as_float(), low: 0.0 },
        Number::Decimal(decimal) => of_decimal(decimal),
    }
}

fn of_decimal(decimal: Decimal) -> Wide {
    let (digits, scale) = (decimal.mantissa(), decimal.scale());
    let high = digits >> HALF_BITS;
    let low = digits - (high << HALF_BITS);
    let whole = Wide::sum(high as f64 * (1_u64 << HALF_BITS) as f64, low as f64);
    let tens = scale.min(MOST_TENS);
    whole.over(ten_to_the(tens)).over(ten_to_the(scale - tens))
}

fn ten_to_the(power: u32) -> f64 {
    10_u128.pow(power) as f64
}

/// That of the power of two at or below the number.
fn exponent(number: f64) -> i32 {
    let bits = number.abs().to_bits();
    let exponent = i32::try_from(bits >> 52).unwrap_or_default();
    match exponent {
        // Numbers too small for all 52 bits of a fraction, and zero.
        0 => -1074 + i32::try_from(bits.checked_ilog2().unwrap_or_default()).unwrap_or_default(),
        _ => exponent - 1023,
    }
}

fn scaled(number: Wide, power: i32) -> Wide {
    Wide { high: by_power(number.high, power), low: by_power(number.low, power) }
}

/// The number by two to that power, in steps that floats have.
fn by_power(mut number: f64, mut power: i32) -> f64 {
    while power.abs() > 1000 {
        let step = 1000 * power.signum();
        number *= 2_f64.powi(step);
        power -= step;
    }
    number * 2_f64.powi(power)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Table {
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        numbers: Vec<String>,
        stddev: String,
    }

    fn number(text: &str) -> Number {
        match (text.strip_prefix('d'), text.parse()) {
            (Some(decimal), _) => Number::Decimal(decimal.parse().unwrap()),
            (None, Ok(whole)) => Number::Int(whole),
            (None, Err(_)) => Number::Float(text.parse().unwrap()),
        }
    }

    fn deviation(numbers: impl Iterator<Item = Number>) -> Option<f64> {
        let mut spread = Spread::default();
        numbers.for_each(|number| spread.add(number));
        spread.deviation()
    }

    /// `tests/data/generate_stddev.py` says how the expectations were made.
    #[test]
    fn deviations_are_those_of_pythons_statistics_in_any_order() {
        let table: Table = serde_json::from_str(include_str!("../../tests/data/stddev.json")).unwrap();
        for Case { numbers, stddev } in table.cases {
            let expected: f64 = stddev.parse().unwrap();
            let numbers: Vec<_> = numbers.iter().map(|text| number(text)).collect();
            for found in [deviation(numbers.iter().copied()), deviation(numbers.iter().rev().copied())] {
                assert_eq!(found, Some(expected), "of {numbers:?}");
            }
        }
    }

    #[test]
    fn what_is_too_large_for_a_float_is_infinite_and_one_number_has_no_deviation() {
        let of = |numbers: &[f64]| deviation(numbers.iter().map(|n| Number::Float(*n)));
        assert_eq!(of(&[f64::MAX, -f64::MAX]), Some(f64::INFINITY));
        assert_eq!(of(&[f64::MAX, f64::MAX]), Some(0.0));
        assert_eq!(of(&[7.5]), None);
        assert_eq!(of(&[]), None);
    }
}
