//! Pipelines between databases: rows from a query, decisions into tables, on SQLite and on PostgreSQL.

use std::path::PathBuf;
use std::process::Output;

use elspeth_testkit::PgCluster;
use serde_json::{Value as Json, json};

use crate::support::{Cli, Said, said};

const FAULT: &str = "ELSPETH_FAULT";
const RUN: [&str; 4] = ["run", "-s", "claims.yaml", "-x"];
const RESUME: [&str; 5] = ["resume", "latest", "-s", "claims.yaml", "-x"];

/// Forty rows: ids in no order, some of which break the schema, some of which the table refuses.
const CLAIMS: &str = "CREATE TABLE claims (id INTEGER PRIMARY KEY, holder TEXT, amount DOUBLE PRECISION);
    INSERT INTO claims VALUES (3, 'three', NULL), (1, 'one', 10), (2, 'two', 20.5);
    INSERT INTO claims WITH RECURSIVE n(i) AS (SELECT 40 UNION ALL SELECT i - 1 FROM n WHERE i > 4) SELECT i, 'h' || i, i * 2 FROM n;";
const DECIDED: &str = "CREATE TABLE decided (id INTEGER PRIMARY KEY, holder TEXT CHECK (holder <> 'h7'), amount DOUBLE PRECISION);
    INSERT INTO decided VALUES (30, 'old', 0);";

const SETTINGS: &str = r#"
source:
  plugin: database
  on_success: claims
  options:
    url: ${FROM}
    query: SELECT id, holder, amount FROM claims
    key: id
    fetch_size: 3
    on_validation_failure: bad
    schema: {mode: fixed, fields: ["id: int", "holder: str", "amount: float"]}
gates:
  - name: large
    input: claims
    condition: "row['amount'] > 5"
    routes: {true: decided, false: bad}
sinks:
  decided:
    plugin: database
    on_write_failure: refused
    options: {url: "${TO}", table: decided}
  refused: {plugin: json, on_write_failure: discard, options: {path: out/refused.jsonl}}
  bad: {plugin: json, on_write_failure: discard, options: {path: out/bad.jsonl}}
retry: {max_attempts: 3, initial_delay_seconds: 0.01, max_delay_seconds: 0.02}
landscape: {url: "sqlite:///out/audit.db"}
"#;

/// A folder with the pipeline, and the two databases.
struct Claims {
    cli: Cli,
    from: String,
    to: String,
}

impl Claims {
    fn of(from: String, to: String) -> Self {
        let cli = Cli::triage();
        cli.write("claims.yaml", SETTINGS);
        Self { cli, from, to }
    }

    fn in_files() -> Self {
        let claims = Self::of("sqlite:///from.db".to_owned(), "sqlite:///to.db".to_owned());
        claims.file("from.db").execute_batch(CLAIMS).unwrap();
        claims.file("to.db").execute_batch(DECIDED).unwrap();
        claims
    }

    /// `None`, where the machine has no PostgreSQL.
    fn on_server() -> Option<Self> {
        let cluster = PgCluster::shared()?;
        Some(Self::of(cluster.fresh(), cluster.fresh()).again())
    }

    /// The same pipeline from the beginning, in another folder and with the same databases: what a run has to say of its
    /// content depends on its settings, and so on their names.
    fn again(&self) -> Self {
        let again = Self::of(self.from.clone(), self.to.clone());
        for (url, sql) in [(&self.from, CLAIMS), (&self.to, DECIDED)] {
            again.psql(url, &format!("DROP SCHEMA public CASCADE; CREATE SCHEMA public; {sql}"));
        }
        again
    }

    fn file(&self, name: &str) -> rusqlite::Connection {
        rusqlite::Connection::open(self.cli.path(name)).unwrap()
    }

    fn psql(&self, url: &str, sql: &str) -> String {
        PgCluster::shared().unwrap().psql(url.rsplit('/').next().unwrap(), sql)
    }

    fn perform(&self, args: &[&str], fault: Option<&str>) -> Output {
        let mut command = self.cli.command(args);
        command.env("FROM", &self.from).env("TO", &self.to).env("ELSPETH_CHECKPOINT__FREQUENCY", "every_n");
        command.env("ELSPETH_CHECKPOINT__CHECKPOINT_INTERVAL", "5").env_remove(FAULT);
        command.env("ELSPETH_FINGERPRINT_KEY", "k");
        command.envs(fault.map(|fault| (FAULT, fault))).output().expect("the binary was built for this test")
    }

    fn say(&self, args: &[&str]) -> Said {
        said(self.perform(args, None))
    }

    fn done(&self, args: &[&str]) {
        let Said { out, err, code } = self.say(args);
        assert_eq!(code, 0, "{args:?}: {out}{err}");
    }

    fn status(&self) -> Json {
        let status = self.cli.json(&["status", "latest", "-d", "out/audit.db", "--json"]);
        json!({ "status": status["status"], "rows": status["rows"], "root": status["content_root"] })
    }

