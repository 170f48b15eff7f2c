//! How single values look as text: floats as Python prints them, days and moments as ISO 8601, decimals exactly.
//!
//! All writers append to a byte buffer. The forms are part of the canonical form (see `elspeth-canonical`): changing one
//! changes hashes, so the golden rows in `tests/vectors` pin them.

use std::io::Write as _;

use rust_decimal::Decimal;
use time::{Date, OffsetDateTime, UtcOffset};

/// Appends a float as Python's `repr` prints it: shortest digits that read back the same, with a fraction or an exponent
/// (`2500.0`, `0.1`, `1e+16`, `1e-05`). What is not finite is `nan`, `inf` or `-inf`.
///
/// ```
/// let mut out = Vec::new();
/// elspeth_value::write_python_float(&mut out, 2500.0);
/// assert_eq!(out, b"2500.0");
/// ```
pub fn write_python_float(out: &mut Vec<u8>, value: f64) {
    let size = value.abs();
    if size == 0.0 || (1e-4..1e16).contains(&size) {
        // Within these bounds both print plain digits with a point; outside, Python has an exponent.
        if elspeth_canonical::write_short_decimal(out, value) {
            return;
        }
        out.extend_from_slice(ryu::Buffer::new().format_finite(value).as_bytes());
    } else if value.is_finite() {
        write_with_exponent(out, value);
    } else if value.is_nan() {
        out.extend_from_slice(b"nan");
    } else {
        out.extend_from_slice(if value > 0.0 { b"inf" } else { b"-inf" });
    }
}

/// Rust prints `1.5e-7` and `1e16` where Python has a sign always and two digits at least: `1.5e-07`, `1e+16`.
fn write_with_exponent(out: &mut Vec<u8>, value: f64) {
    let start = out.len();
    write!(out, "{value:e}").expect("a Vec takes all bytes");
    let e = out[start..].iter().position(|b| *b == b'e').expect("`:e` always writes an exponent");
    let mut digits = start + e + 1;
    if out[digits] != b'-' {
        out.insert(digits, b'+');
    }
    digits += 1;
    if out.len() - digits == 1 {
        out.insert(digits, b'0');
    }
}

/// Appends `YYYY-MM-DD`.
pub(crate) fn write_date(out: &mut Vec<u8>, date: Date) {
    write!(out, "{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
        .expect("a Vec takes all bytes");
}

/// Appends RFC 3339 in UTC, in the form of Python's `isoformat`, so that a moment has the hash that the Python system
/// gives it: `2026-01-31T09:30:00+00:00`, with six digits of a second when there are any (nine when six do not do).
pub(crate) fn write_datetime(out: &mut Vec<u8>, moment: OffsetDateTime) {
    // Only a moment within a day of the calendar's ends has no UTC form; it keeps its offset.
    let utc = moment.checked_to_offset(UtcOffset::UTC).unwrap_or(moment);
    write_date(out, utc.date());
    write!(out, "T{:02}:{:02}:{:02}", utc.hour(), utc.minute(), utc.second()).expect("a Vec takes all bytes");
    match utc.nanosecond() {
        0 => {}
        nanos if nanos % 1000 == 0 => write!(out, ".{:06}", nanos / 1000).expect("a Vec takes all bytes"),
        nanos => write!(out, ".{nanos:09}").expect("a Vec takes all bytes"),
    }
    let (hours, minutes, _) = utc.offset().as_hms();
    let sign = if utc.offset().is_negative() { '-' } else { '+' };
    write!(out, "{sign}{:02}:{:02}", hours.abs(), minutes.abs()).expect("a Vec takes all bytes");
}

/// Appends a decimal with the digits that it was written with (`10.50`).
pub(crate) fn write_decimal(out: &mut Vec<u8>, value: Decimal) {
    write!(out, "{value}").expect("a Vec takes all bytes");
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = b"x".to_vec();
        write(&mut out);
        String::from_utf8(out.split_off(1)).unwrap()
    }

    #[test]
    fn what_is_not_finite_has_pythons_names() {
        for (value, text) in [(f64::NAN, "nan"), (f64::INFINITY, "inf"), (f64::NEG_INFINITY, "-inf")] {
            assert_eq!(written(|out| write_python_float(out, value)), text);
        }
    }

    proptest::proptest! {
        /// Rust prints the shortest digits as Python does, but for exponents.
        #[test]
        fn decimals_are_printed_with_the_shortest_digits(digits in 0_i64..10_i64.pow(15), places in 0..9, aside in -1_i64..=1) {
            let value: f64 = format!("{digits}e-{places}").parse().unwrap();
            let value = f64::from_bits(value.to_bits().saturating_add_signed(aside));
            if value == 0.0 || (1e-4..1e16).contains(&value) {
                proptest::prop_assert_eq!(written(|out| write_python_float(out, value)), format!("{value:?}"));
            }
        }
    }

    #[test]
    fn moments_are_written_in_utc_as_python_writes_them() {
        for (moment, text) in [
            (datetime!(2026-01-31 09:30:00 UTC), "2026-01-31T09:30:00+00:00"),
            (datetime!(2026-01-31 00:30:00 +01:00), "2026-01-30T23:30:00+00:00"),
            (datetime!(2026-01-31 09:30:00.5 -05:30), "2026-01-31T15:00:00.500000+00:00"),
            (datetime!(2026-01-31 09:30:00.000001 UTC), "2026-01-31T09:30:00.000001+00:00"),
            (datetime!(2026-01-31 09:30:00.000000001 UTC), "2026-01-31T09:30:00.000000001+00:00"),
            (datetime!(9999-12-31 23:30:00 -01:00), "9999-12-31T23:30:00-01:00"),
            (datetime!(0001-01-01 00:00:00 UTC), "0001-01-01T00:00:00+00:00"),
        ] {
            assert_eq!(written(|out| write_datetime(out, moment)), text);
        }
        assert_eq!(written(|out| write_date(out, date!(0987 - 06 - 05))), "0987-06-05");
    }

    #[test]
    fn decimals_keep_their_digits() {
        for text in ["10.50", "-0.001", "7", "79228162514264337593543950335"] {
            assert_eq!(written(|out| write_decimal(out, text.parse().unwrap())), text);
        }
    }
}
