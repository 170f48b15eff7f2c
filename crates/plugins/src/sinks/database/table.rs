//! The columns of the table that is written, and which of them the rows of one shape fill.
//!
//! A table that the run itself made grows with the rows: a field that comes for the first time becomes a column behind the
//! others, with the type of its first value. That way its columns depend on rows and their order and not on epochs. A
//! table that was there before is somebody's own; its columns stay, and a row with another field is refused.

use std::collections::HashMap;
use std::sync::Arc;

use elspeth_contracts::{ErrorReason, FailureKind};
use elspeth_value::{Contract, Row, SchemaMode, Shape};

use super::column::{Column, Origin};
use super::dialect::Dialect;
use crate::sql_name::quoted;

/// Shapes of rows that are remembered.
const REMEMBERED: usize = 256;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Table {
    dialect: Dialect,
    pub(super) name: String,
    columns: Vec<Column>,
    /// How many of the columns are in the database; 0 when there is no table yet.
    stored: usize,
    grows: bool,
    /// By the address of the shape.
    layouts: HashMap<usize, Remembered>,
}

/// The shape is kept, so that no other one can get its address.
#[derive(Debug)]
struct Remembered {
    _shape: Arc<Shape>,
    layout: Result<Arc<Layout>, ErrorReason>,
}

/// What rows of one shape fill.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// By slot of the row, the number of its column.
    pub(super) columns: Vec<usize>,
    /// The statement; for SQLite without its values.
    pub(super) insert: String,
}

impl Table {
    /// A table that is in the database; `grows` when this run made it.
    pub(super) fn existing(dialect: Dialect, name: &str, columns: Vec<Column>, grows: bool) -> Self {
        let stored = columns.len();
        Self { dialect, name: name.to_owned(), columns, stored, grows, layouts: HashMap::new() }
    }

    /// A table that is yet to be made, with a column for each field of the schema.
    pub(super) fn planned(dialect: Dialect, name: &str, contract: &Contract) -> Self {
        let mut table = Self::existing(dialect, name, declared(dialect, contract), true);
        table.stored = 0;
        table
    }

    pub(super) fn column(&self, number: usize) -> &Column {
        &self.columns[number]
    }

    /// Whether this run made it.
    pub(super) fn grows(&self) -> bool {
        self.grows
    }

    /// Whether it is in the database.
    pub(super) fn is_stored(&self) -> bool {
        self.stored > 0
    }

    /// Which columns a row fills, and whether they take its values. New fields become columns where the table grows.
    ///
    /// # Errors
    /// The row's refusal.
    pub(super) fn admit(&mut self, row: &Row) -> Result<Arc<Layout>, ErrorReason> {
        let layout = self.layout(row)?;
        for (number, (name, value)) in layout.columns.iter().zip(row.iter()) {
            self.columns[*number]
                .check(value)
                .map_err(|why| ErrorReason::new(FailureKind::SinkRefused, why).on_field(name))?;
        }
        Ok(layout)
    }

    fn layout(&mut self, row: &Row) -> Result<Arc<Layout>, ErrorReason> {
        let address = Arc::as_ptr(row.shape()).addr();
        if let Some(known) = self.layouts.get(&address) {
            return known.layout.clone();
        }
        let layout = self.new_layout(row);
        if self.layouts.len() >= REMEMBERED {
            self.layouts.clear();
        }
        let remembered = Remembered { _shape: Arc::clone(row.shape()), layout: layout.clone() };
        self.layouts.insert(address, remembered);
        layout
    }

    fn new_layout(&mut self, row: &Row) -> Result<Arc<Layout>, ErrorReason> {
        let names = row.shape().names();
        check_names(self.dialect, names.iter().map(|name| name.as_str()))
            .map_err(|(field, why)| ErrorReason::new(FailureKind::SinkRefused, why).on_field(field))?;
        let found: Vec<_> = names.iter().map(|name| self.find(name)).collect();
        let missing: Vec<_> = (0..names.len()).filter(|slot| found[*slot].is_none()).collect();
        self.check_growth(missing.first().map(|slot| names[*slot].as_str()), missing.len())?;
        let learnt =
            missing.iter().map(|slot| Column::learn(self.dialect, &names[*slot], &row.values()[*slot]));
        self.columns.extend(learnt);
        let columns: Vec<_> = names.iter().filter_map(|name| self.find(name)).collect();
        Ok(Arc::new(Layout { insert: self.insert(&columns), columns }))
    }

    fn check_growth(&self, field: Option<&str>, more: usize) -> Result<(), ErrorReason> {
        let Some(field) = field else {
            return match self.columns.is_empty() {
                true => Err(refusal("the row has no fields, and the table has no columns yet".to_owned())),
                false => Ok(()),
            };
        };
        if !self.grows {
            let message = format!(
                "the table `{}` has no column `{field}`; add it to the table, or take the field out before",
                self.name
            );
            return Err(refusal(message).on_field(field));
        }
        let most = self.dialect.most_columns();
        if self.columns.len() + more > most {
            let message = format!(
                "there is no place for a column `{field}`: a table has at most {most}, and the table `{}` has {}",
                self.name,
                self.columns.len()
            );
            return Err(refusal(message).on_field(field));
        }
        Ok(())
    }

