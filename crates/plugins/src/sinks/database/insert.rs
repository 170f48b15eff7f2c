//! Rows into a table: many with one statement, and one by one where the table refuses some of them.
//!
//! A statement that fails is undone as a whole, so that the rows before the refused one can be tried again alone. A table
//! that takes a statement and keeps fewer rows (`ON CONFLICT IGNORE`, a trigger) refuses the others: nothing is dropped
//! in silence.

use std::collections::HashMap;
use std::sync::Arc;

use elspeth_contracts::{ErrorReason, FailureKind};
use elspeth_plugin::{Refusal, SinkError};
use elspeth_value::Row;

use super::dialect::Dialect;
use super::store::Store;
use super::table::{Layout, Table};

/// Rows of one statement; few sizes, so that few texts are compiled.
const SIZES: [usize; 9] = [500, 200, 100, 50, 20, 10, 5, 2, 1];
/// Rows of one statement to a server, whose text is the same for any number.
const MOST_ROWS: usize = 1000;
/// Values of one statement; SQLite allows 32766.
const MOST_VALUES: usize = 30_000;

/// A row that fits the table as far as can be told without asking it.
#[derive(Debug)]
pub(super) struct Admitted<'r> {
    /// Its place in the epoch.
    pub(super) index: usize,
    pub(super) row: &'r Row,
    pub(super) layout: Arc<Layout>,
}

/// The texts of statements, by layout and number of rows.
#[derive(Debug, Default)]
pub(super) struct Texts(HashMap<(String, usize), Arc<str>>);

impl Texts {
    fn get(&mut self, dialect: Dialect, layout: &Layout, rows: usize) -> Arc<str> {
        // A server gets columns and not rows.
        let rows = if dialect == Dialect::Postgres { 0 } else { rows };
        // Shapes come and go; their statements are kept as long as there are few.
        if self.0.len() > 1000 {
            self.0.clear();
        }
        let text = self.0.entry((layout.insert.clone(), rows)).or_insert_with(|| text(layout, rows).into());
        Arc::clone(text)
    }
}

fn text(layout: &Layout, rows: usize) -> String {
    if layout.columns.is_empty() || rows == 0 {
        return layout.insert.clone();
    }
    let row = format!("({})", vec!["?"; layout.columns.len()].join(","));
    format!("{}{}", layout.insert, vec![row.as_str(); rows].join(","))
}

/// Inserts rows in their order, inside of a transaction that is open; gives back those that the table refuses.
///
/// # Errors
/// The database fails, or the transaction is gone.
pub(super) async fn insert(
    store: &mut Store,
    table: &Table,
    texts: &mut Texts,
    rows: &[Admitted<'_>],
) -> Result<Vec<Refusal>, SinkError> {
    let dialect = store.dialect();
    let mut refused = Vec::new();
    let mut left = rows;
    while let Some(first) = left.first() {
        let alike = left.iter().take_while(|row| row.layout == first.layout).count();
        let (now, later) = left.split_at(size(dialect, alike, first.layout.columns.len()));
        left = later;
        let text = texts.get(dialect, &first.layout, now.len());
        if attempt(store, table, text, now).await?.is_none() {
            continue;
        }
        let text = texts.get(dialect, &first.layout, 1);
        for row in now {
            let why = attempt(store, table, Arc::clone(&text), std::slice::from_ref(row)).await?;
            refused.extend(why.map(|message| {
                let reason = ErrorReason::new(FailureKind::SinkRefused, message);
                Refusal { index: row.index, reason }
            }));
        }
    }
    Ok(refused)
}

fn size(dialect: Dialect, alike: usize, columns: usize) -> usize {
    // A statement without values inserts one row.
    if dialect == Dialect::Postgres {
        return if columns == 0 { 1 } else { alike.min(MOST_ROWS) };
    }
    let most = MOST_VALUES.checked_div(columns).map_or(1, |most| most.min(alike));
    SIZES.into_iter().find(|size| *size <= most).unwrap_or(1)
}

/// One statement; why the table refuses it, if it does. Then it has done nothing.
async fn attempt(
    store: &mut Store,
    table: &Table,
    text: Arc<str>,
    rows: &[Admitted<'_>],
) -> Result<Option<String>, SinkError> {
    store.run("SAVEPOINT elspeth_rows", "write to").await?;
    let refused = match store.insert(table, text, rows).await {
        Ok(taken) if taken == rows.len() as u64 => None,
        Ok(_) => Some("the table ignores the row (ON CONFLICT IGNORE, or a trigger)".to_owned()),
        Err(error) => Some(store.refusal(&error).ok_or_else(|| store.failure("write to", &error))?),
    };
    let then = match refused {
        None => "RELEASE elspeth_rows",
        Some(_) => "ROLLBACK TO elspeth_rows; RELEASE elspeth_rows",
    };
    store.run(then, "keep the transaction of").await?;
    Ok(refused)
}
