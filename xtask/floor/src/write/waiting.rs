//! Runs in which tokens wait across epochs, in the tables of the product.

use super::*;
use crate::place::Moment;
use crate::plan::{Key, Way};

const TABLES: &str = include_str!("../../../../crates/landscape-sql/migrations/sqlite/0001_tables.sql");

/// 700 rows in epochs of 300, and an epoch for what came after them. A batch of at most 250 lets its members go on
/// (step 2; numbers 0, 2, 4), and what comes of it ends in one batch of all (step 3; number 1) with one output, which
/// reaches the sink (step 4).
fn original(path: &Path) -> Connection {
    let database = Connection::create(path).unwrap();
    database.execute(TABLES).unwrap();
    let rows = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 699)";
    let run = "INSERT INTO runs(run_no, run_id, id_high, id_low, status, started_at, settings, settings_path, config_hash,
        hash_version, topology_hash, grade, engine_version, source_identity, field_resolution, schema_contract, owner,
        heartbeat_at) VALUES (7, '01J00000000000000000000000', 0, 0, 1, 0, '', '', randomblob(32), '', randomblob(32),
        0, '', '', '', '', '', 0)";
    let nodes = "INSERT INTO nodes SELECT 7, column1, 'n' || column1, '', column2, '', '', 0, '', randomblob(32), '', ''
        FROM (VALUES (0, 0), (1, 1), (2, 3), (3, 3), (4, 5))";
    let state = "INSERT INTO node_states(run_no, token, step, started_us, duration_us) SELECT 7, i << 20,";
    let records = [
        run.to_owned(),
        nodes.to_owned(),
        format!("{rows} INSERT INTO rows SELECT 7, i, randomblob(32), i, 1 FROM n"),
        format!("{rows} INSERT INTO tokens(run_no, token) SELECT 7, i << 20 FROM n"),
        format!("{rows} {state} 1, i, 1 FROM n"),
        format!("{rows} {state} 2, i, 1 FROM n"),
        format!("{rows} {state} 3, i, 1 FROM n"),
        format!("{rows} INSERT INTO batch_members SELECT 7, i / 250 * 2, i % 250, i << 20 FROM n"),
        format!("{rows} INSERT INTO batch_members SELECT 7, 1, i, i << 20 FROM n"),
        format!("{rows} INSERT INTO token_outcomes(run_no, token, outcome, batch_no) SELECT 7, i << 20, 5, 1 FROM n"),
        "INSERT INTO batches(run_no, batch_no, step, status)
            VALUES (7, 0, 2, 2), (7, 1, 3, 2), (7, 2, 2, 2), (7, 4, 2, 2)"
            .to_owned(),
        "INSERT INTO releases VALUES (7, 0, 2, 0, 249, 0), (7, 2, 2, 1, 499, 0), (7, 4, 2, 3, 699, 1), (7, 1, 3, 3, 699, 1)"
            .to_owned(),
        "INSERT INTO tokens(run_no, token) VALUES (7, (1 << 35 | 1) << 20)".to_owned(),
        "INSERT INTO batch_outputs VALUES (7, 1, 0, (1 << 35 | 1) << 20)".to_owned(),
        "INSERT INTO sink_states(run_no, token, step, started_us, duration_us) VALUES (7, (1 << 35 | 1) << 20, 4, 9, 1)"
            .to_owned(),
        "INSERT INTO token_outcomes(run_no, token, outcome, sink) VALUES (7, (1 << 35 | 1) << 20, 0, 4)".to_owned(),
        "INSERT INTO epochs(run_no, epoch, first_row, last_row, row_count, record_count, started_at, decided_at,
                chain_hash, content_root, continuation)
            SELECT 7, column1, column2, column3, 0, column4, 0, 0, randomblob(32), randomblob(32), randomblob(32)
            FROM (VALUES (0, 0, 299, 1702), (1, 300, 599, 1702), (2, 600, 699, 400), (3, NULL, NULL, 1808))"
            .to_owned(),
    ];
    for sql in records {
        database.execute(&sql).unwrap();
    }
    database
}

/// Numbers of records of one epoch, by table.
fn numbers(source: &Connection, epoch: usize) -> [Vec<(String, usize)>; 2] {
    let plan = Plan::of(source).unwrap();
    let records = Reader::new(source, &plan).unwrap().epoch(&plan.epochs[epoch], &mut Vec::new()).unwrap();
    let number = |group: &Group| {
        let table = &plan.tables[group.table];
        (table.name.clone(), group.cells.len() / table.columns.len())
    };
    [records.decided, records.acted].map(|groups| groups.iter().map(number).collect())
}

fn pairs(pairs: &[(&str, usize)]) -> Vec<(String, usize)> {
    pairs.iter().map(|(name, number)| ((*name).to_owned(), *number)).collect()
}