    /// The table and the files that a run left.
    fn outputs(&self) -> [String; 3] {
        let table = if self.to.starts_with("postgresql") {
            self.psql(
                &self.to,
                "SELECT string_agg(id || ' ' || holder || ' ' || amount, ';' ORDER BY id) FROM decided",
            )
        } else {
            let sql = "SELECT group_concat(id || ' ' || holder || ' ' || CAST(amount AS TEXT), ';') FROM (SELECT * FROM decided ORDER BY id)";
            let text: String = self.file("to.db").query_row(sql, (), |row| row.get(0)).unwrap();
            text.replace(".0;", ";").trim_end_matches(".0").to_owned()
        };
        let file = |name: &str| {
            let text = std::fs::read_to_string(self.cli.path(name)).unwrap();
            // Refused rows say when and why; databases say it in their own words.
            let ids = text.lines().map(|line| serde_json::from_str::<Json>(line).unwrap()["id"].to_string());
            ids.collect::<Vec<_>>().join(",")
        };
        [table, file("out/refused.jsonl"), file("out/bad.jsonl")]
    }

    /// The hashes of all rows that were read.
    fn hashes(&self) -> String {
        let sql = "SELECT group_concat(hex(source_data_hash)) FROM (SELECT * FROM rows ORDER BY row_index)";
        self.file("out/audit.db").query_row(sql, (), |row| row.get(0)).unwrap()
    }

