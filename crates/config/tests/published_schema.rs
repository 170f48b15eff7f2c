//! What editors are told by the JSON Schema is what the loader takes.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::collections::BTreeMap;

use elspeth_config::{Environment, json_schema, load_text};
use serde_json::Value as Json;

const SETTINGS: &str = r#"
source:
  plugin: csv
  on_success: rows
  options: {path: in.csv, skip_rows: SKIPPED, on_validation_failure: discard, schema: {mode: fixed, fields: ["id: int", {name: a, type: float, required: NEEDED}]}}
transforms:
  - {name: cut, plugin: truncate, input: rows, on_success: cut_rows, on_error: discard, options: {fields: {text: LONGEST}}}
aggregations:
  - name: totals
    plugin: batch_stats
    input: cut_rows
    on_success: out
    on_error: discard
    trigger: {count: COUNT, timeout_seconds: SECONDS}
    options: {value_field: a, compute_mean: MEAN, percentiles: [PERCENT]}
sinks:
  out: {plugin: json, options: {path: out.json, indent: INDENT, schema: {mode: observed}}}
concurrency: {max_workers: WORKERS}
retry: {max_attempts: 2, initial_delay_seconds: DELAY}
"#;

/// The places, and what stands there unless a test says otherwise.
const PLACES: [(&str, &str); 10] = [
    ("SKIPPED", "0"),
    ("NEEDED", "true"),
    ("LONGEST", "5"),
    ("COUNT", "5"),
    ("SECONDS", "1.5"),
    ("MEAN", "true"),
    ("PERCENT", "90"),
    ("INDENT", "2"),
    ("WORKERS", "4"),
    ("DELAY", "1"),
];

fn settings(written: &[(&str, &str)]) -> String {
    let of = |place: &str| written.iter().find(|(name, _)| *name == place).map(|(_, text)| *text);
    PLACES.iter().fold(SETTINGS.replace("text: LONGEST", "id: LONGEST").replace("id: int", "id: str"), {
        |text, (place, usual)| text.replace(place, of(place).unwrap_or(usual))
    })
}

/// Whether the schema takes it, and whether the loader does.
fn taken(text: &str) -> (bool, bool) {
    let registry = elspeth_plugins::builtin();
    let schema = jsonschema::validator_for(&json_schema(&registry)).unwrap();
    let written: Json = serde_yaml::from_str(text).unwrap();
    let environment = Environment::new(BTreeMap::from([("SET".to_owned(), "1".to_owned())]), "/");
    (schema.is_valid(&written), load_text(text, "settings.yaml", &environment, &registry).is_ok())
}

#[test]
fn numbers_and_truth_values_may_be_variables_and_quoted() {
    assert_eq!(taken(&settings(&[])), (true, true));
    let variables = PLACES.map(|(place, usual)| (place, format!("\"${{NONE:-{usual}}}\"")));
    let quoted = PLACES.map(|(place, usual)| (place, format!("\"{usual}\"")));
    let set = PLACES.map(|(place, _)| (place, "\"${SET}\"".to_owned()));
    for all in [variables, quoted, set] {
        let written: Vec<_> = all.iter().map(|(place, text)| (*place, text.as_str())).collect();
        assert_eq!(taken(&settings(&written)), (true, true), "{written:?}");
    }
    for (place, text) in [
        ("COUNT", "' +5 '"),
        ("SECONDS", "'.5'"),
        ("SECONDS", "'1e1'"),
        ("SECONDS", "'2.'"),
        ("MEAN", "' Yes '"),
        ("MEAN", "'oFF'"),
        ("MEAN", "'0'"),
        ("MEAN", "'t'"),
    ] {
        assert_eq!(taken(&settings(&[(place, text)])), (true, true), "{place} {text}");
    }
}

#[test]
fn other_texts_are_no_numbers_and_no_truth_values() {
    for (place, text) in [
        ("COUNT", "five"),
        ("COUNT", "'5.0'"),
        ("COUNT", "'-5'"),
        ("COUNT", "'00'"),
        ("COUNT", "''"),
        ("COUNT", "true"),
        ("COUNT", "'0x5'"),
        ("SECONDS", "'1,5'"),
        ("SECONDS", "'inf'"),
        ("SECONDS", "'.'"),
        ("SECONDS", "'1e'"),
        ("MEAN", "'maybe'"),
        ("MEAN", "1"),
        ("MEAN", "'2'"),
    ] {
        assert_eq!(taken(&settings(&[(place, text)])), (false, false), "{place} {text}");
    }
}
