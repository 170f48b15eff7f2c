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
