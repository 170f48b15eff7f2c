//! The columns of one csv output: which there are, where a row has them, and how many the records written so far have.
//!
//! A field that no row had before becomes a new last column. The records before it are shorter; [`Growth`] says which,
//! and publishing pads them. Rows are looked at one by one, so that nothing here depends on how they are cut into epochs.

use std::sync::Arc;

use compact_str::CompactString;
use elspeth_value::Shape;
use indexmap::IndexSet;
use serde::{Deserialize, Serialize};

/// Later rows do not widen a file beyond this, as many columns as spreadsheet programs show: rows whose field *names* are
/// data would else make a table of rows times rows. The first row may have more.
const MOST_BY_GROWTH: usize = 16_384;

/// Records that have fewer columns than the file will have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Growth {
    /// How many records there were when a column was added.
    pub records: u64,
    /// How many columns there were until then.
    pub columns: usize,
}

/// What says that there are no further columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    /// Nothing: new fields become columns.
    Grows,
    /// The schema, which is fixed.
    OfSchema,
    /// The header line of the file that the run appends to.
    OfFile,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Columns {
    names: IndexSet<CompactString>,
    width: Width,
    begun: bool,
    grown: Vec<Growth>,
    slots: Slots,
}

/// Where one shape of rows has the columns.
#[derive(Debug, Default)]
struct Slots {
    shape: Option<Arc<Shape>>,
    of_column: Vec<Option<usize>>,
}

impl Columns {
    /// Those of an output without records: the schema's fields.
    pub(crate) fn before_the_first(schema: impl Iterator<Item = CompactString>, width: Width) -> Self {
        Self { names: schema.collect(), width, begun: false, grown: Vec::new(), slots: Slots::default() }
    }

    /// Those of an output whose header line is written.
    pub(crate) fn begun(names: Vec<CompactString>, width: Width, grown: Vec<Growth>) -> Self {
        Self { names: names.into_iter().collect(), width, begun: true, grown, slots: Slots::default() }
    }

    /// Whether the header line is written.
    pub(crate) fn are_begun(&self) -> bool {
        self.begun
    }

    /// Their names, in order.
    pub(crate) fn names(&self) -> Vec<CompactString> {
        self.names.iter().cloned().collect()
    }

    /// Those from the one with this number on.
    pub(crate) fn from(&self, first: usize) -> impl Iterator<Item = &CompactString> {
        self.names.iter().skip(first)
    }

    /// Which records are short, oldest first.
    pub(crate) fn grown(&self) -> &[Growth] {
        &self.grown
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// Gives the columns of a file that the run appends to the names of their fields, where those of the shape tell which
    /// headers they have: some sources tell theirs with their records.
    pub(crate) fn recognise<'h>(&mut self, shape: &'h Arc<Shape>, header_of: impl Fn(&'h str) -> &'h str) {
        if self.width != Width::OfFile || self.slots.are_of(shape) {
            return;
        }
        for field in shape.names().iter().filter(|field| !self.names.contains(*field)).collect::<Vec<_>>() {
            if let Some(column) = self.names.get_index_of(header_of(field)) {
                let renamed =
                    |(n, name): (usize, CompactString)| if n == column { field.clone() } else { name };
                self.names = std::mem::take(&mut self.names).into_iter().enumerate().map(renamed).collect();
            }
        }
    }

    /// For each column the place of its value in rows of `shape`; adds columns for fields that have none.
    ///
    /// # Errors
    /// The first field that has no column, and why it gets none. Nothing is added then.
    pub(crate) fn fit(&mut self, shape: &Arc<Shape>) -> Result<(), (CompactString, String)> {
        if self.slots.are_of(shape) {
            return Ok(());
        }
        let new: Vec<_> = shape.names().iter().filter(|name| !self.names.contains(*name)).cloned().collect();
        if let Some(first) = new.first() {
            self.check_growth(new.len()).map_err(|why| (first.clone(), why))?;
        }
        self.names.extend(new);
        self.slots.look_at(shape, &self.names);
        Ok(())
    }

    /// The places that [`Columns::fit`] found.
    pub(crate) fn slots(&self) -> &[Option<usize>] {
        &self.slots.of_column
    }

    /// The row was not written: columns that only it had go again.
    pub(crate) fn back_to(&mut self, len: usize) {
        if self.names.len() > len {
            self.names.truncate(len);
            self.slots = Slots::default();
        }
    }

    /// The row was written as record number `record`, when there had been `len` columns before it.
    pub(crate) fn keep(&mut self, len: usize, record: u64) {
        if self.begun && self.names.len() > len {
            self.grown.push(Growth { records: record, columns: len });
        }
        self.begun = true;
    }

    fn check_growth(&self, by: usize) -> Result<(), String> {
        match self.width {
            Width::OfSchema => Err("the sink's schema is fixed and does not name it".to_owned()),
            Width::OfFile => Err("the file that the run appends to has none".to_owned()),
            Width::Grows if self.begun && self.names.len() + by > MOST_BY_GROWTH => Err(format!(
                "there are {} already, and later rows add none beyond {MOST_BY_GROWTH}",
                self.names.len()
            )),
            Width::Grows => Ok(()),
        }
    }
}

impl Slots {
    fn are_of(&self, shape: &Arc<Shape>) -> bool {
        self.shape.as_ref().is_some_and(|known| Arc::ptr_eq(known, shape))
    }

    fn look_at(&mut self, shape: &Arc<Shape>, columns: &IndexSet<CompactString>) {
        self.of_column.clear();
        self.of_column.resize(columns.len(), None);
        for (slot, name) in shape.names().iter().enumerate() {
            let column = columns.get_index_of(name).expect("every field of the shape has a column by now");
            self.of_column[column] = Some(slot);
        }
        self.shape = Some(Arc::clone(shape));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(names: impl IntoIterator<Item = String>) -> Arc<Shape> {
        Shape::new(names.into_iter().map(CompactString::from))
    }

    fn numbered(range: std::ops::Range<usize>) -> Arc<Shape> {
        shape(range.map(|n| format!("f{n}")))
    }

    #[test]
    fn a_row_that_is_not_written_leaves_no_column() {
        let mut columns = Columns::before_the_first(["a".into()].into_iter(), Width::Grows);
        columns.fit(&numbered(0..2)).unwrap();
        columns.back_to(1);
        assert_eq!(columns.names(), ["a"]);
        columns.fit(&shape(["b".to_owned(), "a".to_owned()])).unwrap();
        assert_eq!(columns.slots(), [Some(1), Some(0)]);
        columns.keep(1, 0);
        assert!(columns.grown().is_empty(), "the first record is as wide as its header");
        columns.fit(&numbered(0..1)).unwrap();
        columns.keep(2, 1);
        assert_eq!(columns.grown(), [Growth { records: 1, columns: 2 }]);
    }

    #[test]
    fn only_the_first_row_may_be_wider_than_any_table() {
        let mut columns = Columns::before_the_first([].into_iter(), Width::Grows);
        columns.fit(&numbered(0..MOST_BY_GROWTH + 1)).unwrap();
        columns.keep(0, 0);
        let (field, why) = columns.fit(&shape(["more".to_owned()])).unwrap_err();
        assert_eq!(field, "more");
        assert_eq!(why, "there are 16385 already, and later rows add none beyond 16384");
        columns.fit(&numbered(7..8)).unwrap();
    }
}
