//! Rows into a table: many with one statement, and one by one where the table refuses some of them.
//!
//! A statement that fails is undone as a whole, so that the rows before the refused one can be tried again alone. A table
//! that takes a statement and keeps fewer rows (`ON CONFLICT IGNORE`, a trigger) refuses the others: nothing is dropped
//! in silence. A table that ends the whole transaction for a row (`ON CONFLICT ROLLBACK`, `RAISE(ROLLBACK, ...)`) refuses
//! that row, and the others are inserted again.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use elspeth_contracts::{ErrorReason, FailureKind};
use elspeth_plugin::{Refusal, SinkError};
use elspeth_value::Row;

use super::dialect::Dialect;
use super::store::{Store, Undone};
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

/// What became of rows.
#[derive(Debug)]
pub(super) enum Inserted {
    /// They are in the table, but for these.
    All(Vec<Refusal>),
    /// The table ended the transaction, so that none is there.
    Ended(Ended),
}

/// Which rows ended a transaction.
#[derive(Debug)]
pub(super) enum Ended {
    By(Refusal),
    /// One of these, by their places in the epoch.
    ByOneOf(RangeInclusive<usize>),
}

/// Inserts rows in their order, inside of a transaction that is open; those whose places are in `singly` one by one.
///
/// # Errors
/// The database fails.
pub(super) async fn insert(
    store: &mut Store,
    table: &Table,
    texts: &mut Texts,
    (rows, singly): (&[Admitted<'_>], &RangeInclusive<usize>),
) -> Result<Inserted, SinkError> {
    let dialect = store.dialect();
    let mut refused = Vec::new();
    let mut left = rows;
    while let Some(first) = left.first() {
        let now = match singly.contains(&first.index) {
            true => 1,
            false => {
                let alike = |row: &&Admitted<'_>| row.layout == first.layout && !singly.contains(&row.index);
                size(dialect, left.iter().take_while(alike).count(), first.layout.columns.len())
            }
        };
        let (now, later) = left.split_at(now);
        left = later;
        let text = texts.get(dialect, &first.layout, now.len());
        match attempt(store, table, text, now).await? {
            Attempt::Taken => continue,
            Attempt::Ended(why) => return Ok(Inserted::Ended(ended(now, why))),
            Attempt::Refused(why) if now.len() == 1 => {
                refused.push(refusal(first, why));
                continue;
            }
            Attempt::Refused(_) => {}
        }
        let text = texts.get(dialect, &first.layout, 1);
        for row in now {
            let row = std::slice::from_ref(row);
            match attempt(store, table, Arc::clone(&text), row).await? {
                Attempt::Taken => {}
                Attempt::Refused(why) => refused.push(refusal(&row[0], why)),
                Attempt::Ended(why) => return Ok(Inserted::Ended(ended(row, why))),
            }
        }
    }
    Ok(Inserted::All(refused))
}

fn ended(rows: &[Admitted<'_>], why: String) -> Ended {
    match rows {
        [row] => Ended::By(refusal(row, why)),
        _ => {
            let places = rows.iter().map(|row| row.index);
            Ended::ByOneOf(places.clone().min().unwrap_or_default()..=places.max().unwrap_or_default())
        }
    }
}

fn refusal(row: &Admitted<'_>, why: String) -> Refusal {
    Refusal { index: row.index, reason: ErrorReason::new(FailureKind::SinkRefused, why) }
}

fn size(dialect: Dialect, alike: usize, columns: usize) -> usize {
    // A statement without values inserts one row.
    if dialect == Dialect::Postgres {
        return if columns == 0 { 1 } else { alike.min(MOST_ROWS) };
    }
    let most = MOST_VALUES.checked_div(columns).map_or(1, |most| most.min(alike));
    SIZES.into_iter().find(|size| *size <= most).unwrap_or(1)
}

/// What a table did with the rows of one statement.
enum Attempt {
    Taken,
    /// None of them is there.
    Refused(String),
    /// None of them is there, and nothing else of the transaction.
    Ended(String),
}

async fn attempt(
    store: &mut Store,
    table: &Table,
    text: Arc<str>,
    rows: &[Admitted<'_>],
) -> Result<Attempt, SinkError> {
    store.run("SAVEPOINT elspeth_rows", "write to").await?;
    let refused = match store.insert(table, text, rows).await {
        Ok(taken) if taken == rows.len() as u64 => {
            store.run("RELEASE elspeth_rows", "keep the transaction of").await?;
            return Ok(Attempt::Taken);
        }
        Ok(_) => "the table ignores the row (ON CONFLICT IGNORE, or a trigger)".to_owned(),
        Err(error) => store.refusal(&error).ok_or_else(|| store.failure("write to", &error))?,
    };
    Ok(match store.undo("ROLLBACK TO elspeth_rows; RELEASE elspeth_rows").await? {
        Undone::Savepoint => Attempt::Refused(refused),
        Undone::Transaction => Attempt::Ended(refused),
    })
}
