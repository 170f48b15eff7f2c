//! The file that an answer goes to: heads, receipts, proofs.

use std::path::{Path, PathBuf};

use elspeth_landscape::export::{unused, write_new};

use crate::AppError;

/// A file that is to be. Nothing is ever replaced by it.
#[derive(Debug)]
pub struct NewFile(PathBuf);

impl NewFile {
    /// Looks whether the name is free, before there is anything to write.
    ///
    /// # Errors
    /// [`AppError`] when something is there.
    pub fn at(path: &Path) -> Result<Self, AppError> {
        unused(path)?;
        Ok(Self(path.to_owned()))
    }

    /// Writes it; it appears when it is whole and durable.
    ///
    /// # Errors
    /// [`AppError`] when something came there meanwhile, or it cannot be written.
    pub fn write(self, text: &str) -> Result<(), AppError> {
        Ok(write_new(&self.0, text)?)
    }
}
