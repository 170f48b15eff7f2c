//! Floats of twice the digits: a number as the sum of two, the second of which is what the first has lost.
//!
//! Additions and products of two floats are exact, all else has an error of about 2^-100. Source: T. J. Dekker, "A floating-point
//! technique for extending the available precision", 1971. Numbers are to be far from the limits of floats.

use std::ops::{Add, Mul, Neg};

/// See the module's documentation.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Wide {
    pub(super) high: f64,
    pub(super) low: f64,
}

/// The factor that splits 53 bits in two halves.
const HALVES: f64 = 134_217_729.0;

impl Wide {
    /// Of two floats, exactly.
    pub(super) fn sum(a: f64, b: f64) -> Self {
        let high = a + b;
        let of_b = high - a;
        Self { high, low: (a - (high - of_b)) + (b - of_b) }
    }

    fn product(a: f64, b: f64) -> Self {
        let high = a * b;
        let ((a1, a2), (b1, b2)) = (halves(a), halves(b));
        Self { high, low: ((a1 * b1 - high) + a1 * b2 + a2 * b1) + a2 * b2 }
    }

    pub(super) fn over(self, divisor: f64) -> Self {
        let high = self.high / divisor;
        let rest = self + -Self::product(high, divisor);
        Self::sum(high, rest.high / divisor)
    }

    /// The square root, as a float.
    pub(super) fn root(self) -> f64 {
        if self.high <= 0.0 {
            return 0.0;
        }
        let root = self.high.sqrt();
        let rest = self + -Self::product(root, root);
        root + rest.high / (2.0 * root)
    }
}

impl Add for Wide {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let (high, low) = (Self::sum(self.high, other.high), Self::sum(self.low, other.low));
        let all = Self::sum(high.high, high.low + low.high);
        Self::sum(all.high, all.low + low.low)
    }
}

impl Mul for Wide {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let high = Self::product(self.high, other.high);
        Self::sum(high.high, high.low + (self.high * other.low + self.low * other.high))
    }
}

impl Neg for Wide {
    type Output = Self;

    fn neg(self) -> Self {
        Self { high: -self.high, low: -self.low }
    }
}

fn halves(a: f64) -> (f64, f64) {
    let large = HALVES * a;
    let first = large - (large - a);
    (first, a - first)
}
