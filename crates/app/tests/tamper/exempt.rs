//! What no check finds, and why: the reviewed list.

use std::collections::BTreeMap;

use crate::tables::Dialect;

/// Table, column (or what is done with whole records), reason.
const EXEMPT: &[(&str, &str, &str)] = &[
    ("runs", "owner", "the lease: who wrote the run last; compared only where resumptions name owners"),
    ("runs", "heartbeat_at", "the lease: when the owner gave its last sign of life"),
];

/// The same of what only PostgreSQL has.
const EXEMPT_THERE: &[(&str, &str, &str)] =
    &[("runs", "shown_at", "the lease: the same by the server's clock; no part of the record")];

/// Tables that have no records where nothing is going on.
const EMPTY: &[(&str, &str)] = &[("purge_files", "only while a purge is not done")];

/// Places at which some change is not found, each with why.
pub(crate) fn places(dialect: Dialect) -> BTreeMap<(String, String), &'static str> {
    let there = if dialect == Dialect::Postgres { EXEMPT_THERE } else { &[] };
    let all = EXEMPT.iter().chain(there);
    all.map(|(table, column, why)| (((*table).to_owned(), (*column).to_owned()), *why)).collect()
}

pub(crate) fn is_empty_table(table: &str) -> bool {
    EMPTY.iter().any(|(name, _)| *name == table)
}
