use thiserror::Error;

use crate::{FieldType, Value};

/// Why a value could not be taken as the declared type. The message quotes at most 40 characters of the value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct CoerceError(pub String);

/// Reads a text cell as `ty`. Blank cells are the caller's (null or missing) except for `str`.
///
/// # Errors
/// [`CoerceError`] when the text is not of that type.
pub fn coerce_text(_ty: FieldType, _text: &str) -> Result<Value, CoerceError> {
    todo!()
}

/// Takes an already parsed value (JSON) as `ty`.
///
/// # Errors
/// [`CoerceError`] when it is not of that type and cannot be taken as it without loss.
pub fn coerce_value(_ty: FieldType, _value: Value) -> Result<Value, CoerceError> {
    todo!()
}
