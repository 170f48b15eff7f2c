//! A database with runs of every construct, made by the program; and copies of it that were tampered with.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use elspeth_app::{
    AppError, DatabaseChoice, EnvChoice, Progress, PurgeChoice, ResumeChoice, RunId, RunObserver, RunReport,
    RunStatus, SettingsChoice, TrustChoice, Verification, VerifyChoice, VerifyStatus,
};
use elspeth_contracts::{EpochNo, ErrorReason, FailureKind};
use elspeth_plugin::{
    OptionError, PluginInfo, PluginKind, Produced, Refusal, Registry, Sink, SinkContext, SinkError,
    SinkPosition, SinkRow, Transform, TransformContext, TransformOutput, TransformResult, Written,
};
use elspeth_testkit::Scratch;
use elspeth_value::{Contract, Row, Value};
use rusqlite::Connection;

use crate::changes::Change;
use crate::recorded;
use crate::tables::Table;

/// Records of each table that are changed.
const SAMPLES: usize = 4;

/// Everything that is built in: quarantine, forks, expansions, both modes of aggregations, a merge within a row, one across
/// rows of which some fail, large bodies; a few rows to an epoch.
pub(crate) const EVERYTHING: &str = r#"
source:
  plugin: json
  on_success: applications
  options:
    path: $DIR/in.jsonl
    format: jsonl
    on_validation_failure: refused
    schema: {mode: fixed, fields: ["id: int", "amount: int", "statement: str", "items: any"]}
gates:
  - name: open_file
    input: applications
    condition: "'open'"
    routes: {open: fork}
    fork_to: [check, board, left, right, lines]
  - name: has_statement
    input: before_board
    condition: "len(row['statement']) > 0"
    routes: {"true": with_statement, "false": no_statement}
  - name: grant
    input: file
    condition: "row['share'] >= 3"
    routes: {"true": granted, "false": declined}
transforms:
  - name: share
    plugin: field_mapper
    input: check
    on_success: checked
    on_error: failed
    options: {schema: {mode: observed}, computed: {share: "row['amount'] // (row['id'] % 5)"}}
  - name: take_apart
    plugin: json_explode
    input: lines
    on_success: line
    on_error: discard
    options: {schema: {mode: observed}, array_field: items, output_field: price}
aggregations:
  - name: sitting
    plugin: batch_replicate
    input: board
    on_success: before_board
    on_error: discard
    trigger: {count: 3}
    output_mode: passthrough
    options: {schema: {mode: observed}, default_copies: 1, include_copy_index: false}
  - name: totals
    plugin: batch_stats
    input: line
    on_success: sums
    on_error: discard
    trigger: {count: 4}
    options: {schema: {mode: observed}, value_field: price}
coalesce:
  - name: file
    branches: {check: checked, board: with_statement}
    policy: require_all
  - name: both
    branches: [left, right]
    policy: require_all
    merge: nested
    on_success: pairs
sinks:
  granted: {plugin: csv, on_write_failure: discard, options: {path: $DIR/granted.csv, schema: {mode: observed}}}
  declined: {plugin: json, on_write_failure: discard, options: {path: $DIR/declined.jsonl}}
  no_statement: {plugin: json, on_write_failure: discard, options: {path: $DIR/no_statement.jsonl}}
  failed: {plugin: json, on_write_failure: discard, options: {path: $DIR/failed.jsonl}}
  refused: {plugin: json, on_write_failure: discard, options: {path: $DIR/refused.jsonl}}
  sums: {plugin: json, on_write_failure: discard, options: {path: $DIR/sums.jsonl}}
  pairs: {plugin: json, on_write_failure: discard, options: {path: $DIR/pairs.jsonl}}
landscape: {url: "$URL", signing: {key_file: $DIR/first.key, heads_every: 2}}
payload_store: {base_path: $DIR/payloads}
checkpoint: {frequency: every_row}
"#;

/// Attempts that fail, rows that a sink refuses: to a failsink, and for good.
const TROUBLED: &str = r#"
source:
  plugin: csv
  on_success: numbers
  options:
    path: $DIR/in.csv
    on_validation_failure: discard
    schema: {mode: fixed, fields: ["id: int"]}
