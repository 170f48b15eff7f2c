use std::sync::Arc;

use elspeth_contracts::{Step, TokenKey};
use elspeth_value::{Row, Shape, Value};
use thiserror::Error;

/// Which body: the output of `step` for `token`. The source's is step 0 of the row's first token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BodyKey {
    /// Whose.
    pub token: TokenKey,
    /// After which node.
    pub step: Step,
}

/// A body.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// A row.
    Row(Row),
    /// A refused record that is not a row.
    Opaque(Value),
}

/// Bodies of consecutive rows, encoded but not yet compressed; made by one worker.
#[derive(Debug, Default)]
pub struct BodyFragment {
    shapes: Vec<Arc<Shape>>,
    bytes: Vec<u8>,
}

/// Joins fragments of one epoch, in order, into one compressed block.
#[derive(Debug, Default)]
pub struct BlockBuilder;

/// A block that was read back.
#[derive(Debug)]
pub struct Block;

/// A block that cannot be read.
#[derive(Debug, Error)]
#[error("body block unreadable: {0}")]
pub struct PayloadError(pub String);

impl BodyFragment {
    /// Appends a row.
    pub fn push_row(&mut self, _key: BodyKey, _row: &Row) {
        let _ = (&self.shapes, &self.bytes);
        todo!()
    }

    /// Appends a refused record.
    pub fn push_opaque(&mut self, _key: BodyKey, _value: &Value) {
        todo!()
    }
}

impl BlockBuilder {
    /// Adds the next fragment.
    pub fn add(&mut self, _fragment: BodyFragment) {
        todo!()
    }

    /// The compressed block; empty when nothing was added.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        todo!()
    }
}

impl Block {
    /// Reads a block.
    ///
    /// # Errors
    /// [`PayloadError`] when it is damaged.
    pub fn read(_bytes: &[u8]) -> Result<Self, PayloadError> {
        todo!()
    }

    /// One body.
    #[must_use]
    pub fn get(&self, _key: BodyKey) -> Option<&Body> {
        todo!()
    }
}
