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
  numbers: {plugin: lost, on_write_failure: discard, options: {path: ASKED}}
landscape: {url: 'sqlite:///$DIR/audit.db'}
retry: {max_attempts: ATTEMPTS, initial_delay_seconds: 0.001, max_delay_seconds: 0.001}
";

/// What is asked of it, in this order; with a `!`, it fails.
struct Lost(std::vec::IntoIter<String>);

impl Lost {
    fn asked(&mut self, what: &str) -> Result<(), SinkError> {
        let expected = self.0.next().unwrap_or_default();
        assert_eq!(expected.trim_end_matches('!'), what);
        match expected.ends_with('!') {
            true => Err(SinkError { retryable: true, ..SinkError::new(format!("lost at {what}")) }),
            false => Ok(()),
        }
    }
}

impl Sink for Lost {
    fn contract(&self) -> Contract {
        Contract::observed()
    }

    fn open(&mut self, _context: &SinkContext, _position: Option<&SinkPosition>) -> Result<(), SinkError> {
        self.asked("open")
    }

    fn write(&mut self, _epoch: EpochNo, rows: &[SinkRow<'_>]) -> Result<Written, SinkError> {
        self.asked("write")?;
        let position = SinkPosition(serde_json::json!(rows.len()));
        Ok(Written { refused: Vec::new(), position, produced: None })
    }

    fn publish(&mut self) -> Result<Option<Produced>, SinkError> {
        self.asked("publish")?;
        assert_eq!(self.0.next(), None);
        Ok(None)
    }
}

fn run(attempts: u32, asked: &str) -> (RunStatus, Option<String>) {
    let scratch = Scratch::new();
    scratch.write("in.csv", "n\n1\n2\n");
    let mut registry = elspeth_app::registry();
    let json = registry.info(PluginKind::Sink, "json").expect("it is built in").clone();
    registry.add_sink(elspeth_plugin::PluginInfo { name: "lost", ..json }, |options| {
        let asked = options["path"].as_str().unwrap_or_default().split(' ').map(str::to_owned);
        Ok(Box::new(Lost(asked.collect::<Vec<_>>().into_iter())))
    });
    let settings = NUMBERS.replace("ATTEMPTS", &attempts.to_string()).replace("ASKED", asked);
    let report = scratch.run_with(&settings, registry).expect("the run begins");
    (report.run.status, report.error.map(|error| error.to_string()))
}

#[test]
fn whatever_is_asked_of_a_sink_is_asked_again() {
    for asked in [
        "open write publish",
        "open! open! open write publish",
        "open write! open! open write publish",
        "open write! open write! open write publish",
        "open write publish! open! open publish",
        "open! open write! open write publish! open publish",
    ] {
        assert_eq!(run(3, asked), (RunStatus::Completed, None), "{asked}");
    }
}

#[test]
fn opening_again_counts_as_an_attempt() {
    for (asked, said) in [
        ("open! open!", "lost at open"),
        ("open write! open!", "lost at open"),
        ("open write publish! open!", "lost at open"),
        ("open write publish! open publish!", "lost at publish"),
    ] {
        let (status, error) = run(2, asked);
        assert_eq!(status, RunStatus::Failed, "{asked}");
        assert!(error.as_ref().is_some_and(|error| error.contains(said)), "{asked}: {error:?}");
    }
}