transforms:
  - {name: service, plugin: service, input: numbers, on_success: served, on_error: discard}
gates:
  - name: third
    input: served
    condition: "row['id'] % 3"
    routes: {"0": picky, "1": strict, "2": plain}
sinks:
  picky: {plugin: picky, on_write_failure: fallen}
  strict: {plugin: picky, on_write_failure: discard}
  plain: {plugin: csv, on_write_failure: discard, options: {path: $DIR/plain.csv}}
  fallen: {plugin: json, on_write_failure: discard, options: {path: $DIR/fallen.jsonl}}
landscape: {url: "$URL"}
retry: {max_attempts: 2, initial_delay_seconds: 0.001, max_delay_seconds: 0.002}
"#;

/// One thing after the other.
const PLAIN: &str = r#"
source:
  plugin: csv
  on_success: out
  options:
    path: $DIR/in.csv
    on_validation_failure: discard
    schema: {mode: fixed, fields: ["id: int"]}
sinks:
  out: {plugin: $SINK, on_write_failure: discard, options: {path: $DIR/$NAME.csv}}
landscape: {url: "$URL", signing: {key_file: $DIR/second.key}}
"#;

/// A folder with a database, and what its runs wrote.
pub(crate) struct Subject {
    scratch: Scratch,
    /// Of a server, or of `audit.db` in the folder.
    url: Option<String>,
}

/// A database that was changed.
pub(crate) struct Changed<'a> {
    subject: &'a Subject,
    name: String,
}

impl Subject {
    pub(crate) fn new() -> Self {
        let subject = Self::recorded_in(None);
        subject.loosen();
        subject
    }

    /// One run alone, which may be stopped.
    pub(crate) fn of(settings: &str, stop_after: Option<u32>) -> Self {
        let subject = Self { scratch: Scratch::new(), url: None };
        subject.scratch.write("in.jsonl", applications());
        subject
            .scratch
            .write("in.csv", "id\n".to_owned() + &(0..9).map(|n| format!("{n}\n")).collect::<String>());
        subject.key("first");
        let report = subject.run(settings, elspeth_app::registry(), stop_after);
        let expected = if stop_after.is_some() { RunStatus::Interrupted } else { RunStatus::Completed };
        assert_eq!(report.run.status, expected, "{:?}", report.error);
        subject
    }

    /// The same runs in a database of a server.
    pub(crate) fn in_server(url: &str) -> Self {
        Self::recorded_in(Some(url.to_owned()))
    }

    fn recorded_in(url: Option<String>) -> Self {
        let subject = Self { scratch: Scratch::new(), url };
        subject.scratch.write("in.jsonl", applications());
        subject.scratch.write(
            "in.csv",
            "id\n".to_owned() + &(0..9).map(|n| format!("{n}\n")).collect::<String>() + "x\n",
        );
        let [first, second] = ["first", "second"].map(|name| subject.key(name));
        subject.interrupted_and_resumed();
        subject.rotate((&first.0, &second.0), &first.1);
        let run = |settings: &str| subject.run(settings, registry(), None);
        assert_eq!(run(TROUBLED).run.status, RunStatus::Completed);
        let plain = |sink: &str, name: &str| PLAIN.replace("$SINK", sink).replace("$NAME", name);
        let broken = run(&plain("broken", "never").replace(", options: {path: $DIR/never.csv}", ""));
        assert_eq!(broken.run.status, RunStatus::Failed);
        recorded::run_with_calls(&subject.argument("audit.db"));
        let settings = plain("csv", "out");
        let purged = run(&settings);
        subject.purge(purged.run.run_id, &settings);
        subject
    }

