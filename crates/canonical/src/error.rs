//! What has no canonical form, and why. Every variant names the value or key that is to blame.

use thiserror::Error;

/// Why a value has no canonical form.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CanonicalError {
    /// NaN or an infinity; JSON has no form for it (RFC 8785, 3.2.2.3).
    #[error("{0} has no canonical form: NaN and infinities are refused")]
    NonFinite(String),
    /// An integer outside +-(2^53-1), which JSON readers cannot hold exactly.
    #[error("integer {0} is beyond +-(2^53-1); keep it as text (`str`)")]
    UnsafeInteger(String),
    /// A map key that is not text.
    #[error("map keys must be text")]
    NonTextKey,
    /// Two entries of one map have the same key.
    #[error("duplicate key `{0}`")]
    DuplicateKey(String),
    /// Lists and maps inside one another beyond a bound.
    #[error("lists and maps nest deeper than {0} levels")]
    TooDeep(u32),
    /// The value's own serialiser failed.
    #[error("{0}")]
    Custom(String),
}
