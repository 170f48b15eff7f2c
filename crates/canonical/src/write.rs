//! The writers of single values: each appends to a byte buffer and never allocates beyond growing it.
//!
//! Anything that holds its data in its own types (rows, records) writes itself with these and [`compare_keys`]; the
//! serde route in `serialize` is for everything else. They know nothing of nesting: commas and braces are the caller's.

use std::cmp::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::CanonicalError;

/// 2^53 - 1, the largest integer whose neighbours every JSON reader can still tell apart (RFC 7493, 2.2).
pub const MAX_SAFE_INTEGER: i64 = 9_007_199_254_740_991;

/// Appends `null`.
#[inline]
pub fn write_null(out: &mut Vec<u8>) {
    out.extend_from_slice(b"null");
}

/// Appends `true` or `false`.
#[inline]
pub fn write_bool(out: &mut Vec<u8>, value: bool) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

/// Appends an integer.
///
/// # Errors
/// [`CanonicalError::UnsafeInteger`] beyond +-(2^53-1).
#[inline]
pub fn write_i64(out: &mut Vec<u8>, value: i64) -> Result<(), CanonicalError> {
    if !(-MAX_SAFE_INTEGER..=MAX_SAFE_INTEGER).contains(&value) {
        return Err(CanonicalError::UnsafeInteger(value.to_string()));
    }
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    Ok(())
}

/// Appends a number as ECMAScript prints it (RFC 8785, 3.2.2.3): `2500.0` becomes `2500`, `-0.0` becomes `0`.
///
/// # Errors
/// [`CanonicalError::NonFinite`] for NaN and infinities.
#[inline]
pub fn write_f64(out: &mut Vec<u8>, value: f64) -> Result<(), CanonicalError> {
    if !value.is_finite() {
        return Err(CanonicalError::NonFinite(value.to_string()));
    }
    // Whole numbers are common and print as integers; this also takes the sign off -0.0, as ECMAScript does.
    #[expect(clippy::cast_possible_truncation, reason = "compared with the original right below")]
    let whole = value as i64;
    #[expect(clippy::cast_precision_loss, reason = "exact within the range that is used")]
    if whole as f64 == value && whole.unsigned_abs() <= MAX_SAFE_INTEGER.unsigned_abs() {
        out.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
    } else if !write_short_decimal(out, value) {
        out.extend_from_slice(ryu_js::Buffer::new().format_finite(value).as_bytes());
    }
    Ok(())
}

/// Appends a number with one to six decimals, such as an amount of money or a score, as both ECMAScript and Python print it;
/// `false` where it is not certain that it is one, and nothing is appended.
///
/// A decimal of at most 15 digits is the only such one of the double that it reads as. Digits and power of ten are exact doubles
/// here, so that their quotient is the double that the decimal reads as: where it is `value`, no other decimal is as short.
#[inline]
pub fn write_short_decimal(out: &mut Vec<u8>, value: f64) -> bool {
    const POWERS: [(f64, u64, usize); 3] = [(1e2, 100, 2), (1e4, 10_000, 4), (1e6, 1_000_000, 6)];
    let size = value.abs();
    // Below a thousandth Python has exponents sooner than ECMAScript; from 10^9 on there could be more than 15 digits.
    if !(1e-3..1e9).contains(&size) {
        return false;
    }
    for (power, unit, places) in POWERS {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 10^15")]
        let digits = (size * power + 0.5) as u64;
        #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
        if digits as f64 / power == size {
            let (whole, mut fraction) = (digits / unit, digits % unit);
            if fraction == 0 {
                return false;
            }
            if value < 0.0 {
                out.push(b'-');
            }
            out.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
            let mut text = [b'0'; 7];
            text[0] = b'.';
            for digit in text[1..=places].iter_mut().rev() {
                *digit += u8::try_from(fraction % 10).expect("it is a digit");
                fraction /= 10;
            }
            let last = text.iter().rposition(|digit| *digit != b'0').expect("the fraction is not zero");
            out.extend_from_slice(&text[..=last]);
            return true;
        }
    }
    false
}

/// For each byte: 0 when it stands for itself, `u` when it needs `\u00xx`, else the letter of its short escape.
const ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = b'u';
        byte += 1;
    }
    table[0x08] = b'b';
    table[0x09] = b't';
    table[0x0a] = b'n';
    table[0x0c] = b'f';
    table[0x0d] = b'r';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
};

/// Appends a quoted, minimally escaped string (RFC 8785, 3.2.2.2): only `"`, `\` and control characters are escaped.
#[inline]
pub fn write_str(out: &mut Vec<u8>, value: &str) {
    let bytes = value.as_bytes();
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    let mut start = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let escape = ESCAPES[usize::from(byte)];
        if escape != 0 {
            out.extend_from_slice(&bytes[start..at]);
            write_escape(out, byte, escape);
            start = at + 1;
        }
    }
    out.extend_from_slice(&bytes[start..]);
    out.push(b'"');
}

fn write_escape(out: &mut Vec<u8>, byte: u8, escape: u8) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(&[b'\\', escape]);
    if escape == b'u' {
        out.extend_from_slice(b"00");
        out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
}

/// Appends `{"__bytes__":"<base64>"}`, standard alphabet with padding.
pub fn write_bytes(out: &mut Vec<u8>, value: &[u8]) {
    out.extend_from_slice(br#"{"__bytes__":""#);
    let start = out.len();
    out.resize(start + value.len().div_ceil(3) * 4, 0);
    let written =
        STANDARD.encode_slice(value, &mut out[start..]).expect("base64 takes 4 bytes for every 3 begun");
    out.truncate(start + written);
    out.extend_from_slice(br#""}"#);
}

/// The order of object keys: by UTF-16 code units (RFC 8785, 3.2.3).
///
/// It is the order of the UTF-8 bytes, except that U+E000..U+FFFF (whose first byte is EE or EF) come after all
/// characters beyond U+FFFF (F0..F4), which UTF-16 writes as surrogates below E000.
#[must_use]
pub fn compare_keys(a: &str, b: &str) -> Ordering {
    let rank = |byte: u8| if byte == 0xee || byte == 0xef { byte + 0x10 } else { byte };
    match a.bytes().zip(b.bytes()).find(|(x, y)| x != y) {
        Some((x, y)) => rank(x).cmp(&rank(y)),
        None => a.len().cmp(&b.len()),
    }
}