#[test]
fn a_run_with_batches_across_epochs_is_copied_whole() {
    let folder = tempfile::tempdir().unwrap();
    let source = original(&folder.path().join("source.db"));
    let plan = Plan::of(&source).unwrap();
    let copy = folder.path().join("copy.db");
    let written = rewrite(&source, &plan, &copy).unwrap();
    assert_eq!(written.transactions, 6);
    assert_eq!(written.records, 1 + 5 + 4 + 1702 + 1702 + 400 + 1808);
    source.execute(&format!("ATTACH '{}' AS copy", copy.display())).unwrap();
    for table in &plan.tables {
        let name = &table.name;
        let differing =
            format!("SELECT count(*) FROM (SELECT * FROM {name} EXCEPT SELECT * FROM copy.{name})");
        assert_eq!(source.number(&differing).unwrap(), 0, "{name}");
    }
}

#[test]
fn what_waited_belongs_to_the_epoch_that_let_it_go() {
    let folder = tempfile::tempdir().unwrap();
    let source = original(&folder.path().join("source.db"));
    // 250 members of number 0 with their states, 50 of number 2, and the 250 of number 1 that went on.
    let [decided, acted] = numbers(&source, 0);
    let first =
        [("rows", 300), ("tokens", 300), ("node_states", 550), ("batches", 1), ("batch_members", 550)];
    assert_eq!(decided, pairs(&[&first[..], &[("releases", 1), ("epochs", 1)]].concat()));
    assert_eq!(acted, []);
    let [decided, _] = numbers(&source, 2);
    let third = [("rows", 100), ("tokens", 100), ("node_states", 100), ("batch_members", 100), ("epochs", 1)];
    assert_eq!(decided, pairs(&third));
    let [decided, acted] = numbers(&source, 3);
    let last = [("tokens", 1), ("node_states", 900), ("batches", 2), ("batch_members", 200)];
    assert_eq!(
        decided,
        pairs(&[&last[..], &[("batch_outputs", 1), ("releases", 2), ("epochs", 1)]].concat())
    );
    assert_eq!(acted, pairs(&[("sink_states", 1), ("token_outcomes", 701)]));
}

#[test]
fn an_epoch_that_counted_other_records_has_no_floor() {
    let folder = tempfile::tempdir().unwrap();
    let source = original(&folder.path().join("source.db"));
    source.execute("UPDATE epochs SET record_count = 401 WHERE epoch = 2").unwrap();
    let plan = Plan::of(&source).unwrap();
    let error = rewrite(&source, &plan, &folder.path().join("copy.db")).unwrap_err();
    assert!(error.to_string().contains("epoch 2: 400 records are found, but 401"), "{error}");
}

#[test]
fn a_branch_that_waited_goes_on_in_what_it_was_merged_into() {
    let folder = tempfile::tempdir().unwrap();
    let source = original(&folder.path().join("source.db"));
    // Branch 1 of row 650 waits at a merge of step 5, which is number 6; another branch comes in the last epoch.
    source.execute("INSERT INTO releases VALUES (7, 6, 5, 3, 699, 1)").unwrap();
    source.execute("INSERT INTO token_parents VALUES (7, (1 << 35 | 6) << 20, 0, 650 << 20 | 1)").unwrap();
    let places = Plan::of(&source).unwrap().places;
    let branch = 650 << 20 | 1;
    assert_eq!(places.epoch(branch, Moment::Birth), Some(2));
    assert_eq!(places.epoch(branch, Moment::Visit(4)), Some(2));
    assert_eq!(places.epoch(branch, Moment::Arrival(5)), Some(2));
    assert_eq!(places.epoch(branch, Moment::Visit(5)), Some(3));
    assert_eq!(places.epoch(branch, Moment::End), Some(3));
    assert_eq!(places.epoch((1 << 35 | 6) << 20, Moment::Birth), Some(3));
    assert_eq!(places.epoch(700 << 20, Moment::End), None);
}

#[test]
fn the_tables_of_the_product_are_understood() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan::of(&original(&folder.path().join("source.db"))).unwrap();
    let with = |wanted: fn(&Key) -> bool| -> Vec<&str> {
        plan.tables.iter().filter(|table| wanted(&table.key)).map(|table| table.name.as_str()).collect()
    };
    assert_eq!(with(|key| *key == Key::Run), ["runs", "nodes", "edges", "purges", "registry"]);
    // A run that was never stopped has no resumptions.
    assert_eq!(with(|key| *key == Key::Row), ["rows", "validation_errors", "resumptions"]);
    assert_eq!(with(|key| *key == Key::Member), ["batch_members"]);
    assert_eq!(with(|key| matches!(key, Key::Release(_))), ["batches", "batch_outputs", "releases"]);
    assert_eq!(with(|key| matches!(key, Key::Token(_, Way::Birth))), ["tokens", "token_parents"]);
    assert_eq!(with(|key| matches!(key, Key::Token(_, Way::End))), ["token_outcomes"]);
    let at_steps =
        ["node_states", "sink_states", "state_contexts", "routing_events", "calls", "transform_errors"];
    assert_eq!(with(|key| matches!(key, Key::Token(_, Way::Step(_)))), at_steps);
}
