//! One sink of a run, and what it did.

use std::io;
use std::sync::Arc;

use elspeth_contracts::{
    ArtifactRecord, Clock, EpochNo, ErrorReason, FailureKind, NodeStateRecord, NodeStateStatus,
    OperationKind, OperationRecord, OperationStatus, Outcome, RoutingEventRecord, Step, TokenOrigin,
    TokenOutcomeRecord, TransformErrorRecord,
};
use elspeth_faults::{Act, around as at_fault};
use elspeth_graph::{Destination, ExecutionGraph};
use elspeth_landscape::SinkProgress;
use elspeth_plugin::{Produced, Refusal, Sink, SinkContext, SinkError, SinkPosition, SinkRow, Written};
use elspeth_telemetry::{Granularity, NodeTag, OpenSpan, Spans, TokenTag};
use elspeth_value::{FieldResolution, Row, Value};

use super::{ActError, Acting, Arrival, DeckContext, SinkWork};
use crate::caught;

/// A sink with where it is.
pub(super) struct Deck {
    pub(super) name: String,
    pub(super) plugin: String,
    pub(super) sink: Box<dyn Sink>,
    pub(super) context: SinkContext,
    pub(super) position: Option<SinkPosition>,
    pub(super) on_refusal: Destination,
    pub(super) is_failsink: bool,
}

/// Tokens of an epoch that a sink gets at once, where there are more than that and it takes them in parts.
const PART: usize = 16_384;

/// What one sink did with one epoch.
pub(super) struct Wrote {
    pub(super) acting: Acting,
    /// What goes on to failsinks.
    pub(super) diverted: Vec<(Step, Arrival)>,
}

