//! The `database` source: what it reads, from where it goes on, what it refuses.

use elspeth_canonical::HashVersion;
use elspeth_plugin::{ReadProgress, Source, SourceError, SourceItem, SourcePosition};
use elspeth_testkit::{PG_GUARDED, PgCluster, Scratch};
use elspeth_value::Value;
use serde_json::{Value as Json, json};

use crate::driving::{refused, shown, source, try_read};
use crate::server::Server;
use crate::sqlite::execute;

/// A file with something in it.
struct FileDatabase {
    scratch: Scratch,
}

impl FileDatabase {
    fn with(sql: &str) -> Self {
        let database = Self { scratch: Scratch::new() };
        database.execute(sql);
        database
    }

    fn execute(&self, sql: &str) {
        execute(&self.scratch.join("in.db"), sql);
    }

    fn url(&self) -> String {
        format!("sqlite:///{}", self.scratch.join("in.db").display())
    }
}

fn options(url: &str, query: &str, key: &str) -> Json {
    let key: Vec<_> = key.split(',').collect();
    json!({"url": url, "query": query, "key": key})
}

/// So that each value comes as it was read.
fn unlearnt(mut options: Json) -> Json {
    options["schema"] = json!({"mode": "flexible", "fields": ["id: int"]});
    options
}

/// Valid rows as JSON, each with its refusal's reason where it is none.
fn rows(options: &Json) -> Vec<String> {
    items(&try_read("database", options).unwrap_or_else(|e| panic!("{options}: {e} {:?}", e.help)))
}

fn items(items: &[SourceItem]) -> Vec<String> {
    let one = |item: &SourceItem| match item {
        SourceItem::Valid(row) => shown(row),
        SourceItem::Invalid(invalid) => invalid.reason.message.clone(),
    };
    items.iter().map(one).collect()
}

fn error(options: &Json) -> SourceError {
    match try_read("database", options) {
        Ok(items) => panic!("{options} gave {} items", items.len()),
        Err(error) => error,
    }
}

fn opened(options: &Json) -> Box<dyn Source> {
    let mut source = source("database", options);
    source.open(HashVersion::default(), None).unwrap();
    source
}

/// So many items, however many reads they take.
fn take(source: &mut dyn Source, wanted: usize) -> Vec<String> {
    let mut found = Vec::new();
    while found.len() < wanted {
        let left = wanted - found.len();
        if source.read(left, &mut found).unwrap() == ReadProgress::End {
            break;
        }
    }
    items(&found)
}

#[test]
fn values_of_a_file_are_what_they_are_stored_as() {
    let database = FileDatabase::with(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, ok BOOLEAN, share REAL, name TEXT, bytes BLOB, price DECIMAL(10, 2), day DATE);
         INSERT INTO t VALUES (1, 1, 2500, 'x', X'00FF', 12.5, '2024-01-31'), (2, 0, 0.1, '', NULL, 3, NULL),
            (3, 7, 9e999, CAST(X'FF' AS TEXT), 'text', 9007199254740993, 5);",
    );
    assert_eq!(
        rows(&unlearnt(options(&database.url(), "SELECT * FROM t", "id"))),
        [
            r#"{"id":1,"ok":true,"share":2500.0,"name":"x","bytes":{"__bytes__":"AP8="},"price":12.5,"day":"2024-01-31"}"#,
            r#"{"id":2,"ok":false,"share":0.1,"name":"","bytes":null,"price":3,"day":null}"#,
            r#"{"id":3,"ok":7,"share":"inf","name":{"__bytes__":"/w=="},"bytes":"text","price":"9007199254740993","day":5}"#,
        ]
    );
}

