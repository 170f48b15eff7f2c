//! The `database` sink: tables that it makes, tables that it finds, rows that they refuse.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use elspeth_canonical::HashVersion;
use elspeth_contracts::{EpochNo, RowIndex};
use elspeth_plugin::{Sink, SinkRow, Written};
use elspeth_testkit::Scratch;
use elspeth_value::{Row, Value};
use serde_json::{Value as Json, json};

use crate::driving::{context, row, run_id, sink, text, write};
use crate::sqlite::{contents, execute, query};

struct Database {
    scratch: Scratch,
}

impl Database {
    fn new() -> Self {
        Self { scratch: Scratch::new() }
    }

    /// With something in it already.
    fn with(sql: &str) -> Self {
        let database = Self::new();
        execute(&database.path(), sql);
        database
    }

    fn path(&self) -> PathBuf {
        self.scratch.join("out.db")
    }

    fn sink(&self, options: Json) -> Box<dyn Sink> {
        sink("database", &at(&self.path(), options))
    }

    fn opened(&self, options: Json) -> Box<dyn Sink> {
        let mut sink = self.sink(options);
        sink.preflight().unwrap();
        sink.open(&context(&[]), None).unwrap();
        sink
    }

    /// A whole run of one epoch; gives the reasons of refusals, each with the number of its row.
    fn run(&self, options: Json, rows: &[Row]) -> Vec<String> {
        let mut sink = self.opened(options);
        let written = write(sink.as_mut(), rows).unwrap();
        sink.publish().unwrap();
        reasons(&written)
    }

    fn contents(&self) -> String {
        contents(&self.path())
    }
}

fn at(path: &Path, mut options: Json) -> Json {
    options["url"] = json!(format!("sqlite:///{}", path.display()));
    if options.get("table").is_none() {
        options["table"] = json!("out");
    }
    options
}

fn reasons(written: &Written) -> Vec<String> {
    written.refused.iter().map(|r| format!("{}: {}", r.index, r.reason.message)).collect()
}

fn numbered(ids: impl IntoIterator<Item = i64>) -> Vec<Row> {
    ids.into_iter().map(|id| row(&[("id", Value::Int(id))])).collect()
}

#[test]
fn a_table_is_made_of_the_schema_and_holds_every_type() {
    let database = Database::new();
    let fields = [
        "id: int",
        "name: str",
        "share: float?",
        "ok: bool?",
        "day: date?",
        "at: datetime?",
        "price: decimal?",
        "more: any?",
    ];
    let value = |json: &str, kind| elspeth_value::coerce_text(kind, json).unwrap();
    use elspeth_value::FieldType;
    let rows = [
        row(&[
            ("id", Value::Int(1)),
            ("name", text("O'Neil \"x\"")),
            ("share", Value::Float(0.1)),
            ("ok", Value::Bool(true)),
            ("day", value("2024-01-31", FieldType::Date)),
            ("at", value("2024-01-31T12:00:00+02:00", FieldType::Datetime)),
            ("price", value("12.50", FieldType::Decimal)),
            ("more", Value::List(vec![Value::Int(1), Value::Float(1.0), text("\u{20ac}")])),
        ]),
        row(&[("name", text("")), ("id", Value::Int(2)), ("more", Value::Bytes(Box::from([0, 255])))]),
    ];
    let refused = database.run(json!({"schema": {"mode": "fixed", "fields": fields}}), &rows);
    assert_eq!(refused, [""; 0]);
    assert_eq!(
        database.contents(),
        concat!(
            r#"CREATE TABLE "out" ("id" INTEGER NOT NULL, "name" TEXT NOT NULL, "share" REAL, "ok" BOOLEAN, "day" TEXT, "at" TEXT, "price" TEXT, "more")"#,
            "\n1|'O''Neil \"x\"'|0.1|1|'2024-01-31'|'2024-01-31T10:00:00+00:00'|'12.50'|'[1,1.0,\"\u{20ac}\"]'",
            "\n2|''|NULL|NULL|NULL|NULL|NULL|X'00FF'\n"
        )
    );
}