    /// The state of the source as the record has it.
    fn identity(&self) -> Json {
        let sql = "SELECT source_identity FROM runs";
        let text: String = self.file("out/audit.db").query_row(sql, (), |row| row.get(0)).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    fn snapshots(&self) -> Vec<u64> {
        let identity = self.identity();
        let of = |snapshot: &Json| snapshot["from_record"].as_u64().unwrap();
        identity["snapshots"].as_array().unwrap().iter().map(of).collect()
    }
}

#[test]
fn both_databases_give_the_same_rows_and_the_same_outputs() {
    let files = Claims::in_files();
    files.done(&RUN);
    let outputs = files.outputs();
    assert_eq!(outputs[1..], ["7,30".to_owned(), "3".to_owned()]);
    assert!(
        outputs[0].starts_with("1 one 10;2 two 20.5;4 h4 8;") && outputs[0].contains("30 old 0"),
        "{outputs:?}"
    );
    assert_eq!((files.snapshots(), files.identity()["location"].as_str()), (vec![0], Some("from.db")));
    let Some(served) = Claims::on_server() else { return };
    served.done(&RUN);
    assert_eq!(served.outputs(), outputs);
    assert_eq!(served.identity()["content_hash"], files.identity()["content_hash"]);
    assert_eq!(served.hashes(), files.hashes());
    assert_eq!(served.status()["rows"], files.status()["rows"]);
}

/// Stops at each point, goes on, and compares with a run that was not stopped.
fn check_stops(whole: &Claims, fresh: &dyn Fn() -> Claims) {
    whole.done(&RUN);
    let outputs = whole.outputs();
    for point in [
        "after-commit-a:1",
        "after-commit-ab:2",
        "before-table-commit:2",
        "after-table-commit:2",
        "before-commit-b:1",
        "before-table-publish:1",
        "after-table-publish:1",
        "before-seal:1",
    ] {
        let claims = fresh();
        let killed = claims.perform(&RUN, Some(&format!("kill:{point}")));
        assert_eq!(killed.status.code(), None, "{point}: {killed:?}");
        claims.done(&RESUME);
        assert_eq!(claims.outputs(), outputs, "{point}");
        assert_eq!(claims.status(), whole.status(), "{point}");
        assert_eq!(claims.identity()["content_hash"], whole.identity()["content_hash"], "{point}");
        claims.done(&["verify", "latest", "-d", "out/audit.db"]);
    }
}

#[test]
fn a_run_between_files_that_is_killed_goes_on() {
    check_stops(&Claims::in_files(), &Claims::in_files);
}

#[test]
fn a_run_between_servers_that_is_killed_goes_on() {
    let Some(whole) = Claims::on_server() else { return };
    check_stops(&whole, &|| whole.again());
}

#[test]
fn rows_that_changed_before_a_run_is_taken_up_are_refused_unless_accepted() {
    let claims = Claims::in_files();
    let killed = claims.perform(&RUN, Some("kill:after-commit-ab:2"));
    assert_eq!(killed.status.code(), None, "{killed:?}");
    claims.file("from.db").execute_batch("UPDATE claims SET amount = 11 WHERE id = 1").unwrap();
    let said = claims.say(&RESUME);
    assert!(
        said.code == 1 && said.err.contains("have changed since they were read"),
        "{}{}",
        said.out,
        said.err
    );
    claims.done(&[RESUME.as_slice(), &["--accept-changed-source"]].concat());
    assert_eq!(claims.status()["status"], "completed");
    let snapshots = claims.snapshots();
    assert!(snapshots.len() == 2 && snapshots[0] == 0 && snapshots[1] >= 10, "{snapshots:?}");
    assert!(claims.outputs()[0].starts_with("1 one 10;2 two 20.5;4 h4 8;"), "{:?}", claims.outputs());
}

/// Lets the connection be lost in the midst of an epoch: by a trigger that ends it, and counts by a sequence, which no
/// rollback sets back.
fn losing(claims: &Claims, times: u32) {
    let sql = format!(
        "CREATE SEQUENCE tries; CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           IF NEW.id = 17 AND nextval('tries') <= {times} THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
           RETURN NEW; END $$;
         CREATE TRIGGER loses BEFORE INSERT ON decided FOR EACH ROW EXECUTE FUNCTION lose()"
    );
    claims.psql(&claims.to, &sql);
}

#[test]
fn a_sink_whose_connection_is_lost_writes_the_epoch_again() {
    let Some(whole) = Claims::on_server() else { return };
    whole.done(&RUN);
    let outputs = whole.outputs();
    let claims = whole.again();
    losing(&claims, 2);
    claims.done(&RUN);
    assert_eq!((claims.outputs(), claims.status()), (outputs, whole.status()));
    assert!(claims.psql(&claims.to, "SELECT last_value FROM tries").parse::<u32>().unwrap() > 2);
}

#[test]
fn a_sink_whose_connection_is_lost_too_often_stops_the_run_which_goes_on_later() {
    let Some(whole) = Claims::on_server() else { return };
    whole.done(&RUN);
    let outputs = whole.outputs();
    let claims = whole.again();
    losing(&claims, 1_000_000);
    let said = claims.say(&RUN);
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    assert!(said.err.contains("terminating connection") && said.err.contains("resume"), "{}", said.err);
    claims.psql(&claims.to, "DROP TRIGGER loses ON decided");
    claims.done(&RESUME);
    assert_eq!((claims.outputs(), claims.status()), (outputs, whole.status()));
    claims.done(&["verify", "latest", "-d", "out/audit.db"]);
}

#[test]
fn a_source_whose_connection_is_lost_too_often_stops_the_run_which_goes_on_later() {
    let Some(whole) = Claims::on_server() else { return };
    whole.done(&RUN);
    let outputs = whole.outputs();
    let claims = whole.again();
    claims.psql(
        &claims.from,
        "ALTER TABLE claims RENAME TO stored; CREATE FUNCTION lose(id int) RETURNS boolean LANGUAGE sql AS
           'SELECT CASE WHEN id = 17 THEN pg_terminate_backend(pg_backend_pid()) ELSE true END';
         CREATE VIEW claims AS SELECT * FROM stored WHERE lose(id)",
    );
    let said = claims.say(&RUN);
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    assert!(said.err.contains("cannot read `postgresql://elspeth@"), "{}", said.err);
    claims.psql(&claims.from, "CREATE OR REPLACE VIEW claims AS SELECT * FROM stored");
    claims.done(&RESUME);
    assert_eq!((claims.outputs(), claims.status()), (outputs, whole.status()));
    assert_eq!(claims.identity()["content_hash"], whole.identity()["content_hash"]);
}

#[test]
fn passwords_of_sources_and_sinks_are_neither_shown_nor_recorded() {
    let Some(mut claims) = Claims::on_server() else { return };
    for url in [&mut claims.from, &mut claims.to] {
        *url = url.replace("://elspeth@", "://elspeth:hunter2@");
    }
    let said = claims.say(&RUN);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(!said.out.contains("hunter2") && !said.err.contains("hunter2"), "{}{}", said.out, said.err);
    let left: Vec<PathBuf> = ["out/audit.db", "out/audit.db-wal"].map(|name| claims.cli.path(name)).into();
    for path in left.iter().filter(|path| path.exists()) {
        let bytes = std::fs::read(path).unwrap();
        assert!(!bytes.windows(7).any(|part| part == b"hunter2"), "{}", path.display());
    }
    assert!(claims.identity()["location"].as_str().unwrap().starts_with("postgresql://elspeth@"));
}

#[test]
fn the_example_with_a_database_holds_what_its_script_says() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/24-open-claims");
    let script = std::fs::read_to_string(folder.join("claims.sql")).unwrap();
    let fresh = rusqlite::Connection::open_in_memory().unwrap();
    fresh.execute_batch(&script).unwrap();
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let kept = rusqlite::Connection::open_with_flags(folder.join("claims.sqlite"), flags).unwrap();
    for table in ["policies", "claims"] {
        let rows = |connection: &rusqlite::Connection| {
            let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
            let columns = statement.column_count();
            let row = |row: &rusqlite::Row<'_>| (0..columns).map(|n| row.get(n)).collect();
            let rows = statement.query_map((), row).unwrap();
            rows.collect::<Result<Vec<Vec<rusqlite::types::Value>>, _>>().unwrap()
        };
        assert_eq!(rows(&fresh), rows(&kept), "{table}");
        assert!(!rows(&kept).is_empty());
    }
}
