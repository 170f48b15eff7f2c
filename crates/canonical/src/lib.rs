//! # Canonical JSON and content hashes
//!
//! One value, one sequence of bytes, one hash: on any machine, in any language, years later. Take this crate alone when
//! your own service has to prove that a decision, a reply or a settings file is what it was.
//!
//! The bytes are those of [RFC 8785] (the JSON Canonicalization Scheme): no blanks, keys in the order of their UTF-16
//! code units, the fewest escapes, numbers as ECMAScript prints them.
//!
//! ```
//! use elspeth_canonical::{HashVersion, hash_of, to_canonical_vec};
//! use serde::Serialize;
//!
//! #[derive(Serialize)]
//! struct Decision<'a> {
//!     claim: &'a str,
//!     amount: f64,
//!     approved: bool,
//! }
//!
//! let decision = Decision { claim: "C-881", amount: 2500.0, approved: true };
//! let bytes = to_canonical_vec(&decision)?;
//! assert_eq!(bytes, br#"{"amount":2500,"approved":true,"claim":"C-881"}"#);
//!
//! let hash = hash_of(HashVersion::Blake3V1, &decision)?;
//! assert_eq!(hash, HashVersion::Blake3V1.hash(&bytes));
//! assert_eq!(hash.to_string().len(), 64);
//! # Ok::<(), elspeth_canonical::CanonicalError>(())
//! ```
//!
//! ## What is in it
//!
//! - [`to_canonical_vec`] and [`hash_of`]: bytes and hash of anything that serde can serialise.
//! - [`HashVersion`]: which digest over which form, with its stored name; [`Hasher`] for bytes that come in pieces, [`Texts`] for
//!   many short ones.
//! - [`ContentHash`]: 32 bytes, shown and parsed as 64 hex digits.
//! - `write_*` and [`compare_keys`]: the writers of single values, for types that know their own layout and want to write
//!   themselves without serde (a row of ten fields takes a quarter of a microsecond that way).
//!
//! ## What is refused, instead of being changed in silence
//!
//! NaN and infinities; integers beyond +-(2^53-1) of any width, because other JSON readers would round them; two entries
//! with one key; map keys that are neither text nor integers (integer keys become their decimal text, as `serde_json`
//! writes them). Bytes (`serialize_bytes`) become `{"__bytes__": "<base64>"}`. `-0.0` is written `0` and `2500.0` is
//! written `2500`, as RFC 8785 wants it: keep the type elsewhere if the difference matters.
//!
//! ## The invariant
//!
//! The bytes and digests of a [`HashVersion`] never change. The vectors in `tests/vectors` pin them: RFC 8785's own, and
//! ours, which were made by other implementations. Bytes that have to change get a new version with a new name.
//!
//! The crate knows no rows, no schemas, no files and no clocks.
//!
//! [RFC 8785]: https://www.rfc-editor.org/rfc/rfc8785

mod error;
mod hash;
mod lanes;
mod many;
mod serialize;
mod write;

pub use error::CanonicalError;
pub use hash::{ContentHash, HashVersion, Hasher, ParseHashError};
pub use many::Texts;
pub use serialize::{hash_of, to_canonical_vec};
pub use write::{
    MAX_SAFE_INTEGER, compare_keys, write_bool, write_bytes, write_f64, write_i64, write_null,
    write_short_decimal, write_str,
};