#[test]
fn a_table_of_ones_own_grows_with_the_rows_and_types_are_those_of_first_values() {
    let database = Database::new();
    let rows = [
        row(&[("id", Value::Int(1))]),
        row(&[("b", text("x")), ("id", Value::Int(2)), ("later", Value::Null)]),
        row(&[("id", text("3"))]),
        row(&[("id", Value::Float(4.5))]),
        row(&[("id", Value::Int(5)), ("b", Value::Float(0.1)), ("later", text("007"))]),
        row(&[("ID", Value::Int(6))]),
        row(&[("x", Value::Int(7)), ("X", Value::Int(7))]),
        row(&[]),
    ];
    assert_eq!(
        database.run(json!({}), &rows),
        [
            "2: the column `id` is INTEGER, but the value is str",
            "3: the column `id` is INTEGER, but the value has a fraction",
            "6: the fields `x` and `X` would be one column: a database does not tell the case of letters apart",
        ]
    );
    assert_eq!(
        database.contents(),
        concat!(
            r#"CREATE TABLE "out" ("id" INTEGER, "b" TEXT, "later")"#,
            "\n1|NULL|NULL\n2|'x'|NULL\n5|'0.1'|'007'\n6|NULL|NULL\nNULL|NULL|NULL\n"
        )
    );
}

#[test]
fn truth_values_are_themselves_in_columns_for_them_and_as_in_csv_files_in_texts() {
    let database = Database::new();
    let schema = json!({"mode": "fixed", "fields": ["ok: bool?", "note: str?"]});
    let rows = [
        row(&[("ok", Value::Bool(true)), ("note", Value::Bool(true))]),
        row(&[("ok", Value::Int(2))]),
        row(&[("ok", Value::Int(0)), ("note", Value::Bool(false))]),
    ];
    let refused = database.run(json!({"schema": schema}), &rows);
    assert_eq!(refused, ["1: the column `ok` is BOOLEAN, but the value is neither 0 nor 1"]);
    let stored = query(&database.path(), "SELECT ok, quote(note) FROM out");
    assert_eq!(stored, ["1|'True'", "0|'False'"]);
}

#[test]
fn a_table_that_was_there_keeps_its_columns() {
    let database = Database::with(
        "CREATE TABLE out (id INTEGER PRIMARY KEY, name VARCHAR(10) DEFAULT 'none', twice GENERATED ALWAYS AS (id * 2))",
    );
    let rows = [
        row(&[("id", Value::Int(1)), ("name", Value::Int(5))]),
        row(&[("id", Value::Int(2)), ("other", Value::Int(5))]),
        row(&[("name", Value::Float(1e16))]),
        row(&[("id", Value::Int(4))]),
        row(&[("id", Value::Int(5)), ("twice", Value::Int(10))]),
        row(&[]),
    ];
    assert_eq!(
        database.run(json!({}), &rows),
        [
            "1: the table `out` has no column `other`; add it to the table, or take the field out before",
            "4: the column `twice` is generated by the database",
        ]
    );
    assert_eq!(
        query(&database.path(), "SELECT id, quote(name) FROM out ORDER BY id"),
        ["1|'5'", "2|'1e+16'", "4|'none'", "5|'none'"]
    );
}

fn one_cell(value: Value) -> Row {
    row(&[("v", value)])
}

