//! What no check finds, and why: the reviewed list.

/// Table, column (or what is done with whole records), reason.
const EXEMPT: &[(&str, &str, &str)] = &[
    ("runs", "owner", "the lease: who wrote the run last; compared only where resumptions name owners"),
    ("runs", "heartbeat_at", "the lease: when the owner gave its last sign of life"),
];

/// Tables that have no records where nothing is going on.
const EMPTY: &[(&str, &str)] = &[("purge_files", "only while a purge is not done")];

/// Why a change at that place is not found.
pub(crate) fn reason(place: &(String, String)) -> Option<&'static str> {
    EXEMPT.iter().find(|(table, column, _)| (*table, *column) == (&place.0, &place.1)).map(|(.., why)| *why)
}

/// Places at which some change is not found.
pub(crate) fn places() -> impl Iterator<Item = (String, String)> {
    EXEMPT.iter().map(|(table, column, _)| ((*table).to_owned(), (*column).to_owned()))
}

pub(crate) fn is_empty_table(table: &str) -> bool {
    EMPTY.iter().any(|(name, _)| *name == table)
}
