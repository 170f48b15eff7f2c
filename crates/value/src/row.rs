use std::sync::Arc;

use compact_str::CompactString;
use elspeth_canonical::{CanonicalError, ContentHash, HashVersion};

use crate::Value;

/// The field names of rows that look alike, shared by all of them.
///
/// Holds, computed once, the canonical order of the fields and the escaped key of each.
#[derive(Debug, PartialEq, Eq)]
pub struct Shape {
    names: Box<[CompactString]>,
    canonical: Box<[(u32, Box<[u8]>)]>,
}

/// One row: a shape and a value for each of its fields.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    shape: Arc<Shape>,
    values: Vec<Value>,
}

impl Shape {
    /// A shape of distinct names, in this order.
    ///
    /// # Panics
    /// When two names are equal; callers resolve headers first.
    #[must_use]
    pub fn new(_names: impl IntoIterator<Item = CompactString>) -> Arc<Self> {
        todo!()
    }

    /// The names in order.
    #[must_use]
    pub fn names(&self) -> &[CompactString] {
        &self.names
    }

    /// The slot of `name`.
    #[must_use]
    pub fn slot(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|n| n == name)
    }
}

impl Row {
    /// A row of `shape`.
    ///
    /// # Panics
    /// When there are not as many values as names.
    #[must_use]
    pub fn new(shape: Arc<Shape>, values: Vec<Value>) -> Self {
        assert_eq!(shape.names.len(), values.len(), "a row has one value for each field of its shape");
        Self { shape, values }
    }

    /// Its shape.
    #[must_use]
    pub fn shape(&self) -> &Arc<Shape> {
        &self.shape
    }

    /// Its values, in the order of the shape's names.
    #[must_use]
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// Its values, to be changed in place.
    pub fn values_mut(&mut self) -> &mut [Value] {
        &mut self.values
    }

    /// Taken apart.
    #[must_use]
    pub fn into_parts(self) -> (Arc<Shape>, Vec<Value>) {
        (self.shape, self.values)
    }

    /// The value of a field.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.shape.slot(name).map(|slot| &self.values[slot])
    }

    /// Appends the canonical JSON object of this row.
    ///
    /// # Errors
    /// [`CanonicalError`] when some value has no canonical form; `out` is then cut back to where it was.
    pub fn write_canonical(&self, _out: &mut Vec<u8>) -> Result<(), CanonicalError> {
        todo!()
    }

    /// The hash of the canonical JSON; `scratch` is cleared and reused.
    ///
    /// # Errors
    /// [`CanonicalError`] when some value has no canonical form.
    pub fn content_hash(&self, version: HashVersion, scratch: &mut Vec<u8>) -> Result<ContentHash, CanonicalError> {
        scratch.clear();
        self.write_canonical(scratch)?;
        Ok(version.hash(scratch))
    }
}
