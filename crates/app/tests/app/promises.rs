//! One test per promise of the product that holds today; `docs/guarantees.md` lists them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use crate::support::{Scratch, TRIAGE, TRIAGE_CSV};
use elspeth_app::{EnvChoice, SettingsChoice};
use elspeth_contracts::EpochNo;
use elspeth_plugin::{Produced, Sink, SinkContext, SinkError, SinkPosition, SinkRow, Written};
use elspeth_value::Contract;

#[test]
fn promise_complete_lineage() {
    let scratch = Scratch::new();
    scratch.write("in.csv", TRIAGE_CSV);
    scratch.run(TRIAGE).unwrap();
    let lineage = scratch.explain_json(0);
    assert_eq!(lineage["row"]["row_index"], 0);
    assert_eq!(lineage["row"]["data"]["name"], "Ada");
    let token = &lineage["tokens"][0];
    assert_eq!(token["outcome"]["outcome"], "routed");
    assert_eq!(token["outcome"]["sink"], "approved");
    let states = token["states"].as_array().unwrap();
    let nodes: Vec<_> = states.iter().map(|s| s["node"].as_str().unwrap()).collect();
    assert_eq!(nodes, ["source", "rename", "threshold", "approved"]);
    for pair in states.windows(2) {
        assert_eq!(pair[0]["output_hash"], pair[1]["input_hash"], "what one node gives the next one gets");
    }
    assert_eq!(states[1]["input"]["name"], "Ada");
    assert_eq!(states[1]["output"]["applicant"], "Ada");
    let decision = &states[2]["routing"][0];
    assert_eq!(decision["label"], "true");
    assert_eq!(decision["to"], "approved");
    assert!(decision["reason"].to_string().contains("row['score'] >= 50"), "{decision}");
}

#[test]
fn promise_no_silent_drop() {
    let scratch = Scratch::new();
    scratch.write("in.csv", TRIAGE_CSV);
    let report = scratch.run(TRIAGE).unwrap();
    assert_eq!(report.run.rows.processed, 6);
    assert_eq!(report.unfinished, 0);
    let expected = [("approved", 1), ("failed", 1), ("quarantine", 2), ("rejected", 2)];
    let expected: BTreeMap<_, _> = expected.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect();
    assert_eq!(report.run.destinations, expected);
    for row in 0..6 {
        let lineage = scratch.explain_json(row);
        let tokens = lineage["tokens"].as_array().unwrap();
        assert_eq!(tokens.len(), 1, "row {row}");
        assert!(tokens[0]["outcome"]["outcome"].is_string(), "row {row}: {lineage}");
    }
}

#[test]
fn promise_one_bad_row_never_sinks_a_run() {
    let scratch = Scratch::new();
    let kinds = ["60", "bad", "", "10"];
    let rows: String = (0..200).map(|i| format!("{i},n{i},{}\n", kinds[i % 4])).collect();
    scratch.write("in.csv", format!("id,name,score\n{rows}"));
    let mut registry = elspeth_app::registry();
    let info = registry.info(elspeth_plugin::PluginKind::Transform, "passthrough").unwrap().clone();
    registry.add_transform(info, |_| Ok(Arc::new(Moody)));
    let settings = TRIAGE
        .replace("plugin: field_mapper", "plugin: passthrough")
        .replace("    options:\n      mapping: {name: applicant}\n", "");
    let report = scratch.run_with(&settings, registry).unwrap();
    assert_eq!(report.run.status.as_str(), "completed");
    // Of four rows one is no number, one has no score for the gate, two are judged; every tenth panics its transform.
    let judged = |i: &u64| i % 4 != 1 && !i.is_multiple_of(10);
    let count = |wanted: u64| (0..200).filter(judged).filter(|i| i % 4 == wanted).count() as u64;
    assert_eq!(report.run.destinations["quarantine"], 50);
    assert_eq!(report.run.destinations["approved"], count(0));
    assert_eq!(report.run.destinations["rejected"], count(3));
    assert_eq!(report.run.destinations["failed"], 150 - count(0) - count(3));
}

