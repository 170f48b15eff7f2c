//! Values of another type than their columns have, which a STRICT table takes from who changes its schema and puts it back.

use std::fmt::Write as _;

use elspeth_app::VerifyStatus;
use rusqlite::Connection;

use crate::taken_away::Place;

fn set_schema(connection: &Connection, table: &str, sql: &str) {
    connection.execute_batch("PRAGMA writable_schema = ON").unwrap();
    let set = "UPDATE sqlite_schema SET sql = ?2 WHERE name = ?1";
    assert_eq!(connection.execute(set, [table, sql]).unwrap(), 1);
}

/// The same table with columns that take and keep values of every type.
fn relaxed(sql: &str) -> String {
    let mut relaxed = String::new();
    for line in sql.lines() {
        let line = line.replace("STRICT, ", "").replace(") STRICT", ")");
        let mut words: Vec<&str> = line.split_whitespace().collect();
        let is_typed = words.get(1).is_some_and(|word| ["INTEGER", "TEXT", "BLOB"].contains(word));
        if is_typed && !line.contains("INTEGER PRIMARY KEY") {
            words.remove(1);
        }
        writeln!(relaxed, "{}", words.join(" ")).unwrap();
    }
    relaxed
}

/// Carries out a change of a table that has no types and no constraints meanwhile.
fn change(place: &Place, table: &str, sql: &str) {
    let connection = place.open();
    let asked = "SELECT sql FROM sqlite_schema WHERE name = ?";
    let kept: String = connection.query_row(asked, [table], |row| row.get(0)).unwrap();
    set_schema(&connection, table, &relaxed(&kept));
    drop(connection);
    let connection = place.open();
    connection.execute_batch("PRAGMA ignore_check_constraints = ON").unwrap();
    assert_eq!(connection.execute(sql, ()).unwrap(), 1, "{sql}");
    set_schema(&connection, table, &kept);
}

#[test]
fn a_batch_whose_number_is_a_text_is_counted_once() {
    let place = Place::new();
    place.run(None).unwrap();
    let member = "INSERT INTO batch_members (run_no, batch_no, ordinal, token) VALUES (1, '0', 0, 0)";
    change(&place, "batch_members", member);
    // Batches are counted where something is found.
    place.open().execute("UPDATE rows SET read_us = read_us + 1 WHERE row_index = 3", ()).unwrap();
    assert_eq!(place.status(), VerifyStatus::Tampered);
    let bad = place.first_bad();
    assert_eq!(bad.table, "batch_members", "{bad:?}");
}

/// What is made of one record of a run of five rows. A real 1.0 is as large as the number 1, and a text stands behind all numbers.
const OTHER: [(&str, &str); 14] = [
    ("rows", "UPDATE rows SET run_no = '1x' WHERE row_index = 3"),
    ("rows", "UPDATE rows SET run_no = 1.0 WHERE row_index = 3"),
    ("rows", "UPDATE rows SET row_index = x'03' WHERE row_index = 3"),
    ("rows", "UPDATE rows SET row_index = 'three' WHERE row_index = 3"),
    (
        "validation_errors",
        "INSERT INTO validation_errors (run_no, row_index, reason) VALUES (1, 'three', '')",
    ),
    ("tokens", "UPDATE tokens SET token = 'three' WHERE token = 3 << 20"),
    ("tokens", "INSERT INTO tokens (run_no, token) VALUES (1, 'three')"),
    (
        "node_states",
        "INSERT INTO node_states (run_no, token, step, started_us, duration_us) VALUES (x'01', 0, 0, 0, 0)",
    ),
    ("batch_members", "INSERT INTO batch_members (run_no, batch_no, ordinal, token) VALUES (1, '0', 0, 0)"),
    ("batch_outputs", "INSERT INTO batch_outputs (run_no, batch_no, ordinal, token) VALUES (1, '0', 0, 0)"),
    ("nodes", "UPDATE nodes SET run_no = 1.0 WHERE step = 1"),
    ("nodes", "UPDATE nodes SET config_hash = CAST(config_hash AS TEXT) WHERE step = 1"),
    ("epochs", "UPDATE epochs SET run_no = CAST(run_no AS TEXT) WHERE epoch = 1"),
    ("bodies", "UPDATE bodies SET epoch = 1.0 WHERE epoch = 1"),
];

#[test]
fn values_of_another_type_are_found_and_their_table_is_named() {
    for (table, sql) in OTHER {
        let place = Place::new();
        place.run(None).unwrap();
        change(&place, table, sql);
        assert_eq!(place.status(), VerifyStatus::Tampered, "{sql}");
        let bad = place.first_bad();
        assert_eq!(bad.table, table, "{sql}: {bad:?}");
    }
}
