//! The registry: one append-only log for all runs of a database, which makes it visible when a run, the end of the log, a
//! purge or a resumption is taken away. `docs/evidence-format.md` defines entries and heads byte for byte.
//!
//! - An [`Entry`] tells of one thing that was done, and is appended in the very transaction in which it was done.
//! - [`Log`] is the log as far as it goes: a Merkle tree of the shape of RFC 9162 over the entries' texts, of which a store
//!   keeps the frontier beside each entry, so that appending costs no more than the logarithm of its length.
//! - [`Keys`] says which keys may sign its heads, by what the entries say of keys.
//!
//! Invariant: an entry's text is its RFC 8785 form; [`Entry::read`] refuses every other text, so that what is hashed and what
//! is understood are the same.

mod as_text;
mod entry;
mod keys;
mod log;

pub use entry::{
    Begun, Entry, Imported, KeyAdded, KeyRevoked, Opened, PurgeRequested, Purged, RunHead, Sealed, TakenUp,
    TreeHead,
};
pub use keys::{Admission, KeyRefused, Keys, KnownKey};
pub use log::{Appended, Log, Signer};

#[cfg(test)]
mod tests;
