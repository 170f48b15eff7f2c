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
pub use panics::{caught, silence_plugin_panics};
pub use pending::{BadPending, PendingWork, pending_bytes};
pub use rate_limit::RateLimits;
pub use retry::{Pause, RetryPolicy, ThreadPause};
pub use settled::Settled;
pub use sink::{ActError, Arrival, Cause, DeckContext, SinkDeck, SinkWork};
pub use spill::{KEPT, RawHash, RowList, folder as spill_folder};
pub use step::{FailedAttempt, Scratch, StepExecutor, Verdict, Visit, Visited};
pub use transform::TransformExecutor;