    fn interrupted_and_resumed(&self) {
        let report = self.run(EVERYTHING, elspeth_app::registry(), Some(1));
        assert_eq!(report.run.status, RunStatus::Interrupted);
        self.assert_verifies("where it was interrupted first");
        let choice = ResumeChoice {
            run: "latest".to_owned(),
            settings: None,
            database: self.database("audit.db"),
            env: EnvChoice::NoDotenv,
            accept_changed_source: false,
        };
        let mut stopper = Stopper::after(Some(1));
        let stop = Arc::clone(&stopper.stop);
        let resumable = elspeth_app::resumable(&choice).unwrap();
        let report = elspeth_app::resume(resumable, stop, &mut stopper).unwrap();
        assert_eq!(report.run.status, RunStatus::Interrupted);
        self.assert_verifies("where it was interrupted again");
        let mut stopper = Stopper::after(None);
        let other = EVERYTHING.to_owned() + "concurrency: {max_workers: 2}\n";
        let choice = ResumeChoice { settings: Some(self.settings(&other)), ..choice };
        let resumable = elspeth_app::resumable(&choice).unwrap();
        let report = elspeth_app::resume(resumable, Arc::clone(&stopper.stop), &mut stopper).unwrap();
        assert_eq!(report.run.status, RunStatus::Completed, "{:?}", report.error);
        let rows = &report.run.rows;
        let all =
            [rows.routed, rows.quarantined, rows.forked, rows.coalesced, rows.coalesce_failed, rows.expanded];
        assert!(all.iter().all(|number| *number > 0), "{rows:?}");
    }

    fn settings(&self, text: &str) -> SettingsChoice {
        let url = self.url.as_deref().unwrap_or("sqlite:///$DIR/audit.db");
        let text = text.replace("$URL", url).replace("$DIR", &self.scratch.path().display().to_string());
        SettingsChoice { path: self.scratch.write("settings.yaml", text), env: EnvChoice::NoDotenv }
    }

    fn run(&self, text: &str, registry: Registry, stop_after: Option<u32>) -> RunReport {
        let prepared = elspeth_app::prepare_with(&self.settings(text), registry);
        let prepared = prepared.unwrap_or_else(|error| match error {
            AppError::Settings(refused) => panic!("{:#?}", refused.errors),
            other => panic!("{other}"),
        });
        let mut stopper = Stopper::after(stop_after);
        elspeth_app::run(prepared, Arc::clone(&stopper.stop), &mut stopper).unwrap()
    }

    /// A key: its file, and its short name.
    fn key(&self, name: &str) -> (PathBuf, String) {
        let file = self.scratch.join(&format!("{name}.key"));
        let key = elspeth_app::generate_key(name, &file).unwrap();
        (file, key.id)
    }

    /// Lets one key take the place of another, which is revoked then.
    fn rotate(&self, (old, new): (&Path, &Path), old_id: &str) {
        let database = self.database("audit.db");
        elspeth_app::rotate_keys(&database, old, new).unwrap();
        let keys = elspeth_app::revoke_key(&database, old_id, new, "its disk was sold").unwrap();
        assert_eq!(keys.keys.len(), 2);
    }

    fn purge(&self, run: RunId, settings: &str) {
        let choice =
            PurgeChoice { older_than_days: None, run: Some(run.to_string()), env: EnvChoice::NoDotenv };
        let database = DatabaseChoice::Settings(self.settings(settings));
        let plan = elspeth_app::purge_plan(&database, &choice).unwrap();
        assert!(elspeth_app::purge(plan).unwrap().finished);
    }

    /// Takes all constraints away from the tables of a copy, as one who tampers would, and keeps in it how they were. The database is
    /// one file then.
    fn loosen(&self) {
        let connection = Connection::open(self.scratch.join("audit.db")).unwrap();
        connection.execute_batch("PRAGMA journal_mode = DELETE").unwrap();
        drop(connection);
        std::fs::copy(self.scratch.join("audit.db"), self.scratch.join("loose.db")).unwrap();
        let connection = Connection::open(self.scratch.join("loose.db")).unwrap();
        let loose = "UPDATE sqlite_schema SET sql = replace(replace(replace(sql, ' IS NOT NULL', ' NOTNULL'), ' NOT NULL', ''), ') STRICT', ')')
            WHERE type = 'table'";
        let kept = "CREATE TABLE as_they_were AS SELECT name, sql FROM sqlite_schema WHERE type = 'table'";
        connection.execute(kept, ()).unwrap();
        connection.execute_batch("PRAGMA writable_schema = ON").unwrap();
        connection.execute(loose, ()).unwrap();
        // WITHOUT ROWID was behind STRICT.
        connection
            .execute("UPDATE sqlite_schema SET sql = replace(sql, '), WITHOUT ROWID', ') WITHOUT ROWID')", ())
            .unwrap();
        // Nobody asks the views here, and each connection would read them.
        connection.execute("DELETE FROM sqlite_schema WHERE type = 'view'", ()).unwrap();
        connection.execute_batch("PRAGMA writable_schema = OFF").unwrap();
        drop(connection);
        let connection = Connection::open(self.scratch.join("loose.db")).unwrap();
        let sound: String = connection.query_row("PRAGMA integrity_check", (), |row| row.get(0)).unwrap();
        assert_eq!(sound, "ok");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.scratch.join(name)
    }