impl Deck {
    fn tag(&self) -> NodeTag<'_> {
        NodeTag { name: &self.name, plugin: &self.plugin }
    }

    pub(super) fn open(&mut self, around: &DeckContext) -> Result<(), ActError> {
        self.retrying((around, 0), |deck, _| deck.open_once()).map(|_| ())
    }

    /// Makes the result visible under its final name; after how many attempts.
    pub(super) fn publish(
        &mut self,
        epoch: EpochNo,
        around: &DeckContext,
    ) -> Result<(Option<Produced>, u32), ActError> {
        self.retrying((around, epoch.0), |deck, again| {
            if again {
                deck.open_once()?;
            }
            let Self { plugin, sink, .. } = deck;
            at_fault(Act::PublishSink, || caught(plugin, || sink.publish()).unwrap_or_else(panicked))
        })
    }

    /// The source has further headers.
    pub(super) fn learn(&mut self, resolution: &Arc<FieldResolution>) -> Result<(), ActError> {
        self.context.field_resolution = Arc::clone(resolution);
        let learnt = caught(&self.plugin, || self.sink.learn(resolution));
        learnt.map_err(|reason| self.error(&reason.message, None))
    }

    pub(super) fn write(
        &mut self,
        epoch: EpochNo,
        SinkWork { sink, arrivals, spilled }: SinkWork,
        surroundings: (&DeckContext, &ExecutionGraph),
    ) -> Result<Wrote, ActError> {
        let around = surroundings.0;
        let tokens = arrivals.len() + usize::try_from(spilled.len()).unwrap_or(usize::MAX);
        let span = around.spans.sink_write(self.tag(), epoch, tokens);
        let mut wrote = Wrote { acting: Acting::of(epoch), diverted: Vec::new() };
        let began = around.clock.monotonic_us();
        let mut tries = 0;
        let written = if spilled.is_empty() {
            self.write_part((sink, arrivals, &span), surroundings, &mut tries, &mut wrote)?
        } else {
            wrote.acting.epoch.sink_states.reserve_exact(tokens);
            let part = if self.sink.takes_parts() { PART } else { usize::MAX };
            let mut all = spilled.with_rows(arrivals).peekable();
            loop {
                let part: io::Result<Vec<_>> = all.by_ref().take(part).collect();
                let part = part.map_err(|error| self.unread(&error))?;
                let written = self.write_part((sink, part, &span), surroundings, &mut tries, &mut wrote)?;
                if all.peek().is_none() {
                    break written;
                }
            }
        };
        let times =
            Times { started: began, ended: around.clock.monotonic_us(), run_start: around.run_start_us };
        let acted = &mut wrote.acting.epoch;
        acted.operations.push(times.operation(sink, epoch, tries + 1));
        acted.artifacts.extend(written.produced.map(|produced| self.artifact(sink, epoch, produced)));
        acted.sinks.push(SinkProgress { sink, position: written.position.0.to_string() });
        Ok(wrote)
    }

    /// Writes some tokens, and records what became of them; counts in `tries` how often it failed before.
    fn write_part(
        &mut self,
        (sink, arrivals, span): (Step, Vec<Arrival>, &OpenSpan),
        (around, graph): (&DeckContext, &ExecutionGraph),
        tries: &mut u32,
        wrote: &mut Wrote,
    ) -> Result<Written, ActError> {
        let epoch = wrote.acting.epoch.epoch;
        let started = around.clock.monotonic_us();
        let (mut written, attempts) = self.write_retrying(epoch, &arrivals, around)?;
        let times = Times { started, ended: around.clock.monotonic_us(), run_start: around.run_start_us };
        *tries += attempts - 1;
        self.position = Some(written.position.clone());
        token_spans(&around.spans, span, self.tag(), &arrivals);
        let refused = std::mem::take(&mut written.refused);
        self.settle((sink, arrivals, refused), &times, (graph, around.clock.as_ref()), wrote);
        Ok(written)
    }

    /// Arrivals that were put into a file and cannot be read again.
    fn unread(&self, error: &io::Error) -> ActError {
        let message = format!(
            "cannot read its rows again, which were in a file in `{}`: {error}",
            crate::spill_folder().display()
        );
        self.error(&message, None)
    }

    fn write_retrying(
        &mut self,
        epoch: EpochNo,
        arrivals: &[Arrival],
        around: &DeckContext,
    ) -> Result<(Written, u32), ActError> {
        let run = self.context.run_id;
        let rows: Vec<_> = arrivals
            .iter()
            .map(|a| SinkRow { token_id: run.token_id(a.token), source_row: a.cause.row, row: &a.row })
            .collect();
        self.retrying((around, epoch.0), |deck, again| {
            if again {
                deck.open_once()?;
            }
            let Self { plugin, sink, .. } = deck;
            at_fault(Act::WriteSink, || caught(plugin, || sink.write(epoch, &rows)).unwrap_or_else(panicked))
        })
    }

    /// Tries until it goes well, as often as sinks try again; how often that was comes with what it gives. An attempt is told
    /// whether one before it failed: the sink has to be opened first then. A server that is not back yet is one more failure.
    fn retrying<T>(
        &mut self,
        (around, seed): (&DeckContext, u64),
        mut attempt: impl FnMut(&mut Self, bool) -> Result<T, SinkError>,
    ) -> Result<(T, u32), ActError> {
        let mut waits = around.retry.waits(seed);
        let mut attempts = 1;
        loop {
            match attempt(self, attempts > 1) {
                Ok(done) => return Ok((done, attempts)),
                Err(error) => match waits.next().filter(|_| error.retryable) {
                    Some(wait) => around.pause.pause(wait),
                    None => return Err(self.error(&error.message, error.help)),
                },
            }
            attempts += 1;
        }
    }

    fn open_once(&mut self) -> Result<(), SinkError> {
        let Self { plugin, sink, context, position, .. } = self;
        caught(plugin, || sink.open(context, position.as_ref())).unwrap_or_else(panicked)
    }

    /// Records each token's state and outcome; finds what goes on to a failsink.
    fn settle(
        &self,
        (sink, arrivals, refused): (Step, Vec<Arrival>, Vec<Refusal>),
        times: &Times,
        (graph, clock): (&ExecutionGraph, &dyn Clock),
        Wrote { acting: acted, diverted }: &mut Wrote,
    ) {
        let mut refused = refused.into_iter().peekable();
        for (index, arrival) in arrivals.into_iter().enumerate() {
            match refused.next_if(|r| r.index == index) {
                None => {
                    acted.epoch.sink_states.push(times.state(&arrival, sink, NodeStateStatus::Completed));
                    let outcome = TokenOutcomeRecord {
                        error_at: arrival.error_at,
                        ..TokenOutcomeRecord::at_sink(arrival.token, arrival.outcome, sink)
                    };
                    acted.settled.push(arrival.cause, outcome);
                }
                Some(refusal) => {
                    acted.epoch.sink_states.push(times.state(&arrival, sink, NodeStateStatus::Failed));
                    diverted.extend(self.refuse(sink, arrival, refusal.reason, (graph, clock), acted));
                }
            }
        }
    }

    fn refuse(
        &self,
        sink: Step,
        arrival: Arrival,
        reason: ErrorReason,
        (graph, clock): (&ExecutionGraph, &dyn Clock),
        acted: &mut Acting,
    ) -> Option<(Step, Arrival)> {
        let Arrival { token, cause, .. } = arrival;
        let failsink = match self.on_refusal {
            Destination::Sink(edge) => {
                let event =
                    RoutingEventRecord { token, step: sink, attempt: 0, ordinal: 0, edge, reason: None };
                acted.epoch.routing.push(event);
                Some(graph.edge(edge).to)
            }
            Destination::Discard => None,
        };
        let next = failsink.map(|to| {
            let row = with_origin(arrival.row, &self.name, &reason, clock);
            let error_at = Some((sink, 0));
            (to, Arrival { token, row, outcome: Outcome::Diverted, error_at, input_hash: None, cause })
        });
        acted.epoch.transform_errors.push(TransformErrorRecord {
            token,
            step: sink,
            attempt: 0,
            reason,
            destination: failsink,
        });
        if next.is_none() {
            let outcome = TokenOutcomeRecord {
                token,
                outcome: Outcome::Diverted,
                sink: None,
                group: None,
                batch_no: None,
                error_at: Some((sink, 0)),
            };
            acted.settled.push(cause, outcome);
        }
        next
    }

    pub(super) fn artifact(&self, step: Step, epoch: EpochNo, produced: Produced) -> ArtifactRecord {
        ArtifactRecord {
            step,
            epoch,
            artifact_type: produced.artifact_type.to_owned(),
            path: produced.path,
            content_hash: produced.content_hash,
            size_bytes: produced.size_bytes,
            rows: produced.rows,
            idempotency_key: format!("{}:{}:{}", self.context.run_id, self.name, epoch.0),
        }
    }

    pub(super) fn error(&self, message: &str, help: Option<String>) -> ActError {
        ActError { sink: self.name.clone(), message: message.to_owned(), help }
    }
}

