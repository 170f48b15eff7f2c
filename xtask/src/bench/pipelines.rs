//! The pipelines that are measured, as settings files.

use std::path::Path;

use clap::ValueEnum;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Pipeline {
    /// csv to csv
    Copy,
    /// csv, one transform, a gate, two csv
    Route,
    /// csv, three transforms, a gate, two csv
    Transform,
}

const MAPPER: &str = "  - name: mapped
    plugin: field_mapper
    input: read
    on_success: MAPPED
    on_error: discard
    options:
      mapping: {name: customer}
      computed: {fee: \"row['amount'] * 0.02\"}
      schema: {mode: observed}
";

const MORE: &str = "  - name: shortened
    plugin: truncate
    input: mapped_rows
    on_success: shortened_rows
    on_error: discard
    options:
      fields: {customer: 12}
      suffix: \"...\"
      schema: {mode: observed}
  - name: screened
    plugin: keyword_filter
    input: shortened_rows
    on_success: decided
    on_error: discard
    options:
      fields: [customer, category]
      blocked_patterns: [\"(?i)forbidden\", \"\\\\b\\\\d{16}\\\\b\"]
      schema: {mode: observed}
";

const GATE: &str = "gates:
  - name: large
    input: decided
    condition: \"row['amount'] > 5000 and row['score'] >= 0.25\"
    routes: {\"true\": first, \"false\": second}
";

impl Pipeline {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::Route => "route",
            Self::Transform => "transform",
        }
    }

    pub(super) fn shape(self) -> &'static str {
        match self {
            Self::Copy => "csv → csv",
            Self::Route => "csv → field_mapper → gate → two csv",
            Self::Transform => "csv → three transforms → gate → two csv",
        }
    }

    /// Settings that read `input` and write outputs and record below `folder`.
    pub(super) fn settings(self, input: &Path, folder: &Path) -> String {
        let (after_source, steps, sinks): (_, String, &[&str]) = match self {
            Self::Copy => ("first", String::new(), &["first"]),
            Self::Route => (
                "read",
                format!("transforms:\n{}{GATE}", MAPPER.replace("MAPPED", "decided")),
                &["first", "second"],
            ),
            Self::Transform => (
                "read",
                format!("transforms:\n{}{MORE}{GATE}", MAPPER.replace("MAPPED", "mapped_rows")),
                &["first", "second"],
            ),
        };
        let sinks: String = sinks.iter().map(|sink| sink_settings(sink, folder)).collect();
        let (input, folder) = (input.display(), folder.display());
        format!(
            "source:
  plugin: csv
  on_success: {after_source}
  options:
    path: '{input}'
    on_validation_failure: discard
    schema:
      mode: fixed
      fields: [\"id: int\", \"name: str\", \"score: float\", \"category: str\", \"amount: float\"]
{steps}sinks:
{sinks}landscape:
  url: 'sqlite:///{folder}/audit.db'
payload_store:
  base_path: '{folder}/payloads'
"
        )
    }
}

fn sink_settings(name: &str, folder: &Path) -> String {
    format!(
        "  {name}:
    plugin: csv
    on_write_failure: discard
    options:
      path: '{}/{name}.csv'
      schema: {{mode: observed}}
",
        folder.display()
    )
}
