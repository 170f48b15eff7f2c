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
    /// csv, a fork of two that meet again, with another such fork in one of its branches, csv
    Fork,
    /// csv, statistics of every hundred rows, csv
    Batch,
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

const FORKS: &str = "gates:
  - name: split
    input: read
    condition: \"True\"
    routes: {\"true\": fork, \"false\": first}
    fork_to: [charged, shown]
  - name: split_again
    input: shortened
    condition: \"True\"
    routes: {\"true\": fork, \"false\": first}
    fork_to: [long, brief]
transforms:
  - name: fee
    plugin: field_mapper
    input: charged
    on_success: with_fee
    on_error: discard
    options:
      computed: {fee: \"row['amount'] * 0.02\"}
      schema: {mode: observed}
  - name: shorten
    plugin: truncate
    input: shown
    on_success: shortened
    on_error: discard
    options:
      fields: {name: 12}
      suffix: \"...\"
      schema: {mode: observed}
coalesce:
  - name: inner
    branches: [long, brief]
    policy: require_all
    merge: union
  - name: outer
    branches: {charged: with_fee, shown: inner}
    policy: require_all
    merge: union
    on_success: first
";

const STATISTICS: &str = "aggregations:
  - name: totals
    plugin: batch_stats
    input: read
    on_success: first
    on_error: discard
    trigger: {count: 100}
    options:
      value_field: amount
      group_by: category
      schema: {mode: observed}
";

impl Pipeline {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::Route => "route",
            Self::Transform => "transform",
            Self::Fork => "fork",
            Self::Batch => "batch",
        }
    }

    pub(super) fn shape(self) -> &'static str {
        match self {
            Self::Copy => "csv → csv",
            Self::Route => "csv → field_mapper → gate → two csv",
            Self::Transform => "csv → three transforms → gate → two csv",
            Self::Fork => "csv → fork of two, one with a fork of two → both merged → csv",
            Self::Batch => "csv → statistics of every 100 rows → csv",
        }
    }

    /// Settings that read `input` and write outputs and record below `folder`.
    pub(super) fn settings(self, input: &Path, folder: &Path, durable: bool) -> String {
        let synchronous = if durable { "full" } else { "off" };
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
            Self::Fork => ("read", FORKS.to_owned(), &["first"]),
            Self::Batch => ("read", STATISTICS.to_owned(), &["first"]),
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
  synchronous: {synchronous}
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