/// One span for each token, when somebody wants them.
fn token_spans(spans: &Spans, write: &OpenSpan, node: NodeTag<'_>, arrivals: &[Arrival]) {
    if !spans.wants(Granularity::Full) {
        return;
    }
    for arrival in arrivals {
        if let TokenOrigin::Row(row) = arrival.token.origin() {
            drop(spans.sink(write, node, TokenTag { row, token: arrival.token, input_hash: None }));
        }
    }
}

/// When something was done, by the monotonic clock.
pub(super) struct Times {
    pub(super) started: u64,
    pub(super) ended: u64,
    pub(super) run_start: u64,
}

impl Times {
    fn started_us(&self) -> i64 {
        signed(self.started.saturating_sub(self.run_start))
    }

    fn duration_us(&self) -> i64 {
        signed(self.ended.saturating_sub(self.started))
    }

    fn state(&self, arrival: &Arrival, step: Step, status: NodeStateStatus) -> NodeStateRecord {
        NodeStateRecord {
            token: arrival.token,
            step,
            attempt: 0,
            status,
            input_hash: arrival.input_hash,
            output_hash: None,
            started_us: self.started_us(),
            duration_us: self.duration_us(),
            waited_us: 0,
        }
    }

    pub(super) fn operation(&self, step: Step, epoch: EpochNo, attempts: u32) -> OperationRecord {
        OperationRecord {
            step,
            epoch,
            kind: OperationKind::SinkWrite,
            status: OperationStatus::Completed,
            attempts,
            started_us: self.started_us(),
            duration_us: self.duration_us(),
            error: None,
        }
    }
}

fn signed(us: u64) -> i64 {
    i64::try_from(us).unwrap_or(i64::MAX)
}

fn panicked<T>(reason: ErrorReason) -> Result<T, SinkError> {
    Err(SinkError::new(reason.message))
}

/// The row as a failsink gets it: with where it comes from, why, and when.
fn with_origin(mut row: Row, sink: &str, reason: &ErrorReason, clock: &dyn Clock) -> Row {
    row.set("__diverted_from", Value::Str(sink.into()));
    row.set("__diversion_reason", Value::Str(reason.message.as_str().into()));
    row.set("__diversion_kind", Value::Str(FailureKind::as_str(reason.kind).into()));
    row.set("__diversion_timestamp", Value::Str(clock.now().rfc3339().into()));
    row
}
