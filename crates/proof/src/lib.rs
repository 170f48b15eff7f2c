//! # Proofs of a record
//!
//! What somebody needs who holds a receipt, a head or a key and nothing else: no database, no operating system. The crate is
//! `no_std` and allocates; the prover and the verifiers use the same code.
//!
//! - [`merkle`]: trees of the shape of RFC 9162, proofs that leaves are in them and that one continues another.
//! - [`PublicKey`], [`SecretKey`], [`Note`], [`Checkpoint`]: Ed25519 keys, signed notes and heads of logs, in the forms of
//!   C2SP and Go's `sumdb/note`.
//! - [`Receipt`]: everything about one row, up to a signed head; [`Consistency`]: that a log was only appended to. Both are checked
//!   against a [`Trust`]: keys, those that took their place ([`Succession`]), and heads that were remembered.
//! - [`Record`]: the records that leaves are made of, as bytes and as JSON; [`Json`]: RFC 8785, and nothing else.
//!
//! ```
//! use elspeth_proof::{Checkpoint, Digest, Note, SecretKey, merkle};
//!
//! let entries = ["the first entry", "the second"];
//! let mut tree = merkle::Tree::new(Digest::Sha256);
//! for entry in entries {
//!     tree.push(Digest::Sha256.leaf(entry.as_bytes()));
//! }
//! let head = Checkpoint { origin: "example.org/log".into(), size: tree.size(), root: tree.root() };
//! let key = SecretKey::from_seed("example.org/log", &[7; 32]).unwrap();
//! let mut note = Note::new(&head.to_string()).unwrap();
//! note.sign(&key);
//! assert!(note.verify(&[key.public().clone()]).is_ok());
//! ```
//!
//! Invariant: what is accepted has exactly one form. A text that is read (a key, a note, a head) is the one that printing it gives,
//! so no changed byte passes because a reader was lenient.
//!
//! The crate does not know where a record is stored, whom to trust, what time it is, or where randomness comes from.

#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod checkpoint;
mod consistency;
mod hash;
mod json;
mod key;
pub mod merkle;
mod note;
mod printable;
mod receipt;
mod record;
mod shape;
mod succession;
mod token;
mod trust;

pub use checkpoint::{BadCheckpoint, Checkpoint};
pub use consistency::{BadConsistency, Consistency, Continued};
pub use hash::{Digest, Hash};
pub use json::{BadJson, Json};
pub use key::{BadKey, KeyId, PublicKey, SecretKey};
pub use note::{BadNote, Note, NoteSignature};
pub use printable::{printable, printable_lines};
pub use receipt::{Decisions, Leaf, Leaves, Place, Position, Receipt, Refusal, Release, Story};
pub use record::{BadRecord, Field, Form, Kind, Reason, Record, Value};
pub use shape::BadShape;
pub use succession::{BadSuccession, Succession};
pub use token::Token;
pub use trust::{BadHead, Trust, Vouched};
