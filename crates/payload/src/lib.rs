//! Row bodies: packed blocks and content-addressed files.
//!
//! The record holds hashes; what was hashed (the *bodies*: rows as they left a node, records as they were refused) lives
//! apart from it so that it can be purged without breaking the record.
//!
//! - A worker writes the bodies of its rows into a [`BodyFragment`]; a [`BlockBuilder`] joins an epoch's fragments into one
//!   compressed block, which is stored beside the epoch.
//! - Bodies whose encoding is longer than [`LARGE_BODY`] go to a [`FilesystemStore`] by hash; the block refers to them.
//! - A [`StoreKeeper`] removes bodies from the store again, when nobody puts any.
//! - [`Block::read`] takes a block apart again, and gives single bodies by [`BodyKey`].
//!
//! Invariant: when [`BlockBuilder::finish_into`] returns, every body that the block refers to is durable. Damaged bytes
//! give a [`PayloadError`], never a panic, and never make the reader reserve more than they hold.
//!
//! This crate does not know the audit record, runs, or which hash a body should have.
//!
//! ```
//! use elspeth_contracts::{RowIndex, Step, TokenKey};
//! use elspeth_payload::{Block, BlockBuilder, Body, BodyFragment, BodyKey};
//! use elspeth_value::{Row, Shape, Value};
//!
//! let row = Row::new(Shape::new(["id".into()]), vec![Value::Int(7)]);
//! let token = TokenKey::of_row(RowIndex::new(0).unwrap(), 0).unwrap();
//! let key = BodyKey { token, step: Step::SOURCE };
//!
//! let mut fragment = BodyFragment::default();
//! fragment.push_row(key, &row);
//! let mut builder = BlockBuilder::default();
//! builder.add(fragment);
//!
//! let block = Block::read(&builder.finish())?;
//! assert_eq!(block.get(key), Some(&Body::Row(row)));
//! # Ok::<(), elspeth_payload::PayloadError>(())
//! ```

mod block;
mod codec;
mod error;
mod filesystem;
mod folders;
mod fragment;
mod usage;

pub use block::{Block, BlockBuilder, BodyRef};
pub use error::PayloadError;
pub use filesystem::{FilesystemStore, LargeBodies};
pub use fragment::{Body, BodyFragment, BodyKey, LARGE_BODY, address};
pub use usage::{NotedRecord, StoreKeeper};
