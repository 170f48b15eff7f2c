//! A sink whose server goes away, and is not back at once.

use elspeth_app::RunStatus;
use elspeth_contracts::EpochNo;
use elspeth_plugin::{PluginKind, Produced, Sink, SinkContext, SinkError, SinkPosition, SinkRow, Written};
use elspeth_value::Contract;

use crate::support::Scratch;

const NUMBERS: &str = "
source:
  plugin: csv
  on_success: numbers
  options: {path: $DIR/in.csv, on_validation_failure: discard, schema: {mode: fixed, fields: ['n: int']}}
sinks:
  numbers: {plugin: lost, on_write_failure: discard, options: {path: $DIR/none}}
landscape: {url: 'sqlite:///$DIR/audit.db'}
retry: {max_attempts: ATTEMPTS, initial_delay_seconds: 0.001, max_delay_seconds: 0.001}
";

/// Fails at the first write, and then at the next opening.
struct Lost {
    opened: u32,
    lost: bool,
}

fn passing(what: &str) -> SinkError {
    SinkError { retryable: true, ..SinkError::new(what) }
}

impl Sink for Lost {
    fn contract(&self) -> Contract {
        Contract::observed()
    }

    fn open(&mut self, _context: &SinkContext, _position: Option<&SinkPosition>) -> Result<(), SinkError> {
        self.opened += 1;
        if self.opened == 2 { Err(passing("the server is not back")) } else { Ok(()) }
    }

    fn write(&mut self, _epoch: EpochNo, rows: &[SinkRow<'_>]) -> Result<Written, SinkError> {
        if !std::mem::replace(&mut self.lost, true) {
            return Err(passing("the server went away"));
        }
        assert_eq!(self.opened, 3, "it was written to before it was opened again");
        let position = SinkPosition(serde_json::json!(rows.len()));
        Ok(Written { refused: Vec::new(), position, produced: None })
    }

    fn publish(&mut self) -> Result<Option<Produced>, SinkError> {
        Ok(None)
    }
}

fn run(attempts: u32) -> (RunStatus, Option<String>) {
    let scratch = Scratch::new();
    scratch.write("in.csv", "n\n1\n2\n");
    let mut registry = elspeth_app::registry();
    let json = registry.info(PluginKind::Sink, "json").expect("it is built in").clone();
    registry.add_sink(elspeth_plugin::PluginInfo { name: "lost", ..json }, |_| {
        Ok(Box::new(Lost { opened: 0, lost: false }))
    });
    let settings = NUMBERS.replace("ATTEMPTS", &attempts.to_string());
    let report = scratch.run_with(&settings, registry).expect("the run begins");
    (report.run.status, report.error.map(|error| error.to_string()))
}

#[test]
fn a_sink_that_cannot_be_opened_again_at_once_is_tried_again() {
    assert_eq!(run(3), (RunStatus::Completed, None));
}

#[test]
fn opening_again_counts_as_an_attempt() {
    let (status, error) = run(2);
    assert_eq!(status, RunStatus::Failed);
    assert!(error.as_ref().is_some_and(|error| error.contains("the server is not back")), "{error:?}");
}