#[test]
fn texts_and_decimals_that_sqlite_would_change_are_refused_alone() {
    let decimal = |text: &str| elspeth_value::coerce_text(elspeth_value::FieldType::Decimal, text).unwrap();
    let rows = || {
        ["0012", "1e3", " 12 ", "7", "2025-01-01", "abc", ""]
            .map(|t| one_cell(text(t)))
            .into_iter()
            .chain(
                ["12.50", "-0.1", "100.00", "12345678901234567.89", "9007199254740993"]
                    .map(|t| one_cell(decimal(t))),
            )
            .chain([
                one_cell(Value::List(vec![Value::Int(1)])),
                one_cell(Value::Float(0.5)),
                one_cell(Value::Int(3)),
            ])
            .collect::<Vec<_>>()
    };
    let number = "is a text that SQLite would make a number of (give the column the type TEXT)";
    let digits = "has more digits than SQLite would keep (give the column the type TEXT)";
    for declared in ["DECIMAL(20,2)", "NUMERIC", "MONEY", "JSON", "TIMESTAMP", "DATE", "STRING"] {
        let database = Database::with(&format!("CREATE TABLE out (v {declared})"));
        let refusal = |n, why: &str| format!("{n}: the column `v` is {declared}, but the value {why}");
        assert_eq!(
            database.run(json!({}), &rows()),
            [
                refusal(0, number),
                refusal(1, number),
                refusal(2, number),
                refusal(3, number),
                refusal(10, digits)
            ]
        );
        let stored =
            ["'2025-01-01'", "'abc'", "''", "12.5", "-0.1", "100", "9007199254740993", "'[1]'", "0.5", "3"];
        assert_eq!(query(&database.path(), "SELECT quote(v) FROM out"), stored, "{declared}");
    }
    for declared in ["v", "v BLOB", "v BLOB REAL", "v ANY) STRICT; CREATE TABLE other (x"] {
        let database = Database::with(&format!("CREATE TABLE out ({declared})"));
        assert_eq!(database.run(json!({}), &rows()), [""; 0], "{declared}");
        let texts = query(&database.path(), "SELECT v FROM out WHERE typeof(v) = 'text' LIMIT 3");
        assert_eq!(texts, ["0012", "1e3", " 12 "], "{declared}");
    }
}

#[test]
fn a_text_in_a_numeric_column_is_refused_exactly_where_sqlite_would_convert_it() {
    let mut texts: Vec<String> = vec![String::new()];
    for _ in 0..4 {
        let longer =
            texts.iter().flat_map(|t| ["1", ".", "e", "-", " ", "\u{b}", "x"].map(|c| format!("{t}{c}")));
        texts = std::iter::once(String::new()).chain(longer).collect();
    }
    texts.extend(
        [
            "+5",
            "1e+5",
            "1E-5",
            "1.5e5",
            "0x10",
            "inf",
            "nan",
            "1_0",
            "\u{a0}1",
            "\u{0661}",
            "1\n",
            "\r1",
            "\t1\u{c}",
            "1e400",
            "99999999999999999999",
            "1\u{e9}",
            "1e5.5",
            "1e-",
            "--1",
            "1,5",
        ]
        .map(str::to_owned),
    );
    let database = Database::with("CREATE TABLE out (v NUMERIC); CREATE TABLE same (v NUMERIC)");
    let rows: Vec<_> = texts.iter().map(|t| one_cell(text(t))).collect();
    let refused = database.run(json!({}), &rows).len();
    let quoted: Vec<_> = texts.iter().map(|t| format!("('{t}')")).collect();
    execute(&database.path(), &format!("INSERT INTO same VALUES {}", quoted.join(",")));
    let converted =
        query(&database.path(), "SELECT CAST(count(*) AS TEXT) FROM same WHERE typeof(v) <> 'text'");
    assert_eq!(converted, [refused.to_string()]);
    let kept =
        |table: &str| query(&database.path(), &format!("SELECT v FROM {table} WHERE typeof(v) = 'text'"));
    assert_eq!(kept("out"), kept("same"));
    assert_eq!(
        query(&database.path(), "SELECT CAST(count(*) AS TEXT) FROM out"),
        [(texts.len() - refused).to_string()]
    );
}

