//! Records that are changed after they were written: every table, every column, in every way that one can think of.
//!
//! The tables and columns are asked of the database itself, so a new column is covered, or the test fails. What no check can
//! find is in a short list with a reason each ([`exempt`]); each entry must be one that is really not found.
#![expect(clippy::unwrap_used, reason = "what fails here fails its test, with the place")]

mod altered;
mod changes;
mod conserved;
mod exempt;
mod exported;
mod made_otherwise;
mod meanwhile;
#[path = "../../../proof/tests/receipt/omit.rs"]
mod omit;
mod on_postgres;
mod published;
mod receipts;
mod recorded;
mod retold;
mod retyped;
mod subject;
mod tables;
mod taken_away;

use std::collections::{BTreeMap, BTreeSet};

use changes::Change;
use elspeth_app::{AppError, VerifyStatus};
use subject::Subject;
use tables::{Dialect, Table};

/// Changes that are tried beside each other.
const THREADS: usize = 4;

/// What verifying a changed record came to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    Tampered,
    Missed,
}

/// Tells of a change, and of whether it was seen.
fn see(subject: &Subject, change: &Change, name: &str) -> Option<Seen> {
    let copy = subject.changed(change, name)?;
    match copy.verify() {
        Ok(found) if found.iter().any(|run| run.status == VerifyStatus::Tampered) => {
            let bad = found.iter().find_map(|run| run.first_bad.as_ref());
            let bad = bad.unwrap_or_else(|| panic!("{change}: no record is named"));
            assert!(!bad.table.is_empty() && !bad.id.is_empty() && !bad.what.is_empty(), "{change}: {bad:?}");
            Some(Seen::Tampered)
        }
        Ok(_) => Some(Seen::Missed),
        Err(AppError::Record(error)) => panic!("{change}: it could not be told: {error}"),
        Err(error) => panic!("{change}: {error}"),
    }
}

/// What every change that is possible comes to; on several threads, since there are thousands.
fn see_all<'a>(subject: &Subject, changes: &'a [Change]) -> Vec<(&'a Change, Seen)> {
    let share = changes.len().div_ceil(THREADS);
    std::thread::scope(|scope| {
        let part = |(number, part): (usize, &'a [Change])| {
            scope.spawn(move || {
                let name = format!("changed-{number}.db");
                let seen = part.iter().filter_map(|change| Some((change, see(subject, change, &name)?)));
                seen.collect::<Vec<_>>()
            })
        };
        let parts: Vec<_> = changes.chunks(share).enumerate().map(part).collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
    })
}

#[test]
fn promise_tamper_evident() {
    let subject = Subject::new();
    subject.assert_sound();
    let tables = subject.tables();
    let changes: Vec<_> = tables.iter().flat_map(changes::of).collect();
    judge(&tables, Dialect::Sqlite, &see_all(&subject, &changes));
}

/// Every column was changed, and every change was seen, but for those of the list.
fn judge(tables: &[Table], dialect: Dialect, answers: &[(&Change, Seen)]) {
    let exempt = exempt::places(dialect);
    let mut covered: BTreeSet<(String, String)> = BTreeSet::new();
    let mut missed: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    let mut seen = 0;
    for (change, answer) in answers {
        covered.extend(change.columns().map(|column| (change.table.clone(), column.to_owned())));
        match *answer {
            Seen::Tampered => seen += 1,
            Seen::Missed => {
                let place = (change.table.clone(), change.place().to_owned());
                missed.entry(place).or_default().push(change.to_string());
            }
        }
    }
    let all: BTreeSet<_> = tables.iter().flat_map(Table::places).collect();
    let uncovered: Vec<_> =
        all.difference(&covered).filter(|place| !exempt::is_empty_table(&place.0)).collect();
    assert!(uncovered.is_empty(), "nothing was changed in {uncovered:?}");
    let unexpected: Vec<_> = missed.iter().filter(|(place, _)| !exempt.contains_key(place)).collect();
    assert!(unexpected.is_empty(), "{seen} changes were seen; not seen: {unexpected:#?}");
    let needless: Vec<_> = exempt.keys().filter(|place| !missed.contains_key(place)).collect();
    assert!(needless.is_empty(), "these are seen, and need no exception: {needless:?}");
}
