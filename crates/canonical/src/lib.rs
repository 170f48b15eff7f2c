//! Canonical JSON bytes (RFC 8785) and versioned content hashes.

mod error;
mod hash;
mod serialize;
mod write;

pub use error::CanonicalError;
pub use hash::{ContentHash, HashVersion, Hasher, ParseHashError};
pub use serialize::{hash_of, to_canonical_vec};
pub use write::{
    MAX_SAFE_INTEGER, compare_keys, write_bool, write_bytes, write_f64, write_i64, write_null, write_str,
};
