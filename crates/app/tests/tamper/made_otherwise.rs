//! Views and triggers that show or do something else than those that this program makes.

use elspeth_app::VerifyStatus;

use crate::taken_away::Place;

/// What somebody does who owns the file, and the name of what verifying finds then.
const OTHER: [(&str, &str); 4] = [
    (
        "DROP VIEW v_token_outcomes; CREATE VIEW v_token_outcomes AS SELECT 'granted' AS sink",
        "v_token_outcomes",
    ),
    ("CREATE TRIGGER keep BEFORE DELETE ON bodies BEGIN SELECT raise(IGNORE); END", "keep"),
    (
        "PRAGMA legacy_alter_table = ON; ALTER TABLE token_outcomes RENAME TO kept; CREATE VIEW token_outcomes AS SELECT * FROM kept",
        "token_outcomes",
    ),
    ("DROP VIEW v_heads; CREATE VIEW v_heads AS SELECT 1 AS size", "v_heads"),
];

/// What an auditor may add.
const OWN: &str = "CREATE VIEW mine AS SELECT * FROM v_runs; CREATE TABLE notes (about TEXT);
    CREATE INDEX by_hash ON rows (source_data_hash)";

#[test]
fn what_shows_or_does_something_else_than_what_this_program_makes_is_found() {
    for (sql, name) in OTHER {
        let place = Place::new();
        place.run(None).unwrap();
        place.open().execute_batch(sql).unwrap();
        assert_eq!(place.status(), VerifyStatus::Tampered, "{sql}");
        let bad = place.first_bad();
        assert_eq!((bad.table.as_str(), bad.id.as_str()), ("sqlite_schema", name), "{sql}: {}", bad.what);
    }
}

#[test]
fn what_somebody_adds_for_himself_is_nobody_s_business() {
    let place = Place::new();
    place.run(None).unwrap();
    place.open().execute_batch(OWN).unwrap();
    assert_eq!(place.status(), VerifyStatus::Ok);
}

/// The same run again, in a table that does not mind.
const TWICE: &str = "ALTER TABLE runs RENAME TO kept; CREATE TABLE runs AS SELECT * FROM kept;
    CREATE TEMP TABLE again AS SELECT * FROM runs; UPDATE again SET run_no = 78; INSERT INTO runs SELECT * FROM again";

#[test]
fn two_runs_with_one_id_are_an_answer_and_no_failure() {
    let place = Place::new();
    let run = place.run(None).unwrap();
    place.open().execute_batch(TWICE).unwrap();
    assert_eq!(place.status(), VerifyStatus::Tampered);
    let bad = place.first_bad();
    assert_eq!((bad.table, bad.id), ("runs".to_owned(), run.to_string()));
}
