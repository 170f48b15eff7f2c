//! Tables, views, indexes and triggers that show or do something else than those that this program makes.

use elspeth_app::VerifyStatus;

use crate::recorded;
use crate::taken_away::Place;

/// What somebody does who owns the file, and the name of what verifying finds then.
const OTHER: [(&str, &str); 12] = [
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
    (
        "PRAGMA legacy_alter_table = ON; ALTER TABLE validation_errors RENAME TO hidden;
        CREATE VIEW Validation_Errors AS SELECT * FROM hidden",
        "Validation_Errors",
    ),
    (
        "PRAGMA legacy_alter_table = ON; ALTER TABLE validation_errors RENAME TO hidden;
        CREATE VIEW cloak AS SELECT run_no, row_index, destination, reason FROM hidden;
        CREATE VIRTUAL TABLE validation_errors USING fts5(run_no, row_index, destination, reason, content='cloak')",
        "validation_errors",
    ),
    (
        "CREATE TABLE told AS SELECT * FROM v_runs; DROP VIEW v_runs; ALTER TABLE told RENAME TO v_runs",
        "v_runs",
    ),
    ("DROP VIEW v_runs; CREATE VIEW V_Runs AS SELECT 'completed' AS status", "V_Runs"),
    (
        "PRAGMA writable_schema = ON;
        UPDATE sqlite_schema SET sql = replace(sql, 'DEFAULT 1', 'DEFAULT 0') WHERE name = 'rows'",
        "rows",
    ),
    ("DROP TABLE state_contexts", "state_contexts"),
    // An index that does not know of a change, and one that does not know of a run.
    (
        "CREATE INDEX mine ON rows(run_no, row_index, source_data_hash, valid, read_us);
        CREATE TEMP TABLE kept AS SELECT * FROM sqlite_schema WHERE name = 'mine';
        PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = 'mine'; PRAGMA writable_schema = RESET;
        UPDATE rows SET read_us = read_us + 1 WHERE row_index = 3;
        PRAGMA writable_schema = ON; INSERT INTO sqlite_schema SELECT * FROM kept",
        "rows",
    ),
    (
        "CREATE INDEX mine ON runs(owner, run_id);
        CREATE TEMP TABLE kept AS SELECT * FROM sqlite_schema WHERE name = 'mine';
        PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = 'mine'; PRAGMA writable_schema = RESET;
        UPDATE runs SET owner = 'nobody';
        PRAGMA writable_schema = ON; INSERT INTO sqlite_schema SELECT * FROM kept",
        "runs",
    ),
];

/// What an auditor may add.
const OWN: &str = "CREATE VIEW mine AS SELECT * FROM v_runs; CREATE TABLE notes (about TEXT);
    CREATE INDEX by_hash ON rows (source_data_hash);
    CREATE INDEX backwards ON rows (run_no, row_index DESC, source_data_hash, valid, read_us);
    CREATE INDEX by_token ON node_states (run_no, token, started_us, step, attempt, status, input_hash, output_hash, duration_us, waited_us);
    CREATE TABLE calls_of_mine (run_no INTEGER); INSERT INTO calls_of_mine VALUES (99);
    CREATE TABLE \"my notes\" (run_no TEXT, about TEXT); INSERT INTO \"my notes\" VALUES ('01ARZ3', 'x');
    CREATE TABLE \"order\" (run_no INTEGER)";

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

/// Which run is later says the log of the database, whatever clocks say.
#[test]
fn a_file_was_written_again_by_a_later_run_though_its_clock_was_behind() {
    let place = Place::new();
    place.run(None).unwrap();
    let (database, file, text) = (place.path("audit.db"), place.path("out.csv"), "id\n7\n");
    std::fs::write(&file, text).unwrap();
    assert_eq!(place.status(), VerifyStatus::Tampered);
    recorded::run_that_published(&database.display().to_string(), &file.display().to_string(), text);
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
