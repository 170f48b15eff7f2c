use serde::Serialize;

use crate::{CanonicalError, ContentHash, HashVersion};

/// The canonical bytes of anything that serde can serialise.
///
/// # Errors
/// [`CanonicalError`] when some part has no canonical form.
pub fn to_canonical_vec<T: Serialize + ?Sized>(_value: &T) -> Result<Vec<u8>, CanonicalError> {
    todo!()
}

/// The hash of a value's canonical bytes.
///
/// # Errors
/// [`CanonicalError`] when some part has no canonical form.
pub fn hash_of<T: Serialize + ?Sized>(version: HashVersion, value: &T) -> Result<ContentHash, CanonicalError> {
    Ok(version.hash(&to_canonical_vec(value)?))
}
