//! Rows into a table: many with one statement, and one by one where the table refuses some of them.
//!
//! A statement that fails is undone as a whole, so that the rows before the refused one can be tried again alone. A table
//! that takes a statement and keeps fewer rows (`ON CONFLICT IGNORE`, a trigger) refuses the others: nothing is dropped
//! in silence. A table that ends the whole transaction for a row (`ON CONFLICT ROLLBACK`, `RAISE(ROLLBACK, ...)`) refuses
//! that row, and the others are inserted again. An error that may be a row's fault or not is the row's where the statement
//! works without rows, and the table takes others.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use elspeth_contracts::{ErrorReason, FailureKind};
use elspeth_plugin::{Refusal, SinkError};
use elspeth_value::Row;

use super::dialect::Dialect;
use super::store::{Blame, Store, Undone};
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

/// What is inserted, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work<'a, 'r> {
    /// In their order.
    pub(super) rows: &'a [Admitted<'r>],
    /// The places of those that are inserted one by one.
    pub(super) singly: &'a RangeInclusive<usize>,
    /// Whether the table took rows of the run before.
    pub(super) proven: bool,
}

/// Inserts rows, inside of a transaction that is open.
///
/// # Errors
/// The database fails.
pub(super) async fn insert(
    store: &mut Store,
    table: &Table,
    texts: &mut Texts,
    Work { rows, singly, proven }: Work<'_, '_>,
) -> Result<Inserted, SinkError> {
    let dialect = store.dialect();
    let mut inserting = Inserting { store, table, taken: proven, doubt: None };
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
        match inserting.attempt(text, now).await? {
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
            match inserting.attempt(Arc::clone(&text), row).await? {
                Attempt::Taken => {}
                Attempt::Refused(why) => refused.push(refusal(&row[0], why)),
                Attempt::Ended(why) => return Ok(Inserted::Ended(ended(row, why))),
            }
        }
    }
    inserting.finish().map(|()| Inserted::All(refused))
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

/// Statements into one table.
struct Inserting<'a> {
    store: &'a mut Store,
    table: &'a Table,
    /// Whether it took a row.
    taken: bool,
    /// The statement that failed last by what may be no row's fault, and its error.
    doubt: Option<(Arc<str>, SinkError)>,
}

impl Inserting<'_> {
    async fn attempt(&mut self, text: Arc<str>, rows: &[Admitted<'_>]) -> Result<Attempt, SinkError> {
        self.store.run("SAVEPOINT elspeth_rows", "write to").await?;
        let (why, doubt) = match self.store.insert(self.table, Arc::clone(&text), rows).await {
            Ok(taken) if taken == rows.len() as u64 => {
                self.store.run("RELEASE elspeth_rows", "keep the transaction of").await?;
                self.taken = true;
                return Ok(Attempt::Taken);
            }
            Ok(_) => ("the table ignores the row (ON CONFLICT IGNORE, or a trigger)".to_owned(), None),
            Err(error) => {
                let failure = self.store.failure("write to", &error);
                match self.store.blame(&error) {
                    Blame::Row(why) => (why, None),
                    Blame::Unclear(why) => (why, Some(failure)),
                    Blame::Database => return Err(failure),
                }
            }
        };
        let undone = self.store.undo("ROLLBACK TO elspeth_rows; RELEASE elspeth_rows").await?;
        if let (Some(failure), Some(row)) = (doubt, rows.first()) {
            self.doubt(text, failure, &row.layout).await?;
        }
        Ok(match undone {
            Undone::Savepoint => Attempt::Refused(why),
            Undone::Transaction => Attempt::Ended(why),
        })
    }

    /// Rows are not to blame for a statement that fails without them, too.
    async fn doubt(&mut self, text: Arc<str>, failure: SinkError, layout: &Layout) -> Result<(), SinkError> {
        let asked = self.doubt.as_ref().is_some_and(|(asked, _)| Arc::ptr_eq(asked, &text));
        if !asked && !self.store.works_without_rows(Arc::clone(&text), layout).await {
            return Err(failure);
        }
        self.doubt = Some((text, failure));
        Ok(())
    }

    /// Nor for an error that each of them gets.
    fn finish(self) -> Result<(), SinkError> {
        match self.doubt {
            Some((_, failure)) if !self.taken => Err(failure),
            _ => Ok(()),
        }
    }
}
