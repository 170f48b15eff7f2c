//! One executor per step kind, and the dispatcher that puts policies around them.
//!
//! A [`StepExecutor`] takes one token's row through one node, once. The [`Dispatcher`] looks the executor of a node up,
//! applies the node's policies in a fixed order (today: retry) and hands back a [`Visited`]: the final [`Verdict`] and
//! every attempt that failed before it. Sinks work on whole epochs instead: see [`SinkDeck`].
//!
//! Invariant: whatever a plugin does (errors, panics, lies about what it declared), the outcome is a verdict about its
//! row, and the row is still there to be sent to `on_error`.
//!
//! This crate knows nothing of epochs' order, tokens' numbering, or how records are stored.
//!
//! ```
//! use elspeth_canonical::HashVersion;
//! use elspeth_contracts::{EdgeNo, IdSource, RandomIds, RowIndex, Step, SystemClock, TokenKey};
//! use elspeth_executors::{GateExecutor, Scratch, StepExecutor, Verdict, Visit};
//! use elspeth_expr::{Expr, Root};
//! use elspeth_graph::{GateRoute, RouteTo};
//! use elspeth_value::{Row, Value};
//!
//! let route = |label: &str, edge| GateRoute { label: label.to_owned(), to: RouteTo::Edge(EdgeNo(edge)) };
//! let condition = Expr::parse("row['amount'] > 500", Root::Row).unwrap();
//! let gate = GateExecutor::new(condition, vec![route("true", 1), route("false", 2)]);
//!
//! let visit = Visit {
//!     run_id: RandomIds.next_run_id(),
//!     token: TokenKey::of_row(RowIndex::new(0).unwrap(), 0).unwrap(),
//!     step: Step::new(1).unwrap(),
//!     attempt: 0,
//!     hash_version: HashVersion::default(),
//!     clock: &SystemClock::new(),
//! };
//! let claim = |amount| Row::from_pairs([("amount".into(), amount)]);
//! let decide = |row| gate.execute(row, &visit, &mut Scratch::default());
//!
//! assert!(matches!(decide(claim(Value::Int(900))), Verdict::Forward { edge: EdgeNo(1), decided: true, .. }));
//! assert!(matches!(decide(claim(Value::Int(500))), Verdict::Forward { edge: EdgeNo(2), .. }));
//!
//! // What cannot be decided is a failure of its row, which is still there.
//! let Verdict::Failed { row, reason } = decide(claim(Value::Str("much".into()))) else { panic!("no number") };
//! assert_eq!(row.get("amount"), Some(&Value::Str("much".into())));
//! assert_eq!(reason.message, "`row['amount'] > 500`: `>` cannot order str and int");
//! ```

mod aggregation;
mod arrivals;
mod coalesce;
mod dispatch;
mod gate;
mod panics;
mod pending;
mod rate_limit;
mod retry;
mod settled;
mod sink;
mod spill;
mod step;
mod transform;

pub use aggregation::{AggregationExecutor, AggregationSpec, BatchRows, BatchVisit, Flushed};
pub use arrivals::Spilled;
pub use coalesce::{BranchState, CoalesceExecutor, Judgement, MergedRow};
pub(crate) use dispatch::exhausted;
pub use dispatch::{Dispatcher, MissingPlugin, Policies, StepPlugins};
pub use gate::GateExecutor;
pub use panics::{caught, panic_message, silence_plugin_panics};
pub use pending::{BadPending, PendingWork, pending_bytes};
pub use rate_limit::RateLimits;
pub use retry::{Pause, RetryPolicy, ThreadPause};
pub use settled::Settled;
pub use sink::{ActError, Arrival, Cause, DeckContext, SinkDeck, SinkWork};
pub use spill::{KEPT, RawHash, RowList, folder as spill_folder};
pub use step::{FailedAttempt, Scratch, StepExecutor, Verdict, Visit, Visited};
pub use transform::TransformExecutor;
