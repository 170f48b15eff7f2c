//! The readable views.

/// Every view: its name and its query.
pub(crate) const ALL: &[(&str, &str)] = &[];

/// The query in plain SQL.
pub(crate) fn expanded(body: &str) -> String {
    body.to_owned()
}