#[test]
fn rows_that_the_table_refuses_are_refused_alone() {
    let database = Database::with(
        "CREATE TABLE out (id INTEGER PRIMARY KEY, kind TEXT NOT NULL CHECK (kind <> 'bad'), of INTEGER REFERENCES parent(id));
         CREATE TABLE parent (id INTEGER PRIMARY KEY); INSERT INTO parent VALUES (1); INSERT INTO out VALUES (500, 'old', NULL);",
    );
    let kind = |n: i64| match n {
        100 => Value::Null,
        200 => text("bad"),
        _ => text("good"),
    };
    let rows: Vec<_> = (1..=600)
        .map(|n| {
            let of = if n == 300 { 2 } else { 1 };
            row(&[
                ("id", Value::Int(if n == 400 { 7 } else { n })),
                ("kind", kind(n)),
                ("of", Value::Int(of)),
            ])
        })
        .collect();
    assert_eq!(
        database.run(json!({}), &rows),
        [
            "99: the table refuses the row: NOT NULL constraint failed: out.kind",
            "199: the table refuses the row: CHECK constraint failed: kind <> 'bad'",
            "299: the table refuses the row: FOREIGN KEY constraint failed",
            "399: the table refuses the row: UNIQUE constraint failed: out.id",
            "499: the table refuses the row: UNIQUE constraint failed: out.id",
        ]
    );
    assert_eq!(query(&database.path(), "SELECT CAST(count(*) AS TEXT) FROM out"), ["596"]);
}

#[test]
fn conflict_clauses_do_not_drop_rows_in_silence() {
    let database = Database::with(
        "CREATE TABLE out (id INTEGER UNIQUE ON CONFLICT IGNORE, n INTEGER UNIQUE ON CONFLICT FAIL)",
    );
    let pair = |id, n| row(&[("id", Value::Int(id)), ("n", Value::Int(n))]);
    assert_eq!(
        database.run(json!({}), &[pair(1, 1), pair(1, 2), pair(3, 1), pair(4, 4)]),
        [
            "1: the table ignores the row (ON CONFLICT IGNORE, or a trigger)",
            "2: the table refuses the row: UNIQUE constraint failed: out.n",
        ]
    );
    assert_eq!(query(&database.path(), "SELECT CAST(id AS TEXT) FROM out"), ["1", "4"]);
}

#[test]
fn a_row_for_which_the_table_ends_the_transaction_is_refused_alone() {
    let database = Database::with(
        "CREATE TABLE out (id INTEGER UNIQUE ON CONFLICT ROLLBACK, n INTEGER CHECK (n <> 13));
         CREATE TRIGGER no_tens BEFORE INSERT ON out WHEN new.id % 100 = 10 BEGIN SELECT RAISE(ROLLBACK, 'no such number'); END;",
    );
    let rows: Vec<_> = (0..1300)
        .map(|n| {
            let id = if n == 700 || n == 701 { 3 } else { n };
            row(&[("id", Value::Int(id)), ("n", Value::Int(if n == 20 { 13 } else { n + 100 }))])
        })
        .collect();
    let mut sink = database.opened(json!({}));
    let written = write_epoch(sink.as_mut(), 0, &rows).unwrap();
    let no_ten = |n: usize| format!("{n}: the table refuses the row: no such number");
    let twice = |n: usize| format!("{n}: the table refuses the row: UNIQUE constraint failed: out.id");
    let mut expected: Vec<_> = (0..13).map(|n| (100 * n + 10, no_ten(100 * n + 10))).collect();
    expected.extend([
        (20, "20: the table refuses the row: CHECK constraint failed: n <> 13".to_owned()),
        (700, twice(700)),
        (701, twice(701)),
    ]);
    expected.sort();
    assert_eq!(reasons(&written), expected.into_iter().map(|(_, why)| why).collect::<Vec<_>>());
    assert_eq!(query(&database.path(), "SELECT CAST(count(*) AS TEXT) FROM out"), ["1284"]);
    let again = write_epoch(sink.as_mut(), 1, &numbered([5000, 5010, 5000, 5001])).unwrap();
    assert_eq!(reasons(&again), [no_ten(1), twice(2)]);
    assert_eq!(query(&database.path(), "SELECT CAST(count(*) AS TEXT) FROM out"), ["1286"]);
    assert_eq!(sink.publish().unwrap().unwrap().rows, 1286);
    let order = "SELECT CAST(count(*) AS TEXT) FROM out AS a JOIN out AS b ON b.rowid = a.rowid + 1 WHERE b.id < a.id";
    assert_eq!(query(&database.path(), order), ["0"]);
}

