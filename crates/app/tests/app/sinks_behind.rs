//! Sinks that are slower than the record: how far it goes on without them, and what a failure of one of them stops.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use elspeth_app::DatabaseChoice;
use elspeth_contracts::EpochNo;
use elspeth_plugin::{PluginKind, Produced, Sink, SinkContext, SinkError, SinkPosition, SinkRow, Written};
use elspeth_value::Contract;

use crate::support::Scratch;

const SETTINGS: &str = r#"
source: {plugin: csv, on_success: out, options: {path: $DIR/in.csv, on_validation_failure: discard, schema: {mode: observed}}}
sinks: {out: {plugin: csv, on_write_failure: discard, options: {path: $DIR/out.csv}}}
landscape: {url: "sqlite:///$DIR/audit.db"}
checkpoint: {frequency: every_n, checkpoint_interval: 2}
"#;

/// How long the record may take to go on.
const PATIENCE: Duration = Duration::from_secs(60);

/// Lets the record go on as far as it does, and then refuses to write epoch 1.
struct Slow {
    database: PathBuf,
    run: String,
}

/// Each epoch that it was given, and how many were committed when it came to its end.
static GIVEN: Mutex<Vec<(u64, u64)>> = Mutex::new(Vec::new());

impl Slow {
    fn committed(&self) -> u64 {
        let database = DatabaseChoice::Location(self.database.display().to_string());
        elspeth_app::status(&database, &self.run).unwrap().epochs
    }
}

impl Sink for Slow {
    fn contract(&self) -> Contract {
        Contract::observed()
    }

    fn open(&mut self, context: &SinkContext, _position: Option<&SinkPosition>) -> Result<(), SinkError> {
        self.run = context.run_id.to_string();
        Ok(())
    }

    fn write(&mut self, epoch: EpochNo, _rows: &[SinkRow<'_>]) -> Result<Written, SinkError> {
        // The next epochs are committed meanwhile, whenever that comes.
        let begun = Instant::now();
        while self.committed() < epoch.0 + 3 {
            if begun.elapsed() > PATIENCE {
                return Err(SinkError::new(format!(
                    "{} epochs are committed, and no more",
                    self.committed()
                )));
            }
            std::thread::yield_now();
        }
        GIVEN.lock().unwrap().push((epoch.0, self.committed()));
        if epoch.0 == 1 {
            return Err(SinkError::new("no more of that"));
        }
        Ok(Written { refused: Vec::new(), position: SinkPosition(serde_json::json!({})), produced: None })
    }

    fn publish(&mut self) -> Result<Option<Produced>, SinkError> {
        Ok(None)
    }
}

#[test]
fn two_more_epochs_are_committed_while_sinks_act_and_none_is_acted_on_after_a_failure() {
    let scratch = Scratch::new();
    let rows: String = (0..20).map(|row| format!("{row}\n")).collect();
    scratch.write("in.csv", format!("id\n{rows}"));
    let mut registry = elspeth_app::registry();
    let info = registry.info(PluginKind::Sink, "csv").unwrap().clone();
    registry.add_sink(info, |options| {
        let path = PathBuf::from(options["path"].as_str().unwrap());
        Ok(Box::new(Slow { database: path.with_file_name("audit.db"), run: String::new() }))
    });
    let report = scratch.run_with(SETTINGS, registry).unwrap();
    assert_eq!(report.run.status.as_str(), "failed");
    assert!(
        report.error.as_ref().is_some_and(|error| error.contains("no more of that")),
        "{:?}",
        report.error
    );
    // Never more than two beyond the one that is acted on, and nothing after the one that failed.
    assert_eq!(*GIVEN.lock().unwrap(), [(0, 3), (1, 4)]);
}