/// Panics at every tenth row.
struct Moody;

impl elspeth_plugin::Transform for Moody {
    fn output_contract(&self, input: &Contract) -> Result<Contract, Vec<elspeth_plugin::OptionError>> {
        Ok(input.clone())
    }

    fn process(
        &self,
        row: elspeth_value::Row,
        context: &elspeth_plugin::TransformContext<'_>,
    ) -> elspeth_plugin::TransformResult {
        assert!(!(context.token.get() >> 20).is_multiple_of(10), "not today");
        Ok(elspeth_plugin::TransformOutput::Unchanged(row))
    }
}

#[test]
fn a_discarded_source_row_is_recorded_like_any_other() {
    let scratch = Scratch::new();
    scratch.write("in.csv", TRIAGE_CSV);
    let report = scratch
        .run(&TRIAGE.replace("on_validation_failure: quarantine", "on_validation_failure: discard").replace(
            "  quarantine: {plugin: csv, on_write_failure: discard, options: {path: $DIR/quarantine.csv}}\n",
            "",
        ))
        .unwrap();
    assert_eq!((report.run.rows.processed, report.discarded), (6, 2));
    let lineage = scratch.explain_json(2);
    assert_eq!(lineage["tokens"][0]["outcome"]["outcome"], "quarantined");
    assert_eq!(lineage["tokens"][0]["states"][0]["status"], "failed");
    assert_eq!(lineage["row"]["data"]["id"], "x");
}

#[test]
fn promise_record_first_then_act() {
    let scratch = Scratch::new();
    let rows: String = (0..2_500).map(|i| format!("{i},n{i},{}.5\n", i % 100)).collect();
    scratch.write("in.csv", format!("id,name,score\n{rows}"));
    let mut registry = elspeth_app::registry();
    let info = registry.info(elspeth_plugin::PluginKind::Sink, "csv").unwrap().clone();
    registry.add_sink(info, |options| {
        let path = PathBuf::from(options["path"].as_str().unwrap());
        Ok(Box::new(Witness { database: path.with_file_name("audit.db"), run: String::new(), rows: 0 }))
    });
    WITNESSED.lock().unwrap().clear();
    scratch.run_with(TRIAGE, registry).unwrap();
    let seen = WITNESSED.lock().unwrap();
    assert!(seen.len() >= 3, "several epochs were written: {seen:?}");
    for (epoch, committed) in seen.iter() {
        assert!(committed > epoch, "epoch {epoch} was written while only {committed} epochs were durable");
    }
}

/// Epoch written, and how many epochs another connection saw committed at that moment.
static WITNESSED: Mutex<Vec<(u64, u64)>> = Mutex::new(Vec::new());

/// A sink that looks into the record, as a stranger would, while it writes.
struct Witness {
    database: PathBuf,
    run: String,
    rows: u64,
}

impl Sink for Witness {
    fn contract(&self) -> Contract {
        Contract::observed()
    }

    fn open(&mut self, context: &SinkContext, _position: Option<&SinkPosition>) -> Result<(), SinkError> {
        self.run = context.run_id.to_string();
        Ok(())
    }

