//! A run whose sink takes its time keeps nobody else from the database, and shows that it lives.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use elspeth_app::{EnvChoice, RunStatus, SettingsChoice};
use elspeth_contracts::EpochNo;
use elspeth_plugin::{PluginKind, Produced, Sink, SinkContext, SinkError, SinkPosition, SinkRow, Written};
use elspeth_value::Contract;

use crate::support::{Quiet, Scratch};

const NUMBERS: &str = "
source:
  plugin: csv
  on_success: numbers
  options: {path: $DIR/in.csv, on_validation_failure: discard, schema: {mode: fixed, fields: ['n: int']}}
sinks:
  numbers: {plugin: json, on_write_failure: discard, options: {path: $DIR/OUT.jsonl}}
landscape: {url: 'sqlite:///$DIR/audit.db'}
checkpoint: {frequency: every_row}
";

/// Before its second write it lets a whole other run happen, with the same database.
struct Slow {
    writes: u32,
    other: PathBuf,
}

impl Sink for Slow {
    fn contract(&self) -> Contract {
        Contract::observed()
    }

    fn open(&mut self, _context: &SinkContext, _position: Option<&SinkPosition>) -> Result<(), SinkError> {
        Ok(())
    }

    fn write(&mut self, _epoch: EpochNo, _rows: &[SinkRow<'_>]) -> Result<Written, SinkError> {
        self.writes += 1;
        if self.writes == 2 {
            let settings = SettingsChoice { path: self.other.clone(), env: EnvChoice::NoDotenv };
            let other = elspeth_app::prepare(&settings).and_then(|prepared| {
                elspeth_app::run(prepared, Arc::new(AtomicBool::new(false)), &mut Quiet)
            });
            other.map_err(|error| SinkError::new(format!("the other run: {error}")))?;
        }
        Ok(Written {
            refused: Vec::new(),
            position: SinkPosition(serde_json::json!(self.writes)),
            produced: None,
        })
    }

    fn publish(&mut self) -> Result<Option<Produced>, SinkError> {
        Ok(None)
    }
}

#[test]
fn another_run_gets_on_beside_one_that_waits_for_its_sink() {
    let scratch = Scratch::new();
    scratch.write("in.csv", "n\n1\n2\n3\n4\n5\n");
    let other = scratch.settings(&NUMBERS.replace("OUT", "other")).path;
    std::fs::rename(other, scratch.path("other.yaml")).unwrap();
    let mut registry = elspeth_app::registry();
    let json = registry.info(PluginKind::Sink, "json").unwrap().clone();
    registry.add_sink(elspeth_plugin::PluginInfo { name: "slow", ..json }, |options| {
        let path = options["path"].as_str().map(Path::new).and_then(Path::parent);
        let other = path.expect("the test gives a path in its folder").join("other.yaml");
        Ok(Box::new(Slow { writes: 0, other }))
    });
    let settings = NUMBERS.replace("OUT", "none").replace("plugin: json", "plugin: slow");
    let report = scratch.run_with(&settings, registry).unwrap();
    assert_eq!((report.run.status, report.error), (RunStatus::Completed, None), "the database was locked");
    assert_eq!((report.run.rows.processed, report.run.destinations["numbers"]), (5, 5));
    let runs = elspeth_app::runs(&scratch.database()).unwrap();
    assert!(runs.len() == 2 && runs.iter().all(|run| run.status == RunStatus::Completed), "{runs:?}");
}

/// Opens, and publishes, once the run has shown meanwhile that it lives.
struct Patient {
    database: PathBuf,
}

impl Patient {
    fn shown(&self) -> Result<i64, SinkError> {
        let shown = rusqlite::Connection::open(&self.database)
            .and_then(|database| database.query_row("SELECT heartbeat_at FROM runs", [], |row| row.get(0)));
        shown.map_err(|error| SinkError::new(error.to_string()))
    }

    fn wait(&self) -> Result<(), SinkError> {
        let (before, began) = (self.shown()?, Instant::now());
        while self.shown()? == before {
            if began.elapsed() > Duration::from_secs(20) {
                return Err(SinkError::new("the run gave no sign of life"));
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Sink for Patient {
    fn contract(&self) -> Contract {
        Contract::observed()
    }

    fn open(&mut self, _context: &SinkContext, _position: Option<&SinkPosition>) -> Result<(), SinkError> {
        self.wait()
    }

    fn write(&mut self, _epoch: EpochNo, rows: &[SinkRow<'_>]) -> Result<Written, SinkError> {
        let position = SinkPosition(serde_json::json!(rows.len()));
        Ok(Written { refused: Vec::new(), position, produced: None })
    }

    fn publish(&mut self) -> Result<Option<Produced>, SinkError> {
        self.wait().map(|()| None)
    }
}

#[test]
fn a_run_shows_that_it_lives_while_a_sink_is_opened_and_published() {
    let scratch = Scratch::new();
    scratch.write("in.csv", "n\n1\n2\n");
    let mut registry = elspeth_app::registry();
    let json = registry.info(PluginKind::Sink, "json").unwrap().clone();
    registry.add_sink(elspeth_plugin::PluginInfo { name: "patient", ..json }, |options| {
        let path = options["path"].as_str().map(Path::new).and_then(Path::parent);
        let database = path.expect("the test gives a path in its folder").join("audit.db");
        Ok(Box::new(Patient { database }))
    });
    let settings = NUMBERS.replace("OUT", "none").replace("plugin: json", "plugin: patient");
    let report = scratch.run_with(&settings, registry).unwrap();
    assert_eq!((report.run.status, report.error), (RunStatus::Completed, None));
}
