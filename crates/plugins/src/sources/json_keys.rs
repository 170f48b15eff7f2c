//! From the keys of JSON objects to field names.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use compact_str::CompactString;
use elspeth_value::{FieldResolution, FieldsGrown, Row, Shape, Value, normalise_header};

/// How many different keys are remembered. Records with ever new keys are read all the same, only slower, and those keys
/// are not part of the resolution.
const KEPT_NAMES: usize = 10_000;

/// How many orders of keys are remembered.
const KEPT_SHAPES: usize = 8;

/// The keys of one source, as far as they were seen.
#[derive(Debug, Default)]
pub(crate) struct FieldNames {
    known: HashMap<CompactString, CompactString>,
    resolution: FieldResolution,
    /// The record whose keys are looked at.
    record: u64,
    shapes: Vec<(Vec<CompactString>, Arc<Shape>)>,
}

impl FieldNames {
    /// With the resolution so far, when continuing.
    pub(crate) fn new(resolution: FieldResolution) -> Self {
        let known =
            resolution.fields.iter().map(|(key, field)| (key.as_str().into(), field.clone())).collect();
        Self { known, resolution, record: 0, shapes: Vec::new() }
    }

    /// The keys seen and what they became.
    pub(crate) fn resolution(&self) -> &FieldResolution {
        &self.resolution
    }

    /// The next keys are those of the record with this number.
    pub(crate) fn at_record(&mut self, number: u64) {
        self.record = number;
    }

    /// The row that an object is.
    ///
    /// # Errors
    /// A sentence, when a key has no letters or digits, or two keys give the same field.
    pub(crate) fn row(&mut self, entries: Vec<(CompactString, Value)>) -> Result<Row, String> {
        let keys = || entries.iter().map(|(key, _)| key);
        let known = self.shapes.iter().position(|(known, _)| known.iter().eq(keys()));
        let shape = match known {
            Some(n) => Arc::clone(&self.shapes[n].1),
            None => {
                let keys: Vec<CompactString> = keys().cloned().collect();
                let shape = self.shape(&keys)?;
                self.shapes.truncate(KEPT_SHAPES - 1);
                self.shapes.insert(0, (keys, Arc::clone(&shape)));
                shape
            }
        };
        Ok(Row::new(shape, entries.into_iter().map(|(_, value)| value).collect()))
    }

    fn shape(&mut self, keys: &[CompactString]) -> Result<Arc<Shape>, String> {
        let mut names = Vec::with_capacity(keys.len());
        let mut seen = HashSet::new();
        for key in keys {
            let Some(name) = self.name(key) else {
                return Err(format!("the key `{key}` has no letters or digits to make a field name of"));
            };
            if !seen.insert(name.clone()) {
                let same = keys.iter().filter(|k| normalise_header(k).as_ref() == Some(&name));
                let list = same.map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ");
                return Err(format!("the keys {list} give the same field name `{name}`"));
            }
            names.push(name);
        }
        Ok(Shape::new(names))
    }

    /// Before a name is added: those of the first record are known from the start.
    fn note_growth(&mut self) {
        let grown = &mut self.resolution.grown;
        if self.record > 0 && grown.last().is_none_or(|last| last.record < self.record) {
            grown.push(FieldsGrown { record: self.record, fields: self.resolution.fields.len() });
        }
    }

    fn name(&mut self, key: &CompactString) -> Option<CompactString> {
        if let Some(name) = self.known.get(key) {
            return Some(name.clone());
        }
        let name = normalise_header(key);
        // Keys without a name do not count: a run that is resumed does not know of them.
        if self.resolution.fields.len() < KEPT_NAMES
            && let Some(name) = &name
        {
            self.known.insert(key.clone(), name.clone());
            self.note_growth();
            self.resolution.fields.push((key.to_string(), name.clone()));
        }
        name
    }
}