    pub(crate) fn database(&self, name: &str) -> DatabaseChoice {
        DatabaseChoice::Location(self.argument(name))
    }

    /// What commands call a database.
    fn argument(&self, name: &str) -> String {
        match &self.url {
            Some(url) if name == "audit.db" => url.clone(),
            Some(_) | None => self.scratch.join(name).display().to_string(),
        }
    }

    fn verify(&self, name: &str) -> Result<Vec<Verification>, AppError> {
        elspeth_app::verify(&self.database(name), &VerifyChoice::All, &TrustChoice::default())
    }

    fn assert_verifies(&self, when: &str) {
        for run in self.verify("audit.db").unwrap() {
            assert_eq!(run.status, VerifyStatus::Ok, "{when}: {:#?}", run.checks);
        }
    }

    /// What was made verifies, so that whatever is found later was done by a change.
    pub(crate) fn assert_sound(&self) {
        assert_eq!(self.verify("audit.db").unwrap().len(), 5);
        self.assert_verifies("at the end");
    }

    /// Every run, with how many rows it has.
    pub(crate) fn rows(&self) -> Vec<(String, u64)> {
        let connection = Connection::open(self.scratch.join("audit.db")).unwrap();
        let sql =
            "SELECT run_id, (SELECT count(*) FROM rows WHERE run_no = runs.run_no) FROM runs ORDER BY run_no";
        let mut statement = connection.prepare(sql).unwrap();
        let runs = statement.query_map((), |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned())));
        runs.unwrap().map(Result::unwrap).collect()
    }

    pub(crate) fn execute(&self, sql: &str) {
        Connection::open(self.scratch.join("audit.db")).unwrap().execute_batch(sql).unwrap();
    }

    pub(crate) fn tables(&self) -> Vec<Table> {
        Table::all(&Connection::open(self.scratch.join("audit.db")).unwrap(), SAMPLES)
    }

    /// A copy with that change; none where the database does not allow it even so.
    pub(crate) fn changed(&self, change: &Change, name: &str) -> Option<Changed<'_>> {
        std::fs::copy(self.scratch.join("loose.db"), self.scratch.join(name)).unwrap();
        let connection = Connection::open(self.scratch.join(name)).unwrap();
        connection
            .execute_batch(
                "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON; PRAGMA synchronous = OFF;
                PRAGMA writable_schema = ON; BEGIN",
            )
            .unwrap();
        // The tables are again as they were; this connection knows them as it found them.
        let back = "UPDATE sqlite_schema SET sql = (SELECT w.sql FROM as_they_were w WHERE w.name = sqlite_schema.name)
            WHERE type = 'table' AND name <> 'as_they_were'";
        assert!(connection.execute(back, ()).unwrap() > 20);
        for sql in &change.sql {
            match connection.execute(sql, ()) {
                Ok(1) => {}
                Ok(others) => panic!("{change}: {others} records were changed"),
                Err(rusqlite::Error::SqliteFailure(failure, _))
                    if failure.code == rusqlite::ErrorCode::ConstraintViolation =>
                {
                    return None;
                }
                Err(error) => panic!("{change}: {error}"),
            }
        }
        connection.execute_batch("COMMIT").unwrap();
        Some(Changed { subject: self, name: name.to_owned() })
    }
}

