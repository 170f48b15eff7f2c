use std::cmp::Ordering;

use crate::CanonicalError;

/// 2^53 - 1.
pub const MAX_SAFE_INTEGER: i64 = 9_007_199_254_740_991;

/// Appends `null`.
pub fn write_null(_out: &mut Vec<u8>) {
    todo!()
}

/// Appends `true` or `false`.
pub fn write_bool(_out: &mut Vec<u8>, _value: bool) {
    todo!()
}

/// Appends an integer.
///
/// # Errors
/// [`CanonicalError::UnsafeInteger`] beyond +-(2^53-1).
pub fn write_i64(_out: &mut Vec<u8>, _value: i64) -> Result<(), CanonicalError> {
    todo!()
}

/// Appends a number as ECMAScript prints it.
///
/// # Errors
/// [`CanonicalError::NonFinite`] for NaN and infinities.
pub fn write_f64(_out: &mut Vec<u8>, _value: f64) -> Result<(), CanonicalError> {
    todo!()
}

/// Appends a quoted, minimally escaped string.
pub fn write_str(_out: &mut Vec<u8>, _value: &str) {
    todo!()
}

/// Appends `{"__bytes__":"<base64>"}`.
pub fn write_bytes(_out: &mut Vec<u8>, _value: &[u8]) {
    todo!()
}

/// The order of object keys: by UTF-16 code units (RFC 8785, 3.2.3).
#[must_use]
pub fn compare_keys(_a: &str, _b: &str) -> Ordering {
    todo!()
}