    fn find(&self, name: &str) -> Option<usize> {
        find(&self.columns, name)
    }

    fn insert(&self, columns: &[usize]) -> String {
        let names: Vec<_> = columns.iter().map(|number| quoted(&self.columns[*number].name)).collect();
        match names.as_slice() {
            [] => format!("INSERT INTO {} DEFAULT VALUES", quoted(&self.name)),
            _ => {
                format!("INSERT INTO {} ({}) {}", quoted(&self.name), names.join(", "), self.values(columns))
            }
        }
    }

    /// Where the values come from: for SQLite they are still to be added.
    fn values(&self, columns: &[usize]) -> String {
        if self.dialect == Dialect::Sqlite {
            return "VALUES ".to_owned();
        }
        let each = |form: &dyn Fn(usize, &Column) -> String| {
            let parts = columns.iter().enumerate().map(|(slot, number)| form(slot, &self.columns[*number]));
            parts.collect::<Vec<_>>().join(", ")
        };
        format!(
            "SELECT {} FROM unnest({}) WITH ORDINALITY AS v({}, n) ORDER BY v.n",
            each(&|slot, column| format!("v.c{slot}::{}", column.cast)),
            each(&|slot, _| format!("${}::text[]", slot + 1)),
            each(&|slot, _| format!("c{slot}")),
        )
    }

    /// The statements that bring the columns into the database which are not there yet. From then on they count as there.
    pub(super) fn grow(&mut self) -> Vec<String> {
        let table = quoted(&self.name);
        let new = &self.columns[self.stored..];
        let statements = match self.stored {
            _ if new.is_empty() => Vec::new(),
            0 => {
                let columns: Vec<_> = new.iter().map(Column::definition).collect();
                vec![format!("CREATE TABLE {table} ({})", columns.join(", "))]
            }
            _ => new.iter().map(|c| format!("ALTER TABLE {table} ADD COLUMN {}", c.definition())).collect(),
        };
        self.stored = self.columns.len();
        statements
    }
}

fn refusal(message: String) -> ErrorReason {
    ErrorReason::new(FailureKind::SinkRefused, message)
}

/// Columns are found whatever the case of their letters, as SQLite does; the very name comes first.
fn find(columns: &[Column], name: &str) -> Option<usize> {
    let exact = columns.iter().position(|column| column.name == name);
    exact.or_else(|| columns.iter().position(|column| column.name.eq_ignore_ascii_case(name)))
}

/// Columns for the fields of a schema, in their order.
fn declared(dialect: Dialect, contract: &Contract) -> Vec<Column> {
    let fields = contract.fields.iter();
    fields.map(|field| Column::declare(dialect, &field.name, field.ty, field.required)).collect()
}

/// Whether these can be the columns of one table.
///
/// # Errors
/// The first name that cannot, and why.
pub(super) fn check_names<'n>(
    dialect: Dialect,
    names: impl Iterator<Item = &'n str>,
) -> Result<(), (&'n str, String)> {
    let mut seen: HashMap<String, &str> = HashMap::new();
    for name in names {
        if let Some(why) = dialect.unusable(name) {
            return Err((
                name,
                format!("the field `{}` cannot be a column: its name {why}", name.escape_debug()),
            ));
        }
        if let Some(other) = seen.insert(name.to_ascii_lowercase(), name) {
            let why = format!(
                "the fields `{other}` and `{name}` would be one column: a database does not tell the case of letters apart"
            );
            return Err((name, why));
        }
    }
    Ok(())
}

/// Whether rows of that schema fit into a table that is there already.
///
/// # Errors
/// A sentence.
pub(super) fn check_fit(table: &str, columns: &[Column], contract: &Contract) -> Result<(), String> {
    for field in &contract.fields {
        let Some(column) = find(columns, &field.name).map(|number| &columns[number]) else {
            return Err(format!("the table `{table}` has no column `{}`", field.name));
        };
        if column.origin == Origin::Generated {
            return Err(format!("the column `{}` of the table `{table}` is generated", field.name));
        }
        if !column.takes(field.ty) {
            return Err(format!(
                "the column `{}` of the table `{table}` is {}, but the field is {}",
                field.name, column.declared, field.ty
            ));
        }
    }
    let unfilled = columns.iter().find(|column| {
        let filled = contract.field(&column.name).is_some()
            || contract.fields.iter().any(|field| field.name.eq_ignore_ascii_case(&column.name));
        column.not_null && column.origin == Origin::Row && !filled
    });
    match unfilled.filter(|_| contract.mode == SchemaMode::Fixed) {
        Some(column) => Err(format!(
            "the column `{}` of the table `{table}` is NOT NULL without a default, and the schema has no such field",
            column.name
        )),
        None => Ok(()),
    }
}
