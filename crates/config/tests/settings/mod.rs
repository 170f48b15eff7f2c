//! Settings to begin with, and loading them.

use std::collections::BTreeMap;
use std::path::Path;

use elspeth_config::{Diagnostic, Environment, Loaded, load_text};

/// One gate, two sinks.
pub(crate) const GATE: &str = r#"
source:
  plugin: csv
  on_success: rows
  options:
    path: input.csv
    on_validation_failure: discard
    schema: {mode: fixed, fields: ["id: int", "amount: float"]}
gates:
  - name: big
    input: rows
    condition: row['amount'] > 1000
    routes:
      true: high
      false: low
sinks:
  high:
    plugin: csv
    options: {path: high.csv, schema: {mode: observed}}
  low:
    plugin: csv
    options: {path: low.csv, schema: {mode: observed}}
"#;

/// A fork whose branches are joined again, one after a transform, and an aggregation of what was not forked.
pub(crate) const JOINED: &str = r#"
source:
  plugin: csv
  on_success: rows
  options:
    path: input.csv
    on_validation_failure: errors
    schema: {mode: fixed, fields: ["id: int", "amount: float"]}
gates:
  - name: split
    input: rows
    condition: row['amount'] > 1000
    routes: {true: fork, false: small}
    fork_to: [fast, checked, archive]
transforms:
  - name: check
    plugin: passthrough
    input: checked
    on_success: was_checked
    on_error: errors
    service: registry
coalesce:
  - name: joined
    branches: {fast: fast, checked: was_checked}
    policy: best_effort
    timeout_seconds: 2.5
    on_success: big
aggregations:
  - name: totals
    plugin: batch_stats
    input: small
    on_error: discard
    trigger: {count: 100, timeout_seconds: 60, condition: "row['batch_age_seconds'] > 30 and row['batch_count'] > 1"}
    options: {value_field: amount}
  - name: last
    plugin: batch_replicate
    input: totals
    on_success: sums
    on_error: discard
    service: scoring
sinks:
  big: {plugin: json, options: {path: big.jsonl, schema: {mode: observed}}}
  sums: {plugin: json, options: {path: sums.jsonl, schema: {mode: observed}}}
  archive: {plugin: json, options: {path: archive.jsonl, schema: {mode: observed}}}
  errors: {plugin: json, options: {path: errors.jsonl, schema: {mode: observed}}}
rate_limit: {services: {scoring: {requests_per_minute: 600}}}
"#;

/// Loads a text in an empty folder's environment.
pub(crate) fn load(text: &str) -> Result<Loaded, Vec<Diagnostic>> {
    load_with(text, &[], Path::new("/nonexistent"))
}

/// Loads a text with these variables and that working directory.
pub(crate) fn load_with(
    text: &str,
    variables: &[(&str, &str)],
    working_directory: &Path,
) -> Result<Loaded, Vec<Diagnostic>> {
    let variables: BTreeMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let environment = Environment::new(variables, working_directory);
    load_text(text, "settings.yaml", &environment, &elspeth_plugins::builtin())
}