#[test]
fn rows_that_break_the_schema_are_refused_when_that_is_asked_for() {
    let schema = json!({"mode": "fixed", "fields": ["id: int", "share: float?"]});
    let rows = [row(&[("id", Value::Int(1)), ("share", Value::Int(1))]), row(&[("id", Value::Int(2))])];
    let unchecked = Database::new();
    assert_eq!(unchecked.run(json!({"schema": schema}), &rows), [""; 0]);
    let checked = Database::new();
    assert_eq!(
        checked.run(json!({"schema": schema, "validate_input": true}), &rows),
        ["0: field `share` must be float: it is of type int"]
    );
}

#[test]
fn a_replaced_table_is_the_old_one_until_the_run_publishes() {
    let old = "CREATE TABLE out (old TEXT PRIMARY KEY); INSERT INTO out VALUES ('x'); CREATE INDEX by_old ON out(old);
        CREATE VIEW shown AS SELECT * FROM out; CREATE TABLE child (of INTEGER REFERENCES out(old) ON DELETE CASCADE);
        INSERT INTO child VALUES ('x');";
    let database = Database::with(old);
    let mut sink = database.opened(json!({"if_exists": "replace"}));
    write(sink.as_mut(), &numbered([1, 2])).unwrap();
    assert_eq!(query(&database.path(), "SELECT old FROM shown"), ["x"]);
    sink.publish().unwrap();
    assert_eq!(query(&database.path(), "SELECT CAST(id AS TEXT) FROM shown"), ["1", "2"]);
    assert_eq!(query(&database.path(), "SELECT of FROM child"), ["x"]);
    assert_eq!(
        query(&database.path(), "SELECT sql FROM sqlite_schema WHERE tbl_name LIKE 'out%'"),
        [r#"CREATE TABLE "out" ("id" INTEGER)"#]
    );
}

#[test]
fn a_run_without_rows_leaves_the_table_that_its_schema_says() {
    let schema = json!({"mode": "fixed", "fields": ["id: int"]});
    let made = Database::new();
    assert_eq!(made.run(json!({"schema": schema}), &[]), [""; 0]);
    assert_eq!(made.contents(), "CREATE TABLE \"out\" (\"id\" INTEGER NOT NULL)\n\n");
    let old = "CREATE TABLE out (old TEXT); INSERT INTO out VALUES ('x');";
    let replaced = Database::with(old);
    replaced.run(json!({"schema": schema, "if_exists": "replace"}), &[]);
    assert_eq!(replaced.contents(), "CREATE TABLE \"out\" (\"id\" INTEGER NOT NULL)\n\n");
    let emptied = Database::with(old);
    emptied.run(json!({"if_exists": "replace"}), &[]);
    assert_eq!(emptied.contents(), "CREATE TABLE out (old TEXT)\n\n");
    let kept = Database::with(old);
    kept.run(json!({}), &[]);
    assert_eq!(kept.contents(), "CREATE TABLE out (old TEXT)\n'x'\n");
}

#[test]
fn what_was_written_is_hashed_row_behind_row() {
    let database = Database::new();
    let mut sink = database.opened(json!({"if_exists": "replace"}));
    let produced = write(sink.as_mut(), &numbered([1, 2])).unwrap().produced.unwrap();
    let version = HashVersion::default();
    let mut hash = version.hash(b"");
    for line in [r#"{"id":1}"#, r#"{"id":2}"#] {
        hash = version.hash(&[hash.as_bytes(), line.as_bytes()].concat());
    }
    assert_eq!((produced.content_hash, produced.rows, produced.size_bytes), (hash, 2, 18));
    assert_eq!(produced.artifact_type, "table");
    assert_eq!(produced.path, format!("sqlite:///{}#out", database.path().display()));
    assert_eq!(sink.publish().unwrap().unwrap(), produced);
}

fn write_epoch(sink: &mut dyn Sink, epoch: u64, rows: &[Row]) -> Result<Written, elspeth_plugin::SinkError> {
    let key = elspeth_contracts::TokenKey::of_row(elspeth_contracts::RowIndex::new(0).unwrap(), 0).unwrap();
    let token_id = run_id().token_id(key);
    let rows: Vec<_> =
        rows.iter().map(|row| SinkRow { token_id, source_row: RowIndex::default(), row }).collect();
    sink.write(EpochNo(epoch), &rows)
}

#[test]
fn an_epoch_that_is_written_again_changes_nothing_and_says_the_same() {
    let database = Database::with("CREATE TABLE out (id INTEGER PRIMARY KEY)");
    let mut first = database.opened(json!({}));
    let before = write_epoch(first.as_mut(), 4, &numbered([1, 2, 2])).unwrap();
    drop(first);
    let mut again = database.sink(json!({}));
    again.open(&context(&[]), None).unwrap();
    assert_eq!(write_epoch(again.as_mut(), 4, &numbered([1, 2, 2])).unwrap(), before);
    assert_eq!(before.refused.len(), 1);
    assert_eq!(query(&database.path(), "SELECT CAST(count(*) AS TEXT) FROM out"), ["2"]);
    drop(again);
    let mut other = database.sink(json!({}));
    other.open(&context(&[]), None).unwrap();
    let error = write_epoch(other.as_mut(), 4, &numbered([1, 3])).unwrap_err();
    assert_eq!(error.message, "epoch 4 was written before, with other rows");
}

#[test]
fn a_database_that_was_put_back_is_not_continued() {
    let database = Database::new();
    let mut sink = database.opened(json!({}));
    write_epoch(sink.as_mut(), 0, &numbered([1])).unwrap();
    let position = write_epoch(sink.as_mut(), 1, &numbered([2])).unwrap().position;
    drop(sink);
    execute(&database.path(), "DELETE FROM _elspeth_epochs WHERE epoch = 1");
    let error = database.sink(json!({})).open(&context(&[]), Some(&position)).unwrap_err();
    assert_eq!(
        error.message,
        "the database is not where the run left it: epoch 1 is not in it as it was written"
    );
    execute(&database.path(), "DROP TABLE out");
    let error = database.sink(json!({})).open(&context(&[]), None).unwrap_err();
    assert_eq!(error.message, "the table `out` is gone, to which the run has written");
}

#[test]
fn markers_of_a_run_that_is_done_are_few() {
    let database = Database::new();
    let mut sink = database.opened(json!({}));
    for epoch in 0..5 {
        write_epoch(sink.as_mut(), epoch, &numbered([1])).unwrap();
    }
    sink.publish().unwrap();
    let markers = "SELECT sink, CAST(epoch AS TEXT), CAST(published AS TEXT) FROM _elspeth_epochs";
    assert_eq!(query(&database.path(), markers), ["out|4|1"]);
    let error = write_epoch(sink.as_mut(), 5, &numbered([1])).unwrap_err();
    assert_eq!(error.message, "the table `out` is published already; nothing can be added to it");
}

#[test]
fn a_failed_epoch_leaves_nothing_and_can_be_written_after_opening_again() {
    let database = Database::with("CREATE TABLE out (id INTEGER)");
    let mut sink = database.opened(json!({}));
    execute(&database.path(), "ALTER TABLE out RENAME TO away");
    let error = write_epoch(sink.as_mut(), 0, &numbered([1, 2, 2])).unwrap_err();
    assert!(
        error.message.contains("no such table: main.out") || error.message.contains("no such table: out"),
        "{}",
        error.message
    );
    execute(&database.path(), "ALTER TABLE away RENAME TO out");
    assert_eq!(query(&database.path(), "SELECT CAST(count(*) AS TEXT) FROM out"), ["0"]);
    assert_eq!(
        write_epoch(sink.as_mut(), 0, &numbered([1])).unwrap_err().message,
        "the database sink was used before it was opened"
    );
    sink.open(&context(&[]), None).unwrap();
    write_epoch(sink.as_mut(), 0, &numbered([1, 2])).unwrap();
    assert_eq!(query(&database.path(), "SELECT CAST(count(*) AS TEXT) FROM out"), ["2"]);
}

#[test]
fn names_are_names_whatever_is_in_them() {
    let database = Database::new();
    let name = "a\"b'; DROP TABLE x; --";
    let rows = [row(&[(name, Value::Int(1)), ("select", Value::Int(2)), ("\u{e9}t\u{e9} 1", Value::Int(3))])];
    assert_eq!(database.run(json!({"table": name}), &rows), [""; 0]);
    assert!(database.contents().ends_with("\n1|2|3\n"), "{}", database.contents());
    let zero = [row(&[("a\0b", Value::Int(1))])];
    assert_eq!(
        Database::new().run(json!({}), &zero),
        ["0: the field `a\\0b` cannot be a column: its name has a zero byte in it"]
    );
}

#[test]
fn what_cannot_work_is_said_before_the_run() {
    let database = Database::with(
        "CREATE TABLE out (id INTEGER NOT NULL, name TEXT, must TEXT NOT NULL); CREATE VIEW seen AS SELECT 1;
         CREATE TABLE own (id INTEGER PRIMARY KEY, twice GENERATED ALWAYS AS (id * 2));",
    );
    let refused = |options: Json| database.sink(options).preflight().unwrap_err().message;
    let fixed = |fields: &[&str]| json!({"schema": {"mode": "fixed", "fields": fields}});
    assert_eq!(refused(fixed(&["id: int", "other: str"])), "the table `out` has no column `other`");
    assert_eq!(
        refused(fixed(&["id: str"])),
        "the column `id` of the table `out` is INTEGER, but the field is str"
    );
    assert_eq!(
        refused(fixed(&["ID: int", "name: int"])),
        "the column `must` of the table `out` is NOT NULL without a default, and the schema has no such field"
    );
    assert_eq!(
        refused(json!({"table": "own", "schema": {"mode": "flexible", "fields": ["twice: int"]}})),
        "the column `twice` of the table `own` is generated"
    );
    assert_eq!(refused(json!({"table": "seen", "if_exists": "replace"})), "`seen` is a view, not a table");
    let fits = json!({"schema": {"mode": "flexible", "fields": ["id: int", "name: str"]}});
    database.sink(fits).preflight().unwrap();
    let own = json!({"table": "own", "schema": {"mode": "fixed", "fields": ["ID: int?"]}});
    database.sink(own).preflight().unwrap();
}

#[test]
fn files_that_are_no_place_for_rows_are_refused() {
    let scratch = Scratch::new();
    let no_database = scratch.write("text.db", "this is a text of many words, longer than a header of one hundred bytes, which is what a database file begins with");
    let record = scratch.join("record.db");
    execute(&record, "PRAGMA application_id = 1162629968; CREATE TABLE t (x)");
    let cases = [
        (
            no_database.clone(),
            format!("cannot open `{}`: it is not an SQLite database", no_database.display()),
        ),
        (record.clone(), format!("`{}` is the record of runs", record.display())),
        (scratch.path().to_owned(), format!("cannot write `{}`: it is a folder", scratch.path().display())),
    ];
    for (path, message) in cases {
        let mut sink = sink("database", &at(&path, json!({})));
        assert_eq!(sink.preflight().unwrap_err().message, message);
        assert!(sink.open(&context(&[]), None).is_err());
    }
}

#[test]
fn a_database_that_somebody_else_writes_to_is_waited_for() {
    let database = Database::with("CREATE TABLE out (id INTEGER)");
    let mut sink = database.opened(json!({}));
    let path = database.path();
    let released = AtomicBool::new(false);
    let (locked, is_locked) = mpsc::channel();
    let (started, has_started) = mpsc::channel();
    std::thread::scope(|scope| {
        let released = &released;
        scope.spawn(move || {
            crate::sqlite::hold(&path, || {
                locked.send(()).unwrap();
                has_started.recv().unwrap();
                released.store(true, Ordering::SeqCst);
            });
        });
        is_locked.recv().unwrap();
        started.send(()).unwrap();
        write(sink.as_mut(), &numbered([1])).unwrap();
        assert!(released.load(Ordering::SeqCst), "it wrote beside another transaction");
    });
    assert_eq!(query(&database.path(), "SELECT CAST(id AS TEXT) FROM out"), ["1"]);
}

#[test]
fn it_works_on_threads_that_drive_other_futures() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let database = Database::new();
    runtime.block_on(async {
        assert_eq!(database.run(json!({}), &numbered([1])), [""; 0]);
        database.sink(json!({})).preflight().unwrap();
    });
    assert_eq!(query(&database.path(), "SELECT CAST(id AS TEXT) FROM out"), ["1"]);
}