#[test]
fn values_of_a_server_have_the_types_of_its_columns() {
    let Some(server) = Server::shared() else { return };
    server.execute(
        "CREATE TYPE mood AS ENUM ('good'); CREATE DOMAIN cents AS numeric(10, 2);
         CREATE TABLE t (id smallint PRIMARY KEY, n bigint, r real, d float8, ok boolean, name varchar(9), code char(3), mood mood,
            price cents, day date, at timestamptz, local timestamp, more jsonb, plain json, bytes bytea, who uuid);
         INSERT INTO t VALUES (1, 5, 0.1, 2500, true, 'x', 'ab', 'good', 12.5, '2024-01-31', '2024-01-31 12:00:00.5+02', '2024-01-31 12:00',
            '{\"b\": [1, 2.0]}', '\"s\"', '\\x00ff', '5e7d1b8e-0000-4000-8000-000000000001'),
            (2, 9007199254740993, 'NaN', 1e-7, NULL, '', '', NULL, NULL, 'infinity', '0044-03-15 12:00 BC', NULL, 'null', NULL, '', NULL)",
    );
    assert_eq!(
        rows(&unlearnt(options(&server.url, "SELECT * FROM t", "id"))),
        [
            r#"{"id":1,"n":5,"r":0.1,"d":2500.0,"ok":true,"name":"x","code":"ab","mood":"good","price":"12.50","day":"2024-01-31","at":"2024-01-31T10:00:00.500000+00:00","local":"2024-01-31T12:00:00","more":{"b":[1,2.0]},"plain":"s","bytes":{"__bytes__":"AP8="},"who":"5e7d1b8e-0000-4000-8000-000000000001"}"#,
            r#"{"id":2,"n":"9007199254740993","r":"NaN","d":1e-07,"ok":null,"name":"","code":"","mood":null,"price":null,"day":"infinity","at":"0044-03-15 12:00:00+00 BC","local":null,"more":null,"plain":null,"bytes":{"__bytes__":""},"who":null}"#,
        ]
    );
    let first = &try_read("database", &options(&server.url, "SELECT * FROM t", "id")).unwrap()[0];
    let SourceItem::Valid(row) = first else { panic!("{first:?}") };
    let types: Vec<_> = row.values().iter().map(Value::type_name).collect();
    assert_eq!(
        types.join(" "),
        "int int float float bool str str str decimal date datetime str map str bytes str"
    );
}

#[test]
fn types_that_rows_cannot_hold_are_said_before_the_first_row() {
    let Some(server) = Server::shared() else { return };
    for (column, name) in [
        ("ARRAY[1]", "int4[]"),
        ("interval '1 day'", "interval"),
        ("time '10:00'", "time"),
        ("inet '::1'", "inet"),
        ("int4range(1, 2)", "int4range"),
        ("ROW(1, 2)", "record"),
    ] {
        let error = error(&options(&server.url, &format!("SELECT 1 AS id, {column} AS c"), "id"));
        assert_eq!(
            error.message,
            format!("the column `c` of the query is of type {name}, which rows cannot hold")
        );
        assert_eq!(error.help.as_deref(), Some("cast it in the query: `\"c\"::text AS \"c\"`"));
    }
    for column in ["1.5::float8", "1.5::numeric", "true", "'{}'::jsonb", "'\\x00'::bytea"] {
        let error = error(&options(&server.url, &format!("SELECT {column} AS id"), "id"));
        assert!(error.message.starts_with("the column `id` cannot be in a key, since it is "), "{error}");
    }
}

/// Rows that both databases can hold alike.
const SAME: &str = "CREATE TABLE same (part TEXT NOT NULL, id INTEGER NOT NULL, share DOUBLE PRECISION, PRIMARY KEY (part, id));
    INSERT INTO same VALUES ('b', 10, 0.5), ('a', 2, NULL), ('B', 1, 1e16), ('a', 10, 2500), ('a', 1, -0.1), ('_', 1, 3), ('Z', 1, 4)";

