//! An export has every column of every table.

use std::collections::BTreeSet;

use elspeth_landscape::export::Kind;

use crate::views::{open, texts};
use crate::{File, block_on};

/// Columns that a database has for itself: what other columns say already, and the tree over its log.
const ITS_OWN: [(&str, &str); 4] =
    [("runs", "id_high"), ("runs", "id_low"), ("token_outcomes", "terminal"), ("registry", "peaks")];
/// Tables that are not of any run.
const OF_THE_DATABASE: [&str; 1] = ["heads"];
/// A kind whose records are files of the payload store.
const FILES: &str = "payloads";

#[test]
fn every_column_of_every_table_is_exported() {
    block_on(async {
        let file = File::fresh().await;
        let mut connection = open(&file).await;
        let sql = "SELECT t.name, c.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c \
                   WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'";
        let stored: BTreeSet<(String, String)> = texts::<2>(&mut connection, sql)
            .await
            .into_iter()
            .map(|[table, column]| (table.unwrap(), column.unwrap()))
            .filter(|(table, column)| !OF_THE_DATABASE.contains(&table.as_str()) && column != "run_no")
            .filter(|(table, column)| !ITS_OWN.contains(&(table, column)))
            .collect();
        let kinds = Kind::ALL.iter().filter(|kind| kind.table() != FILES);
        let exported: BTreeSet<(String, String)> = kinds
            .flat_map(|kind| {
                kind.columns().iter().map(|column| (kind.table().to_owned(), (*column).to_owned()))
            })
            .collect();
        let missing: Vec<_> = stored.difference(&exported).collect();
        let unknown: Vec<_> = exported.difference(&stored).collect();
        assert!(missing.is_empty() && unknown.is_empty(), "missing {missing:#?}, unknown {unknown:#?}");
    });
}
