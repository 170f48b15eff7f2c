//! The use cases behind the command line: run, resume, validate, graph, runs, status, explain, errors, verify, export,
//! import, copy, head, keys, prove, purge, plugins, schema, health.
//!
//! Each is a plain function that takes what the user chose ([`SettingsChoice`], [`DatabaseChoice`]) and gives back data
//! that can be printed or serialised; the serialised forms are the stable JSON shapes of the command line. This is the
//! place where plugins and the store are chosen: crates below know only traits.
//!
//! Invariant: `validate`, `graph`, and `run` compile settings by the same function ([`prepare`]), so they cannot disagree.
//!
//! This crate does not print, and knows no terminal.
//!
//! ```
//! use elspeth_app::{EnvChoice, SettingsChoice, validate};
//!
//! let scratch = elspeth_testkit::Scratch::new();
//! let settings = |condition: &str| {
//!     let text = format!(
//!         r#"
//! source:
//!   plugin: csv
//!   on_success: claims
//!   options:
//!     path: claims.csv
//!     on_validation_failure: discard
//!     schema: {{mode: fixed, fields: ["id: int", "amount: float"]}}
//! gates:
//!   - {{name: large, input: claims, condition: "{condition}", routes: {{"true": review, "false": paid}}}}
//! sinks:
//!   review: {{plugin: json, on_write_failure: discard, options: {{path: review.jsonl}}}}
//!   paid: {{plugin: json, on_write_failure: discard, options: {{path: paid.jsonl}}}}
//! "#
//!     );
//!     SettingsChoice { path: scratch.write("settings.yaml", text), env: EnvChoice::NoDotenv }
//! };
//!
//! let report = validate(&settings("row['amount'] > 500")).unwrap();
//! assert!(report.valid);
//! assert_eq!(report.outline(), "1 source, 1 gate, 2 sinks");
//!
//! // Whatever is wrong is named with its place, and nothing was touched.
//! let report = validate(&settings("row['amuont'] > 500")).unwrap();
//! assert_eq!(report.errors[0].message, "the rows have no field 'amuont'");
//! assert_eq!((report.errors[0].line, report.errors[0].column), (Some(10), Some(46)));
//! assert_eq!(scratch.names(), ["settings.yaml"]);
//! ```

mod choice;
mod copy;
mod epilogue;
mod error;
mod errors;
mod explain;
mod export;
mod head;
mod health;
mod import;
mod journal;
mod keys;
mod lease;
mod new_file;
mod plugins;
mod prepare;
mod prove;
mod provenance;
mod purge;
mod report;
mod resume;
mod run;
mod runs;
mod scratch;
mod shell;
mod signing;
mod store;
mod telemetry;
mod validate;
mod verify;

pub use choice::{DatabaseChoice, EnvChoice, SettingsChoice};
pub use copy::{CopyReport, copy};
pub use elspeth_config::Diagnostic;
pub use elspeth_contracts::{CallStatus, NodeStateStatus, Outcome, RunId, RunStatus, TokenId};
pub use elspeth_executors::silence_plugin_panics;
pub use elspeth_graph::ExecutionGraph;
pub use elspeth_landscape::lineage::{
    Lineage, LineageBatch, LineageCall, LineageError, LineageMember, LineageMembership, LineageOutcome,
    LineageRouting, LineageRow, LineageSource, LineageState, LineageToken, LineageTree, LineageWords,
    RoutingReason,
};
pub use elspeth_landscape::verify::{BadRecord, CheckResult, CheckStatus, Verification, VerifyStatus};
pub use elspeth_landscape::{FailureGroup, FailureReport, RunListing, Shown};
pub use elspeth_orchestrator::{Progress, RunObserver};
pub use elspeth_proof::{printable, printable_lines};
pub use error::{AppError, Diagnostics};
pub use errors::errors;
pub use explain::{Question, explain};
pub use export::{ExportChoice, ExportFormat, ExportReport, KindCount, export};
pub use head::{ConsistencyProof, HeadView, head, prove_consistency};
pub use health::{HealthCheck, HealthReport, Version, health, version};
pub use import::{ImportReport, import};
pub use keys::{
    KeyList, KeyStatus, KeySuccession, KeyView, PublicKeyView, generate_key, keys, prove_keys, revoke_key,
    rotate_keys, show_key,
};
pub use new_file::NewFile;
pub use plugins::{OptionView, PluginView, plugins, plugins_named, registry, schema};
pub use prepare::{Plan, PlanNode, Prepared, graph, prepare, prepare_with};
pub use prove::{RowProving, RowReceipt, prove_row};
pub use provenance::{ProvenanceChoice, ProvenanceForm, ProvenanceReport, export_provenance};
pub use purge::{PurgeChoice, PurgePlan, PurgeReport, PurgeRun, SkippedRun, WaitingStore, purge, purge_plan};
pub use report::{ResumptionView, RunReport, status};
pub use resume::{Resumable, ResumeChoice, ResumeView, StillWaiting, Unwritten, resumable, resume};
pub use run::run;
pub use runs::runs;
pub use shell::shell_word;
pub use validate::{ValidateReport, validate};
pub use verify::{TrustChoice, VerifyChoice, verify};