#[test]
fn both_databases_give_the_same_rows_in_the_order_of_bytes_and_one_hash() {
    let file = FileDatabase::with(SAME);
    let read = |url: &str| {
        let options = options(url, "SELECT part, id, share FROM same", "part,id");
        let mut source = opened(&options);
        (take(source.as_mut(), 100), source.identity())
    };
    let (in_file, identity) = read(&file.url());
    assert_eq!(
        in_file,
        [
            r#"{"part":"B","id":1,"share":1e+16}"#,
            r#"{"part":"Z","id":1,"share":4.0}"#,
            r#"{"part":"_","id":1,"share":3.0}"#,
            r#"{"part":"a","id":1,"share":-0.1}"#,
            r#"{"part":"a","id":2,"share":null}"#,
            r#"{"part":"a","id":10,"share":2500.0}"#,
            r#"{"part":"b","id":10,"share":0.5}"#,
        ]
    );
    let mut hash = HashVersion::default().hash(b"");
    let mut bytes = 0;
    for line in &in_file {
        let Json::Object(row) = serde_json::from_str(line).unwrap() else { panic!("{line}") };
        let row = elspeth_value::Row::from_pairs(
            row.into_iter().map(|(name, value)| (name.into(), Value::from_json(value).unwrap())),
        );
        let mut canonical = Vec::new();
        row.write_canonical(&mut canonical).unwrap();
        hash = HashVersion::default().hash(&[hash.as_bytes(), canonical.as_slice()].concat());
        bytes += canonical.len() as u64 + 1;
    }
    assert_eq!((identity.content_hash, identity.read_bytes), (Some(hash), bytes));
    let Some(server) = Server::shared() else { return };
    server.execute(SAME);
    let (on_server, there) = read(&server.url);
    assert_eq!(on_server, in_file);
    assert_eq!((there.content_hash, there.read_bytes), (identity.content_hash, identity.read_bytes));
}

