//! Spans over `tracing` and OpenTelemetry: what a run does while it does it, for those who watch it. The record is
//! elsewhere; telemetry comes after it and never instead of it.
//!
//! - [`init`] sets up exporters (OTLP over HTTP, or lines on a stream of this process) from [`TelemetrySettings`] and gives a
//!   [`TelemetryGuard`], whose [`TelemetryGuard::shutdown`] sends what is left and says what was lost.
//! - [`Spans`] makes the spans of one run: `run`, `source`, `sink_write` always; `row` from [`Granularity::Rows`] on;
//!   `transform`, `gate`, `sink` with [`Granularity::Full`]. Their attributes begin with `elspeth.`: `run_id`, `node`,
//!   `plugin`, `node_type`, `row_id`, `token_id`, `input_hash`.
//!
//! Invariant: a span that is not wanted costs one look at a flag: no formatting, no allocation.
//!
//! This crate does not know the graph or the record, and holds no global state.
//!
//! ```
//! use elspeth_contracts::{RowIndex, RunId, TokenKey};
//! use elspeth_telemetry::{NodeTag, TelemetrySettings, TokenTag, init};
//!
//! let guard = init(&TelemetrySettings::default())?;
//! let run_id: RunId = "01JZ8Q4Z8N5X2V7K3M9T0B6C1D".parse().unwrap();
//! let spans = guard.spans(run_id);
//!
//! let row = RowIndex::new(0).unwrap();
//! let token = TokenTag { row, token: TokenKey::of_row(row, 0).unwrap(), input_hash: None };
//! let row_span = spans.row(token);
//! let gate_span = spans.gate(&row_span, NodeTag { name: "quality", plugin: "gate" }, token);
//! assert!(gate_span.is_none(), "telemetry is not enabled");
//! drop((gate_span, row_span, spans));
//! assert!(guard.shutdown().is_empty());
//! # Ok::<(), elspeth_telemetry::TelemetryError>(())
//! ```

mod console;
mod guard;
mod queue;
mod settings;
mod spans;

pub use guard::{Delivery, TelemetryError, TelemetryGuard, init};
pub use settings::{
    Backpressure, ConsoleFormat, ConsoleOptions, ConsoleOutput, Exporter, Granularity, OtlpOptions,
    TelemetrySettings,
};
pub use spans::{NodeTag, OpenSpan, Spans, TokenTag};