    fn write(&mut self, epoch: EpochNo, rows: &[SinkRow<'_>]) -> Result<Written, SinkError> {
        let database = elspeth_app::DatabaseChoice::Location(self.database.display().to_string());
        let status = elspeth_app::status(&database, &self.run).unwrap();
        WITNESSED.lock().unwrap().push((epoch.0, status.epochs));
        self.rows += rows.len() as u64;
        let position = SinkPosition(serde_json::json!({ "rows": self.rows }));
        Ok(Written { refused: Vec::new(), position, produced: None })
    }

    fn publish(&mut self) -> Result<Option<Produced>, SinkError> {
        Ok(None)
    }
}

#[test]
fn promise_same_input_same_record() {
    let scratch = Scratch::new();
    let rows: String = (0..400).map(|i| format!("{i},n{i},{}\n", ["1", "99.5", "", "bad"][i % 4])).collect();
    scratch.write("in.csv", format!("id,name,score\n{rows}"));
    let ways = [
        (1, "frequency: aggregation_only"),
        (2, "frequency: every_row"),
        (8, "frequency: every_n, checkpoint_interval: 7"),
        (32, "frequency: every_n, checkpoint_interval: 100"),
    ];
    let mut seen = Vec::new();
    for (workers, checkpoint) in ways {
        let settings = TRIAGE.replace("audit.db", &format!("audit-{workers}.db"));
        let settings =
            format!("{settings}concurrency: {{max_workers: {workers}}}\ncheckpoint: {{{checkpoint}}}\n");
        let report = scratch.run(&settings).unwrap();
        let outputs =
            ["approved.csv", "rejected.jsonl", "quarantine.csv", "failed.csv"].map(|f| scratch.read(f));
        seen.push((outputs, report.run.content_root.unwrap(), report.run.rows.clone()));
    }
    for other in &seen[1..] {
        assert!(seen[0].0 == other.0, "sink bytes differ");
        assert_eq!(seen[0].1, other.1, "content roots differ");
        assert_eq!(seen[0].2, other.2, "counters differ");
    }
}

#[test]
fn promise_fail_before_the_first_row() {
    let scratch = Scratch::new();
    let broken = TRIAGE
        .replace("'score'] >= 50", "'scoer'] >= 50")
        .replace("on_success: renamed\n    on_error: failed", "on_success: renamed\n    on_error: faled")
        .replace("\"true\": approved", "\"true\": aproved");
    let report = elspeth_app::validate(&scratch.settings(&broken)).unwrap();
    assert!(!report.valid);
    assert!(report.errors.len() >= 3, "{:?}", report.errors);
    for error in &report.errors {
        assert!(error.line.is_some() && error.column.is_some(), "{error} has no place");
    }
    assert_eq!(scratch.files(), ["settings.yaml"], "validate must leave nothing behind");
    assert!(scratch.run(&broken).is_err());
    assert_eq!(scratch.files(), ["settings.yaml"], "a refused run must leave nothing behind");
}

#[test]
fn promise_bounded_expressions_and_records() {
    let scratch = Scratch::new();
    scratch.write("in.csv", "id,name,score\n1,abc,1\n2,de,2\n");
    // A result that would not fit into memory is the row's failure, not the program's.
    let report =
        scratch.run(&TRIAGE.replace("row['score'] >= 50", "row['applicant'] * 1000000000 == 'x'")).unwrap();
    assert_eq!(report.run.destinations["failed"], 2);
    // A record of more than 16 MiB is set aside with its beginning, and the one behind it is not lost.
    let huge = "a".repeat(16 * 1024 * 1024);
    let csv = format!("id,name,score\n1,{huge},1\n2,de,2\n");
    let json =
        format!("{{\"id\":1,\"name\":\"{huge}\",\"score\":1}}\n{{\"id\":2,\"name\":\"de\",\"score\":2}}\n");
    for (plugin, file, content) in [("csv", "in.csv", csv), ("json", "in.jsonl", json)] {
        let scratch = Scratch::new();
        scratch.write(file, content);
        let settings = TRIAGE.replace("plugin: csv\n  on", &format!("plugin: {plugin}\n  on"));
        let report = scratch.run(&settings.replace("in.csv", file)).unwrap();
        assert_eq!((report.run.rows.processed, report.run.destinations["quarantine"]), (2, 1), "{plugin}");
        assert_eq!(
            scratch.read("rejected.jsonl"),
            "{\"id\":2,\"applicant\":\"de\",\"score\":2.0}\n",
            "{plugin}"
        );
        let kept = scratch.read("quarantine.csv");
        assert!(kept.contains("aaaa") && kept.len() < 128 * 1024, "{plugin}: {} bytes", kept.len());
    }
}

#[test]
fn promise_secrets_never_reach_the_record() {
    let scratch = Scratch::new();
    scratch.write("in.csv", TRIAGE_CSV);
    let env =
        scratch.write("secrets.env", "COLLECTOR_KEY=s3cr3t-pw\nELSPETH_FINGERPRINT_KEY=k3y-of-the-prints\n");
    let with_secret = format!(
        "{TRIAGE}telemetry:\n  exporters:\n    - name: otlp\n      options: {{endpoint: 'http://127.0.0.1:9', \
         headers: {{authorization: '${{COLLECTOR_KEY}}'}}}}\n"
    );
    let choice = SettingsChoice { env: EnvChoice::File(env), ..scratch.settings(&with_secret) };
    let prepared = elspeth_app::prepare(&choice).unwrap();
    elspeth_app::run(prepared, Arc::default(), &mut crate::support::Quiet).unwrap();
    let record = std::fs::read(scratch.path("audit.db")).unwrap();
    let holds = |text: &str| record.windows(text.len()).any(|w| w == text.as_bytes());
    assert!(holds("authorization"), "the setting itself is recorded");
    assert!(!holds("s3cr3t-pw") && !holds("k3y-of-the-prints"), "no secret is in the record");
}

#[test]
fn the_two_hash_versions_give_two_content_roots() {
    let root = |hash: &str| {
        let scratch = Scratch::new();
        scratch.write("in.csv", TRIAGE_CSV);
        scratch
            .run(&TRIAGE.replace("landscape:\n", &format!("landscape:\n  hash: {hash}\n")))
            .unwrap()
            .run
            .content_root
    };
    assert_ne!(root("blake3"), root("sha256"));
}

/// Nested forks into one sink beside a batch that is flushed in some epochs and not in others.
const NESTED_FORKS: &str = r#"
source: {plugin: csv, on_success: rows, options: {path: $DIR/in.csv, on_validation_failure: discard, schema: {mode: fixed, fields: ["id: int", "m: int"]}}}
gates:
  - {name: outer, input: rows, condition: "'x'", routes: {x: fork}, fork_to: [a, b, c]}
  - {name: inner, input: a, condition: "'x'", routes: {x: fork}, fork_to: [x, y]}
transforms:
  - {name: tx, plugin: field_mapper, input: x, on_success: s, on_error: discard, options: {computed: {w: "'x'"}}}
  - {name: ty, plugin: field_mapper, input: y, on_success: s, on_error: discard, options: {computed: {w: "'y'"}}}
  - {name: tb, plugin: field_mapper, input: b, on_success: s, on_error: discard, options: {computed: {w: "'b'"}}}
aggregations:
  - {name: agg, plugin: batch_stats, input: c, on_success: o, on_error: discard, trigger: {count: 3}, options: {value_field: m}}
sinks:
  s: {plugin: csv, options: {path: $DIR/s.csv}}
  o: {plugin: csv, options: {path: $DIR/o.csv}}
landscape: {url: "sqlite:///$DIR/audit.db"}
"#;

#[test]
fn epochs_do_not_show_in_the_order_of_a_sink() {
    let rows: String = (0..7).map(|i| format!("{i},{i}\n")).collect();
    let written = |checkpoint: &str| {
        let scratch = Scratch::new();
        scratch.write("in.csv", format!("id,m\n{rows}"));
        scratch.run(&format!("{NESTED_FORKS}{checkpoint}")).unwrap();
        (scratch.read("s.csv"), scratch.read("o.csv"))
    };
    let usual = written("");
    assert!(usual.0.starts_with("id,m,w\n0,0,b\n"), "{}", usual.0);
    for interval in ["every_row", "every_n, checkpoint_interval: 2", "every_n, checkpoint_interval: 5"] {
        assert_eq!(written(&format!("checkpoint: {{frequency: {interval}}}\n")), usual, "{interval}");
    }
}
