//! Run phases: open, begin, epochs, publish, seal. No row logic, no YAML.
//!
//! [`run`] takes a [`RunPlan`] through one run. The engine decides epochs on its own threads; this crate makes each of
//! them durable before its sinks act, and records what they did together with the decisions of a later epoch, or by itself:
//!
//! ```text
//! engine:   decide 1 | decide 2 | decide 3 | decide 4 | ...
//! record:            | A1       | A2       | B1 A3    | B2 A4 ...
//! disk:                   | sync 1   | sync 2   | sync 3 ...
//! sinks:                           | act 1    | act 2    | ...
//! ```
//!
//! [`resume`] does the same for a run that stopped, from its last commit on.
//!
//! Invariant: a sink acts on an epoch only after the transaction with that epoch's decisions was committed, and a run
//! is `completed` only when every sink is published and every token has its outcome.
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::num::NonZeroU64;
//! use std::sync::Arc;
//!
//! use elspeth_config::{Environment, load_text};
//! use elspeth_contracts::{Clock, IdSource, RandomIds, RunId, RunStatus, SystemClock};
//! use elspeth_executors::{RateLimits, RetryPolicy, StepPlugins, ThreadPause};
//! use elspeth_landscape_sql::SqliteLandscape;
//! use elspeth_orchestrator::{FailureBudget, Progress, RunObserver, RunPlan, run};
//! use elspeth_payload::FilesystemStore;
//! use elspeth_telemetry::Spans;
//!
//! /// Nobody.
//! struct Unwatched;
//!
//! impl RunObserver for Unwatched {
//!     fn started(&mut self, _run_id: RunId) {}
//!     fn progress(&mut self, _progress: Progress) {}
//! }
//!
//! # async fn example() {
//! let scratch = elspeth_testkit::Scratch::new();
//! scratch.write("claims.csv", "id,amount\n1,80\n2,900\n3,500\n");
//! let text = r#"
//! source: {plugin: csv, on_success: claims, options: {path: claims.csv, on_validation_failure: discard, schema: {mode: fixed, fields: ["id: int", "amount: float"]}}}
//! gates: [{name: large, input: claims, condition: "row['amount'] > 500", routes: {"true": review, "false": paid}}]
//! sinks:
//!   review: {plugin: json, on_write_failure: discard, options: {path: review.jsonl}}
//!   paid: {plugin: json, on_write_failure: discard, options: {path: paid.jsonl}}
//! "#;
//! let text = text.replace("path: ", &format!("path: {}/", scratch.path().display()));
//! let environment = Environment::new(BTreeMap::new(), scratch.path());
//! let loaded = load_text(&text, "settings.yaml", &environment, &elspeth_plugins::builtin()).unwrap();
//!
//! let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
//! let plan = RunPlan {
//!     run_id: RandomIds.next_run_id(),
//!     graph: Arc::new(loaded.graph),
//!     source: loaded.plugins.source,
//!     plugins: StepPlugins {
//!         transforms: loaded.plugins.transforms.into_iter().collect(),
//!         aggregations: loaded.plugins.aggregations.into_iter().collect(),
//!     },
//!     sinks: loaded.plugins.sinks,
//!     settings: loaded.resolved,
//!     settings_path: "settings.yaml".to_owned(),
//!     config_hash: loaded.config_hash,
//!     hash_version: loaded.hash_version,
//!     max_workers: 2,
//!     epoch_rows: None,
//!     budget: FailureBudget::default(),
//!     accept_changed_source: false,
//!     retry: RetryPolicy::NONE,
//!     limits: RateLimits::none(Arc::clone(&clock)),
//!     clock,
//!     bodies: FilesystemStore::new(scratch.join("payloads")),
//!     spans: Spans::OFF,
//!     pause: Arc::new(ThreadPause),
//!     heads_every: None,
//!     engine_version: "1.0.0".to_owned(),
//!     owner: "this example".to_owned(),
//! };
//! let landscape = SqliteLandscape::at(&scratch.join("audit.db").display().to_string()).unwrap();
//! let writer = landscape.writer().await.unwrap();
//! let end = run(plan, Box::new(writer), Arc::default(), &mut Unwatched).await.unwrap();
//!
//! assert_eq!((end.status, end.rows), (RunStatus::Completed, 3));
//! assert_eq!(scratch.read("review.jsonl"), "{\"id\":2,\"amount\":900.0}\n");
//! # }
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example());
//! ```

mod act;
mod budget;
mod error;
mod observe;
mod phases;
mod plan;
mod priority;
mod resume;

pub use budget::FailureBudget;
pub use error::RunError;
pub use observe::{Progress, RunObserver};
pub use phases::{RunEnd, run};
pub use plan::RunPlan;
pub use resume::resume;