#[test]
fn a_collation_that_takes_letters_as_the_same_loses_no_row() {
    let file = FileDatabase::with(
        "CREATE TABLE t (id TEXT COLLATE NOCASE); INSERT INTO t VALUES ('b'), ('A'), ('a'), ('B')",
    );
    let options = options(&file.url(), "SELECT id FROM t", "id");
    let mut source = opened(&options);
    assert_eq!(take(source.as_mut(), 1), [r#"{"id":"A"}"#]);
    let mut behind = super::driving::source("database", &options);
    behind.accept_changes();
    behind.open(HashVersion::default(), Some(&source.position())).unwrap();
    assert_eq!(take(behind.as_mut(), 9), [r#"{"id":"B"}"#, r#"{"id":"a"}"#, r#"{"id":"b"}"#]);
}

#[test]
fn rows_that_break_the_schema_are_told_with_their_key() {
    let file = FileDatabase::with(
        "CREATE TABLE t (id INTEGER, n); INSERT INTO t VALUES (1, '5'), (2, 'x'), (3, 2.0)",
    );
    let mut options = options(&file.url(), "SELECT * FROM t", "id");
    options["schema"] = json!({"mode": "fixed", "fields": ["id: int", "n: int"]});
    assert_eq!(
        rows(&options),
        [r#"{"id":1,"n":5}"#, "field `n` must be int: `x` is not an integer (id = 2)", r#"{"id":3,"n":2}"#]
    );
}

/// The queries that no database takes, and what is said of them.
fn check_bad_queries(url: &str, words: &[(&str, &str)]) {
    for (query, why) in words {
        let error = error(&options(url, query, "id"));
        let told = format!("{} ({})", error.message, error.help.clone().unwrap_or_default());
        assert!(told.contains(why), "{query}: {told}");
        assert!(!error.retryable, "{query}: {told}");
    }
}

#[test]
fn what_cannot_be_read_from_a_file_is_one_clear_error() {
    let file = FileDatabase::with("CREATE TABLE t (id INTEGER, a, b); INSERT INTO t VALUES (1, 2, 3)");
    check_bad_queries(
        &file.url(),
        &[
            ("SELECT * FROM absent", "no such table: absent (it must be one SELECT"),
            ("SELECT id FROM t WHERE", "the query cannot be run in"),
            ("SELECT a FROM t", "the query gives no column `id`, which `key` names (its columns are `a`)"),
            ("SELECT id FROM t; DELETE FROM t", "the query cannot be run in"),
            ("SELECT id FROM t) AS r; DELETE FROM t; SELECT * FROM (SELECT 1", "the query cannot be run in"),
            ("WITH x AS (SELECT 1) DELETE FROM t", "the query cannot be run in"),
            ("SELECT id, a AS b, b FROM t", "the columns of the query cannot be used"),
            ("SELECT NULL AS id FROM t", "a row has null in its key (id)"),
            (
                "SELECT 1.5 AS id FROM t",
                "the column `id` cannot be in a key, since it has a value of type REAL",
            ),
            ("SELECT 1 AS id UNION ALL SELECT 1", "two rows have the same key: id = 1"),
            ("SELECT id FROM t WHERE a = ?", "the query has parameters"),
            ("SELECT id FROM t WHERE a = ?1", "the query has parameters"),
            ("SELECT id FROM t WHERE a = :a", "get no value (write the value itself into the query"),
            ("SELECT id FROM t WHERE a = @a OR a = $a", "the query has parameters"),
        ],
    );
    assert_eq!(
        crate::sqlite::query(&file.scratch.join("in.db"), "SELECT CAST(count(*) AS TEXT) FROM t"),
        ["1"]
    );
    let scratch = Scratch::new();
    let absent = format!("sqlite:///{}", scratch.join("absent.db").display());
    assert!(error(&options(&absent, "SELECT 1 AS id", "id")).message.ends_with("there is no such file"));
    assert!(!scratch.join("absent.db").exists());
    let text = scratch.write("a.db", "no database at all, but a text that is longer than the header of one hundred bytes which each database has");
    let text = format!("sqlite:///{}", text.display());
    assert!(error(&options(&text, "SELECT 1 AS id", "id")).message.ends_with("it is not an SQLite database"));
}

#[test]
fn what_cannot_be_read_from_a_server_is_one_clear_error_without_the_password() {
    let Some(server) = Server::shared() else { return };
    server.execute(&format!(
        "CREATE TABLE t (id int, a int, b int); INSERT INTO t VALUES (1, 2, 3);
         CREATE FUNCTION writes() RETURNS int LANGUAGE sql AS 'DELETE FROM t RETURNING 1';
         DO $$ BEGIN CREATE ROLE {PG_GUARDED} LOGIN PASSWORD 'right'; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
    ));
    check_bad_queries(
        &server.url,
        &[
            ("SELECT * FROM absent", "relation \"absent\" does not exist (it must be one SELECT"),
            ("SELECT id FROM t WHERE", "syntax error"),
            ("SELECT a FROM t", "the query gives no column `id`, which `key` names (its columns are `a`)"),
            ("SELECT id FROM t; DELETE FROM t", "the query cannot be run in"),
            ("SELECT id FROM t) AS r; DELETE FROM t; SELECT * FROM (SELECT 1", "the query cannot be run in"),
            ("WITH x AS (DELETE FROM t RETURNING id) SELECT id FROM x", "the query cannot be run in"),
            ("SELECT writes() AS id", "cannot execute DELETE in a read-only transaction"),
            ("SELECT id, a AS b, b FROM t", "the columns of the query cannot be used"),
            ("SELECT NULL::int AS id FROM t", "a row has null in its key (id)"),
            ("SELECT id FROM t UNION ALL SELECT NULL", "a row has null in its key (id), behind id = 1"),
            ("SELECT 1 AS id UNION ALL SELECT 1", "two rows have the same key: id = 1"),
            ("SELECT 1 / (a - a) AS id FROM t", "division by zero"),
            ("SELECT id FROM t WHERE a = $1", "get no value (write the value itself into the query"),
        ],
    );
    assert_eq!(server.query("SELECT count(*)::text FROM t"), ["1"]);
    let cluster = PgCluster::shared().unwrap();
    let name = server.url.rsplit('/').next().unwrap();
    for (url, why, retryable) in [
        (cluster.url_as(&format!("{PG_GUARDED}:hunter2"), name), "password authentication failed", false),
        (cluster.url_as("elspeth:hunter2", "absent"), "database \"absent\" does not exist", false),
        ("postgresql://u:hunter2@%2Fnowhere/d".to_owned(), "the server cannot be reached", true),
    ] {
        let error = error(&options(&url, "SELECT 1 AS id", "id"));
        let told = format!("{error} {}", error.help.clone().unwrap_or_default());
        assert!(told.contains(why) && !told.contains("hunter2"), "{told}");
        assert_eq!(error.retryable, retryable, "{told}");
    }
}

#[test]
fn options_that_cannot_work_are_refused() {
    let url = "sqlite:///a.db";
    let refused = |options: Json| refused("source", "database", &options);
    assert_eq!(
        refused(json!({"url": url, "query": "UPDATE t SET a = 1", "key": "id", "fetch_size": 0})),
        [
            "query: this is no query that only reads (write one SELECT)",
            "fetch_size: must be from 1 to 100000 (no help)"
        ]
    );
    assert_eq!(
        refused(json!({"url": url, "query": "SELECT 1", "key": []})),
        [
            "key: there is no key (name the columns that say which row is which, such as the table's primary key)"
        ]
    );
    assert_eq!(
        refused(json!({"url": url, "query": "SELECT 1", "key": {"a": 1}})),
        ["key: must be the name of a column, or a list of such names (no help)"]
    );
    let told = refused(json!({"url": "mysql://u:hunter2@h/d", "query": "SELECT 1", "key": "id"})).join("");
    assert!(told.contains("`mysql` databases are not available") && !told.contains("hunter2"), "{told}");
}

const NUMBERS: &str = "CREATE TABLE numbers (id INTEGER PRIMARY KEY, t TEXT);
    INSERT INTO numbers WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) SELECT i, 'x' FROM n";

/// Reads some rows, lets `change` happen, and goes on in another process; `None` stands for a refusal with those words.
fn check_taken_up(url: &str, change: &dyn Fn(&str)) {
    let mut options = options(url, "SELECT id, t FROM numbers", "id");
    options["fetch_size"] = json!(50);
    let mut first = opened(&options);
    let before = take(first.as_mut(), 120);
    let position = first.position();
    drop(first);
    let again = |accepts: bool| {
        let mut source = source("database", &options);
        if accepts {
            source.accept_changes();
        }
        source.open(HashVersion::default(), Some(&position)).map(|()| source)
    };
    let mut same = again(false).unwrap();
    assert_eq!(take(same.as_mut(), 1000).len(), 380);
    let snapshots = same.snapshots();
    assert_eq!(snapshots.iter().map(|s| s.from_record).collect::<Vec<_>>(), [0, 120]);
    drop(same);
    change("INSERT INTO numbers VALUES (501, 'late')");
    assert_eq!(take(again(false).unwrap().as_mut(), 1000).len(), 381);
    change("UPDATE numbers SET t = 'other' WHERE id = 7; DELETE FROM numbers WHERE id = 120");
    let refused = again(false).err().unwrap();
    assert!(
        refused.message.contains("have changed since they were read: the hash of its first 120 rows was"),
        "{refused}"
    );
    assert!(refused.help.unwrap().contains("--accept-changed-source"));
    let mut behind = again(true).unwrap();
    let after = take(behind.as_mut(), 1000);
    assert_eq!(
        (before.last().unwrap().as_str(), after[0].as_str()),
        (r#"{"id":120,"t":"x"}"#, r#"{"id":121,"t":"x"}"#)
    );
    assert_eq!(after.len(), 381);
    drop(behind);
    change("DELETE FROM numbers WHERE id > 50");
    let refused = again(false).err().unwrap();
    assert!(refused.message.ends_with("it gives 50 rows now, but 120 were read"), "{refused}");
}

#[test]
fn what_changed_in_a_file_before_it_is_taken_up_is_refused_unless_accepted() {
    let file = FileDatabase::with(NUMBERS);
    check_taken_up(&file.url(), &|sql| file.execute(sql));
}

#[test]
fn what_changed_on_a_server_before_it_is_taken_up_is_refused_unless_accepted() {
    let Some(server) = Server::shared() else { return };
    server.execute(NUMBERS);
    check_taken_up(&server.url, &|sql| server.execute(sql));
}

#[test]
fn a_row_without_a_key_is_found_behind_a_position_too() {
    let Some(server) = Server::shared() else { return };
    server.execute("CREATE TABLE t (id int); INSERT INTO t VALUES (1), (2), (3)");
    let options = options(&server.url, "SELECT id FROM t", "id");
    let mut first = opened(&options);
    take(first.as_mut(), 2);
    server.execute("INSERT INTO t VALUES (NULL)");
    let mut behind = source("database", &options);
    behind.accept_changes();
    behind.open(HashVersion::default(), Some(&first.position())).unwrap();
    assert_eq!(take(behind.as_mut(), 1), [r#"{"id":3}"#]);
    let error = behind.read(9, &mut Vec::new()).unwrap_err();
    assert_eq!(error.message, "a row has null in its key (id), behind id = 3");
}

#[test]
fn one_snapshot_is_read_and_it_is_told_which() {
    let Some(server) = Server::shared() else { return };
    server.execute(NUMBERS);
    server.execute("INSERT INTO numbers SELECT i, repeat('y', 1000) FROM generate_series(501, 40000) AS i");
    let options = options(&server.url, "SELECT id, t FROM numbers", "id");
    // Others may be at work on the server meanwhile.
    let next = || -> u64 {
        server.query("SELECT pg_snapshot_xmax(pg_current_snapshot())::text").join("").parse().unwrap()
    };
    let before = next();
    let mut source = opened(&options);
    let after = next();
    server.execute("DELETE FROM numbers");
    assert_eq!(take(source.as_mut(), 100_000).len(), 40_000);
    let [snapshot] = source.snapshots().try_into().unwrap();
    let names: Vec<_> = snapshot.facts.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["database", "server_version", "transaction_began", "transaction_snapshot", "user", "wal_position"]
    );
    assert_eq!(snapshot.from_record, 0);
    let told = snapshot.facts["transaction_snapshot"].split(':').nth(1).and_then(|next| next.parse().ok());
    assert!(told.is_some_and(|told: u64| (before..=after).contains(&told)), "{snapshot:?} {before} {after}");
    assert!(snapshot.facts["server_version"].starts_with("PostgreSQL "));
    let file = FileDatabase::with(NUMBERS);
    let source = opened(&self::options(&file.url(), "SELECT id FROM numbers", "id"));
    let facts = source.snapshots()[0].facts.clone();
    let size = std::fs::metadata(file.scratch.join("in.db")).unwrap().len().to_string();
    assert_eq!((&facts["file_bytes"], facts["journal_mode"].as_str()), (&size, "delete"));
    assert_eq!(facts["change_counter"], "2");
}

#[test]
fn a_connection_that_is_lost_in_the_midst_is_made_anew_behind_the_last_key() {
    let Some(server) = Server::shared() else { return };
    server.execute(
        "CREATE TABLE big AS SELECT i AS id, repeat('y', 1000) AS t FROM generate_series(1, 60000) AS i",
    );
    let url = format!("{}?application_name=to_be_lost", server.url);
    let options = options(&url, "SELECT id, t FROM big", "id");
    let mut source = opened(&options);
    let mut ids = Vec::new();
    let mut failures = 0;
    let mut position: Option<SourcePosition> = None;
    loop {
        let mut found = Vec::new();
        match source.read(700, &mut found) {
            Err(lost) => {
                assert!(lost.retryable, "{lost:?}");
                failures += 1;
                source.open(HashVersion::default(), position.as_ref()).unwrap();
                continue;
            }
            Ok(progress) => {
                let id = |item: &SourceItem| match item {
                    SourceItem::Valid(row) => row.get("id").cloned(),
                    SourceItem::Invalid(invalid) => panic!("{invalid:?}"),
                };
                ids.extend(found.iter().map(id));
                position = Some(source.position());
                if progress == ReadProgress::End {
                    break;
                }
            }
        }
        if failures == 0 && ids.len() > 1000 {
            server.query("SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity WHERE application_name = 'to_be_lost'");
        }
    }
    assert!(failures > 0, "the connection was not lost before all rows were there");
    let expected: Vec<_> = (1..=60_000).map(|id| Some(Value::Int(id))).collect();
    assert!(ids == expected, "{} rows", ids.len());
    let snapshots = source.snapshots();
    assert!(snapshots.len() == 2 && snapshots[1].from_record > 1000, "{snapshots:?}");
    let mut again = opened(&options);
    take(again.as_mut(), 100_000);
    assert_eq!(again.identity(), source.identity());
}
