use super::*;
use crate::pages::Pages;

const TABLES: [&str; 12] = [
    "CREATE TABLE runs(run_no INTEGER PRIMARY KEY, run_id TEXT NOT NULL)",
    "CREATE TABLE nodes(run_no INTEGER, step INTEGER, node_type INTEGER, PRIMARY KEY(run_no, step)) WITHOUT ROWID",
    "CREATE TABLE rows(run_no INTEGER, row_index INTEGER, hash BLOB, valid INTEGER NOT NULL DEFAULT 1,
     PRIMARY KEY(run_no, row_index)) WITHOUT ROWID",
    "CREATE TABLE tokens(run_no INTEGER, token INTEGER, branch TEXT, PRIMARY KEY(run_no, token)) WITHOUT ROWID",
    "CREATE TABLE node_states(run_no INTEGER, token INTEGER, step INTEGER, took REAL,
     PRIMARY KEY(run_no, token, step)) WITHOUT ROWID",
    "CREATE TABLE token_outcomes(run_no INTEGER, token INTEGER, terminal INTEGER NOT NULL DEFAULT 1,
     PRIMARY KEY(run_no, token)) WITHOUT ROWID",
    "CREATE TABLE epochs(run_no INTEGER, epoch INTEGER, first_row INTEGER, last_row INTEGER, record_count INTEGER,
     PRIMARY KEY(run_no, epoch)) WITHOUT ROWID",
    "CREATE TABLE bodies(run_no INTEGER NOT NULL REFERENCES runs, epoch INTEGER, block BLOB, UNIQUE(run_no, epoch))",
    "CREATE INDEX epochs_by_row ON epochs(run_no, first_row)",
    "CREATE TABLE releases(run_no INTEGER, number INTEGER, step INTEGER, epoch INTEGER)",
    "CREATE TABLE batch_members(run_no INTEGER, batch_no INTEGER, ordinal INTEGER, token INTEGER)",
    "CREATE TABLE token_parents(run_no INTEGER, token INTEGER, parent INTEGER)",
];

/// A run of 700 rows in epochs of 300, each row seen by a transform (step 1) and a sink (step 2).
fn original(path: &Path) -> Connection {
    let database = Connection::create(path).unwrap();
    for table in TABLES {
        database.execute(table).unwrap();
    }
    let rows = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 699)";
    let records = [
        "INSERT INTO runs VALUES (7, 'r'); INSERT INTO nodes VALUES (7, 0, 0), (7, 1, 1), (7, 2, 5)"
            .to_owned(),
        format!("{rows} INSERT INTO rows SELECT 7, i, randomblob(32), i % 100 <> 3 FROM n"),
        format!("{rows} INSERT INTO tokens SELECT 7, i << 20, CASE i WHEN 5 THEN 'left' END FROM n"),
        format!("{rows} INSERT INTO node_states SELECT 7, i << 20, 1, i / 8.0 FROM n"),
        format!("{rows} INSERT INTO node_states SELECT 7, i << 20, 2, NULL FROM n"),
        format!("{rows} INSERT INTO token_outcomes SELECT 7, i << 20, 1 FROM n"),
        "INSERT INTO epochs VALUES (7, 0, 0, 299, 1500), (7, 1, 300, 599, 1500), (7, 2, 600, 699, 500),
            (7, 3, NULL, NULL, 0)"
            .to_owned(),
        "INSERT INTO bodies VALUES (7, 0, randomblob(9000)), (7, 1, x''), (7, 2, x'00')".to_owned(),
    ];
    for sql in records {
        database.execute(&sql).unwrap();
    }
    database
}

#[test]
fn the_copy_has_the_same_records_and_transactions() {
    let folder = tempfile::tempdir().unwrap();
    let source = original(&folder.path().join("source.db"));
    let plan = Plan::of(&source).unwrap();
    let copy = folder.path().join("copy.db");
    let written = rewrite(&source, &plan, &copy).unwrap();
    // The run, four epochs, and the last epoch's commit B.
    assert_eq!(written.transactions, 6);
    assert_eq!(written.records, 1 + 3 + 700 * 5 + 4);
    source.execute(&format!("ATTACH '{}' AS copy", copy.display())).unwrap();
    for table in &plan.tables {
        let name = &table.name;
        let differing =
            format!("SELECT count(*) FROM (SELECT * FROM {name} EXCEPT SELECT * FROM copy.{name})");
        assert_eq!(source.number(&differing).unwrap(), 0, "{name}");
    }
}

#[test]
fn commit_b_holds_what_sinks_did_and_outcomes() {
    let folder = tempfile::tempdir().unwrap();
    let source = original(&folder.path().join("source.db"));
    let plan = Plan::of(&source).unwrap();
    let records = Reader::new(&source, &plan).unwrap().epoch(&plan.epochs[1], &mut Vec::new()).unwrap();
    let named = |groups: &[Group]| -> Vec<(String, usize)> {
        let count = |group: &Group| group.cells.len() / plan.tables[group.table].columns.len();
        groups.iter().map(|group| (plan.tables[group.table].name.clone(), count(group))).collect()
    };
    let pairs = |pairs: &[(&str, usize)]| -> Vec<(String, usize)> {
        pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    };
    let decided = [("rows", 300), ("tokens", 300), ("node_states", 300), ("epochs", 1), ("bodies", 1)];
    assert_eq!(named(&records.decided), pairs(&decided));
    assert_eq!(named(&records.acted), pairs(&[("node_states", 300), ("token_outcomes", 300)]));
}

#[test]
fn columns_at_their_default_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let source = original(&folder.path().join("source.db"));
    let plan = Plan::of(&source).unwrap();
    let tokens = plan.tables.iter().find(|table| table.name == "tokens").unwrap();
    let plain = [Cell::Int(1), Cell::Null, Cell::Int(2), Cell::Null];
    assert_eq!(
        text(tokens, 7, omitted(tokens, &plain), 2),
        "INSERT INTO tokens(run_no,token)VALUES(7,?),(7,?)"
    );
    let branch = Cell::Text { start: 0, length: 1 };
    assert_eq!(omitted(tokens, &[Cell::Int(1), Cell::Null, Cell::Int(2), branch]), 0);
}

#[test]
fn more_than_one_run_has_no_floor() {
    let folder = tempfile::tempdir().unwrap();
    let source = original(&folder.path().join("source.db"));
    source.execute("INSERT INTO runs VALUES (8, 's')").unwrap();
    let Err(error) = Plan::of(&source) else { panic!("two runs were accepted") };
    assert!(error.to_string().contains("2 runs"), "{error}");
}

#[test]
fn bodies_are_counted_apart() {
    let folder = tempfile::tempdir().unwrap();
    let source = original(&folder.path().join("source.db"));
    let pages = serde_json::to_value(Pages::of(&source).unwrap()).unwrap();
    let (all, bodies) = (pages["database_bytes"].as_i64().unwrap(), pages["body_bytes"].as_i64().unwrap());
    assert!(bodies > 9000 && bodies < 40_000, "{bodies}");
    assert!(all > bodies + 700 * 32, "{all}");
}