#[test]
fn options_that_cannot_work_are_refused() {
    let refused = |options: Json| crate::driving::refused("sink", "database", &options);
    let help =
        "write `sqlite:///relative/path.db`, `sqlite:////absolute/path.db` or `postgresql://user@host/name`";
    let cases = [
        (
            json!({"url": "sqlite:///:memory:", "table": "t"}),
            format!("url: a database in memory is gone when the run ends ({help})"),
        ),
        (
            json!({"url": "mysql://user:secret@host/db", "table": "t"}),
            format!("url: `mysql` databases are not available ({help})"),
        ),
        (
            json!({"url": "postgresql://user:secret@host/db", "table": "x".repeat(64)}),
            "table: the table's name has more than the 63 bytes that PostgreSQL keeps (no help)".to_owned(),
        ),
        (
            json!({"url": "postgresql://user:secret@host/db", "table": "pg_x"}),
            "table: names that begin with `pg_` are reserved (choose another name)".to_owned(),
        ),
        (
            json!({"url": "sqlite:///a.db", "table": "sqlite_master"}),
            "table: names that begin with `sqlite_` are reserved (choose another name)".to_owned(),
        ),
        (
            json!({"url": "sqlite:///a.db", "table": "_Elspeth_epochs"}),
            "table: names that begin with `_elspeth_` are reserved (choose another name)".to_owned(),
        ),
        (json!({"url": "sqlite:///a.db", "table": ""}), "table: the table's name is empty (no help)".to_owned()),
        (
            json!({"url": "sqlite:///a.db", "table": "t", "if_exists": "fail"}),
            "if_exists: `fail` is not one of its values (Values: `append`, `replace`)".to_owned(),
        ),
        (
            json!({"url": "sqlite:///a.db", "table": "t", "schema": {"mode": "fixed", "fields": ["a: int", "A: int"]}}),
            "schema.fields: the fields `a` and `A` would be one column: a database does not tell the case of letters apart (rename the field before)".to_owned(),
        ),
    ];
    for (options, message) in cases {
        assert_eq!(refused(options), [message]);
    }
    let told = refused(json!({"url": "postgresql://user:secret@host/db?color=red", "table": "t"})).join("\n");
    assert!(told.starts_with("url: `color` is no parameter of such a URL; there are sslmode,"), "{told}");
    assert!(!told.contains("secret"), "{told}");
}
