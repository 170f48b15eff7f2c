use std::sync::Arc;

use compact_str::CompactString;
use elspeth_canonical::{CanonicalError, ContentHash, HashVersion, compare_keys, write_str};

use crate::{Map, Value};

/// The field names of rows that look alike, shared by all of them.
///
/// Holds, computed once, the canonical order of the fields and the escaped key of each.
#[derive(Debug, PartialEq, Eq)]
pub struct Shape {
    names: Box<[CompactString]>,
    /// Slots in canonical order, each with the bytes before its value: `{` or `,`, the escaped key, `:`.
    canonical: Box<[(usize, Box<[u8]>)]>,
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
    pub fn new(names: impl IntoIterator<Item = CompactString>) -> Arc<Self> {
        let names: Box<[CompactString]> = names.into_iter().collect();
        let mut order: Vec<usize> = (0..names.len()).collect();
        order.sort_by(|a, b| compare_keys(&names[*a], &names[*b]));
        for pair in order.windows(2) {
            assert_ne!(names[pair[0]], names[pair[1]], "the fields of a shape have distinct names");
        }
        let canonical = order
            .into_iter()
            .enumerate()
            .map(|(at, slot)| {
                let mut key = vec![if at == 0 { b'{' } else { b',' }];
                write_str(&mut key, &names[slot]);
                key.push(b':');
                (slot, key.into_boxed_slice())
            })
            .collect();
        Arc::new(Self { names, canonical })
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
    pub fn write_canonical(&self, out: &mut Vec<u8>) -> Result<(), CanonicalError> {
        let start = out.len();
        for (slot, key) in &self.shape.canonical {
            out.extend_from_slice(key);
            if let Err(error) = self.values[*slot].write_canonical(out) {
                out.truncate(start);
                return Err(error);
            }
        }
        if self.values.is_empty() {
            out.push(b'{');
        }
        out.push(b'}');
        Ok(())
    }

    /// Appends the row as a JSON object for people and sinks, in field order (see [`Value::write_json`]).
    pub fn write_json(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        for (at, (name, value)) in self.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            write_str(out, name);
            out.push(b':');
            value.write_json(out);
        }
        out.push(b'}');
    }

    /// The row as a JSON object in field order.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::Value::Object(self.iter().map(|(name, value)| (name.to_owned(), value.to_json())).collect())
    }

    /// A row of these fields; of two with one name the later counts.
    #[must_use]
    pub fn from_pairs(pairs: impl IntoIterator<Item = (CompactString, Value)>) -> Self {
        let (names, values): (Vec<_>, Vec<_>) = pairs.into_iter().collect::<Map>().into_entries().into_iter().unzip();
        Self { shape: Shape::new(names), values }
    }

    /// Fields in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.shape.names.iter().map(CompactString::as_str).zip(&self.values)
    }

    /// Sets a field: in its place when it is there, else behind all others.
    pub fn set(&mut self, name: &str, value: Value) {
        if let Some(slot) = self.shape.slot(name) {
            self.values[slot] = value;
        } else {
            self.shape = Shape::new(self.shape.names.iter().cloned().chain([name.into()]));
            self.values.push(value);
        }
    }

    /// Takes a field out.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let slot = self.shape.slot(name)?;
        self.shape = Shape::new(self.shape.names.iter().filter(|n| *n != name).cloned());
        Some(self.values.remove(slot))
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
