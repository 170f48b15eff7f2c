//! Rows: values in the slots of a shape that all rows of one kind share.
//!
//! A [`Shape`] computes once what every row of it needs: the canonical order of the fields and their escaped keys. That
//! makes writing a row's canonical bytes a plain walk without sorting, escaping or allocation. A row always has exactly
//! one value for each field of its shape. Shapes know no types; those are the contract's.

use std::sync::{Arc, Mutex, PoisonError};

use compact_str::CompactString;
use elspeth_canonical::{CanonicalError, ContentHash, HashVersion, compare_keys, write_str};
use elspeth_phases::{Phase, within};

use crate::{Map, Value};

/// How many shapes one shape remembers that were made of it by [`Row::set`] and [`Row::remove`].
const REMEMBERED: usize = 16;

/// The field names of rows that look alike, shared by all of them.
///
/// Holds, computed once, the canonical order of the fields and the escaped key of each.
#[derive(Debug)]
pub struct Shape {
    names: Box<[CompactString]>,
    /// By slot, the bytes before its value: `,`, the escaped name, `:`.
    keys: Box<[Box<[u8]>]>,
    /// The slots in canonical order.
    canonical: Box<[usize]>,
    /// Shapes with one field more or less. Rows of one shape that are changed alike so share their new shape too.
    derived: Mutex<Vec<(Change, Arc<Shape>)>>,
}

/// What makes one shape of another.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Change {
    Append(CompactString),
    Remove(usize),
}

/// One row: a shape and a value for each of its fields.
#[derive(Debug, Clone)]
pub struct Row {
    shape: Arc<Shape>,
    values: Vec<Value>,
}

impl PartialEq for Shape {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other) || self.names == other.names
    }
}

impl Eq for Shape {}

impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        *self.shape == *other.shape && self.values == other.values
    }
}

impl Shape {
    /// A shape of distinct names, in this order.
    ///
    /// # Panics
    /// When two names are equal; callers resolve headers first.
    #[must_use]
    pub fn new(names: impl IntoIterator<Item = CompactString>) -> Arc<Self> {
        let names: Box<[CompactString]> = names.into_iter().collect();
        let mut canonical: Box<[usize]> = (0..names.len()).collect();
        canonical.sort_by(|a, b| compare_keys(&names[*a], &names[*b]));
        for pair in canonical.windows(2) {
            assert_ne!(names[pair[0]], names[pair[1]], "the fields of a shape have distinct names");
        }
        let keys = names.iter().map(|name| key_bytes(name)).collect();
        Arc::new(Self { names, keys, canonical, derived: Mutex::default() })
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

    /// The slot of `name`, looked for at `hint` first: contracts and rows mostly have their fields in one order.
    pub(crate) fn slot_near(&self, hint: usize, name: &str) -> Option<usize> {
        if self.names.get(hint).is_some_and(|n| n == name) { Some(hint) } else { self.slot(name) }
    }

    fn changed(&self, change: Change) -> Arc<Self> {
        let mut derived = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, shape)) = derived.iter().find(|(known, _)| *known == change) {
            return Arc::clone(shape);
        }
        let mut names = self.names.to_vec();
        match &change {
            Change::Append(name) => names.push(name.clone()),
            Change::Remove(slot) => {
                names.remove(*slot);
            }
        }
        let shape = Self::new(names);
        if derived.len() < REMEMBERED {
            derived.push((change, Arc::clone(&shape)));
        }
        shape
    }
}

fn key_bytes(name: &str) -> Box<[u8]> {
    let mut bytes = vec![b','];
    write_str(&mut bytes, name);
    bytes.push(b':');
    bytes.into_boxed_slice()
}

/// Turns what was appended since `start`, entries with a comma before each, into an object.
fn close_object(out: &mut Vec<u8>, start: usize) {
    match out.get_mut(start) {
        Some(first_comma) => *first_comma = b'{',
        None => out.push(b'{'),
    }
    out.push(b'}');
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
        for slot in &self.shape.canonical {
            out.extend_from_slice(&self.shape.keys[*slot]);
            if let Err(error) = self.values[*slot].write_canonical(out) {
                out.truncate(start);
                return Err(error);
            }
        }
        close_object(out, start);
        Ok(())
    }

    /// Appends the row as a JSON object for people and sinks, in field order (see [`Value::write_json`]).
    pub fn write_json(&self, out: &mut Vec<u8>) {
        let start = out.len();
        for (key, value) in self.shape.keys.iter().zip(&self.values) {
            out.extend_from_slice(key);
            value.write_json(out);
        }
        close_object(out, start);
    }

    /// The row as a JSON object in field order.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::Value::Object(
            self.iter().map(|(name, value)| (name.to_owned(), value.to_json())).collect(),
        )
    }

    /// A row of these fields; of two with one name the later counts.
    #[must_use]
    pub fn from_pairs(pairs: impl IntoIterator<Item = (CompactString, Value)>) -> Self {
        let (names, values): (Vec<_>, Vec<_>) =
            pairs.into_iter().collect::<Map>().into_entries().into_iter().unzip();
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
            self.shape = self.shape.changed(Change::Append(name.into()));
            self.values.push(value);
        }
    }

    /// Takes a field out.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let slot = self.shape.slot(name)?;
        self.shape = self.shape.changed(Change::Remove(slot));
        Some(self.values.remove(slot))
    }

    /// The hash of the canonical JSON; `scratch` is cleared and reused.
    ///
    /// # Errors
    /// [`CanonicalError`] when some value has no canonical form.
    pub fn content_hash(
        &self,
        version: HashVersion,
        scratch: &mut Vec<u8>,
    ) -> Result<ContentHash, CanonicalError> {
        scratch.clear();
        within(Phase::Canonical, || self.write_canonical(scratch))?;
        Ok(within(Phase::Hash, || version.hash(scratch)))
    }
}
