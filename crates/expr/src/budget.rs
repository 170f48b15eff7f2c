//! How much one evaluation may build.
//!
//! Key type: [`Budget`]. Invariant: what is left never grows. Knows nothing of what is built.

use std::cell::Cell;

use crate::fault::Fault;

/// Bytes of text and lists that one evaluation may build.
pub(crate) const EVALUATION_BYTES: usize = 1 << 20;

/// Results up to this size are computed once, when the expression is parsed.
pub(crate) const FOLD_BYTES: usize = 4 << 10;

/// What one item of a list counts for.
pub(crate) const ITEM_BYTES: usize = 32;

/// What is left of an allowance.
#[derive(Debug)]
pub(crate) struct Budget {
    left: Cell<usize>,
}

impl Budget {
    pub(crate) const fn new(bytes: usize) -> Self {
        Self { left: Cell::new(bytes) }
    }

    pub(crate) const fn left(&self) -> usize {
        self.left.get()
    }

    /// Takes `bytes` off the allowance, before they are built.
    pub(crate) fn charge(&self, bytes: usize) -> Result<(), Fault> {
        let left = self.left.get().checked_sub(bytes).ok_or_else(|| {
            Fault::new(
                "the result is too large: one evaluation builds at most 1 MiB of text and lists".to_owned(),
            )
        })?;
        self.left.set(left);
        Ok(())
    }
}