impl Changed<'_> {
    pub(crate) fn verify(&self) -> Result<Vec<Verification>, AppError> {
        self.subject.verify(&self.name)
    }
}

/// Some that are refused, one with a large body, some whose check or statement is missing.
fn applications() -> String {
    let line = |n: u32| match n {
        5 => "{\"id\": \"x\"}\n".to_owned(),
        _ => {
            let statement = match n {
                7 => "s".repeat(70_000),
                n if n % 4 == 1 => String::new(),
                n => format!("statement {n}"),
            };
            let items: Vec<u32> = (0..n % 3).map(|item| item * 10 + n).collect();
            format!(
                "{{\"id\": {n}, \"amount\": {}, \"statement\": \"{statement}\", \"items\": {items:?}}}\n",
                n * 7
            )
        }
    };
    (1..=24).map(line).collect()
}

/// Stops a run after some epochs.
struct Stopper {
    stop: Arc<AtomicBool>,
    after: Option<u32>,
}

impl Stopper {
    fn after(after: Option<u32>) -> Self {
        Self { stop: Arc::new(AtomicBool::new(false)), after }
    }
}

impl RunObserver for Stopper {
    fn started(&mut self, _run_id: RunId) {}
    fn progress(&mut self, _progress: Progress) {
        self.after = self.after.map(|after| after.saturating_sub(1));
        if self.after == Some(0) {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}

fn registry() -> Registry {
    let mut registry = elspeth_app::registry();
    let passthrough = registry.info(PluginKind::Transform, "passthrough").unwrap().clone();
    registry.add_transform(PluginInfo { name: "service", ..passthrough }, |_| Ok(Arc::new(Service)));
    let json = registry.info(PluginKind::Sink, "json").unwrap().clone();
    let no_options = serde_json::json!({"type": "object"});
    let info = |name| PluginInfo { name, options_schema: no_options.clone().into(), ..json.clone() };
    registry.add_sink(info("picky"), |_| Ok(Box::new(Odd { broken: false, rows: 0 })));
    registry.add_sink(info("broken"), |_| Ok(Box::new(Odd { broken: true, rows: 0 })));
    registry
}

/// Busy the first time that it is asked about a row, then at ease; about the eighth always busy.
struct Service;

impl Transform for Service {
    fn output_contract(&self, input: &Contract) -> Result<Contract, Vec<OptionError>> {
        Ok(input.clone())
    }

    fn process(&self, row: Row, context: &TransformContext<'_>) -> TransformResult {
        if context.attempt < 1 && row.get("id") != Some(&Value::Int(2))
            || row.get("id") == Some(&Value::Int(8))
        {
            return Err(ErrorReason::new(FailureKind::TransformError, "the service is busy").retryable());
        }
        Ok(TransformOutput::Unchanged(row))
    }
}

/// Refuses rows whose `id` is even, or can write nothing at all.
struct Odd {
    broken: bool,
    rows: u64,
}

impl Sink for Odd {
    fn contract(&self) -> Contract {
        Contract::observed()
    }

    fn open(&mut self, _context: &SinkContext, _position: Option<&SinkPosition>) -> Result<(), SinkError> {
        Ok(())
    }

    fn write(&mut self, _epoch: EpochNo, rows: &[SinkRow<'_>]) -> Result<Written, SinkError> {
        if self.broken {
            return Err(SinkError::new("nothing can be written there"));
        }
        let even = |row: &Row| matches!(row.get("id"), Some(Value::Int(id)) if id % 2 == 0);
        let refused = rows.iter().enumerate().filter(|(_, row)| even(row.row));
        let reason = || ErrorReason::new(FailureKind::SinkRefused, "even ids are taken");
        let refused: Vec<_> = refused.map(|(index, _)| Refusal { index, reason: reason() }).collect();
        self.rows += (rows.len() - refused.len()) as u64;
        Ok(Written { refused, position: SinkPosition(serde_json::json!(self.rows)), produced: None })
    }

    fn publish(&mut self) -> Result<Option<Produced>, SinkError> {
        Ok(None)
    }
}
