//! One sink of a run, and what it did.

use elspeth_contracts::{
    ArtifactRecord, Clock, EpochNo, ErrorReason, FailureKind, NodeStateRecord, NodeStateStatus,
    OperationKind, OperationRecord, OperationStatus, Outcome, RoutingEventRecord, Step, TokenOrigin,
    TokenOutcomeRecord, TransformErrorRecord,
};
use elspeth_faults::{Act, around};
use elspeth_graph::{Destination, ExecutionGraph};
use elspeth_landscape::SinkProgress;
use elspeth_plugin::{Produced, Sink, SinkContext, SinkError, SinkPosition, SinkRow, Written};
use elspeth_telemetry::{Granularity, NodeTag, OpenSpan, Spans, TokenTag};
use elspeth_value::{Row, Value};

use super::{ActError, Acting, Arrival, DeckContext, Settled, SinkWork};
use crate::{Pause, RetryPolicy, caught};

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

/// What one sink did with one epoch.
pub(super) struct Wrote {
    pub(super) work: SinkWork,
    pub(super) written: Written,
    pub(super) attempts: u32,
    pub(super) times: Times,
}

impl Deck {
    fn tag(&self) -> NodeTag<'_> {
        NodeTag { name: &self.name, plugin: &self.plugin }
    }

    pub(super) fn open(&mut self) -> Result<(), ActError> {
        caught(&self.plugin, || self.sink.open(&self.context, self.position.as_ref()))
            .map_err(|reason| self.error(&reason.message, None))?
            .map_err(|e| self.error(&e.message, e.help))
    }

    pub(super) fn write(
        &mut self,
        epoch: EpochNo,
        work: SinkWork,
        around: &DeckContext,
    ) -> Result<Wrote, ActError> {
        let span = around.spans.sink_write(self.tag(), epoch, work.arrivals.len());
        let started = around.clock.monotonic_us();
        let (written, attempts) =
            self.write_retrying(epoch, &work.arrivals, around.retry, around.pause.as_ref())?;
        let times = Times { started, ended: around.clock.monotonic_us(), run_start: around.run_start_us };
        self.position = Some(written.position.clone());
        token_spans(&around.spans, &span, self.tag(), &work);
        Ok(Wrote { work, written, attempts, times })
    }

    fn write_retrying(
        &mut self,
        epoch: EpochNo,
        arrivals: &[Arrival],
        retry: RetryPolicy,
        pause: &dyn Pause,
    ) -> Result<(Written, u32), ActError> {
        let run = self.context.run_id;
        let rows: Vec<_> =
            arrivals.iter().map(|a| SinkRow { token_id: run.token_id(a.token), row: &a.row }).collect();
        let mut waits = retry.waits(epoch.0);
        let mut attempts = 1;
        loop {
            let result = around(Act::WriteSink, || {
                caught(&self.plugin, || self.sink.write(epoch, &rows))
                    .unwrap_or_else(|reason| Err(SinkError::new(reason.message)))
            });
            match result {
                Ok(written) => return Ok((written, attempts)),
                Err(error) => match waits.next().filter(|_| error.retryable) {
                    Some(wait) => pause.pause(wait),
                    None => return Err(self.error(&error.message, error.help)),
                },
            }
            attempts += 1;
            self.open()?;
        }
    }

    /// Records each token's state and outcome; gives back what goes on to a failsink.
    pub(super) fn settle(
        &self,
        wrote: Wrote,
        epoch: EpochNo,
        (graph, clock): (&ExecutionGraph, &dyn Clock),
        acted: &mut Acting,
    ) -> Vec<(Step, Arrival)> {
        let Wrote { work, written, attempts, times } = wrote;
        acted.epoch.operations.push(times.operation(work.sink, epoch, attempts));
        acted
            .epoch
            .artifacts
            .extend(written.produced.map(|produced| self.artifact(work.sink, epoch, produced)));
        acted.epoch.sinks.push(SinkProgress { sink: work.sink, position: written.position.0.to_string() });
        let refused = written.refused;
        let mut diverted = Vec::new();
        let mut refused = refused.into_iter().peekable();
        for (index, arrival) in work.arrivals.into_iter().enumerate() {
            match refused.next_if(|r| r.index == index) {
                None => {
                    acted.epoch.sink_states.push(times.state(
                        &arrival,
                        work.sink,
                        NodeStateStatus::Completed,
                    ));
                    let outcome = TokenOutcomeRecord {
                        error_at: arrival.error_at,
                        ..TokenOutcomeRecord::at_sink(arrival.token, arrival.outcome, work.sink)
                    };
                    acted.settled.push(Settled { cause: arrival.cause, outcome });
                }
                Some(refusal) => {
                    acted.epoch.sink_states.push(times.state(&arrival, work.sink, NodeStateStatus::Failed));
                    diverted.extend(self.refuse(work.sink, arrival, refusal.reason, (graph, clock), acted));
                }
            }
        }
        diverted
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
            acted.settled.push(Settled { cause, outcome });
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
fn token_spans(spans: &Spans, write: &OpenSpan, node: NodeTag<'_>, work: &SinkWork) {
    if !spans.wants(Granularity::Full) {
        return;
    }
    for arrival in &work.arrivals {
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

/// The row as a failsink gets it: with where it comes from, why, and when.
fn with_origin(mut row: Row, sink: &str, reason: &ErrorReason, clock: &dyn Clock) -> Row {
    row.set("__diverted_from", Value::Str(sink.into()));
    row.set("__diversion_reason", Value::Str(reason.message.as_str().into()));
    row.set("__diversion_kind", Value::Str(FailureKind::as_str(reason.kind).into()));
    row.set("__diversion_timestamp", Value::Str(clock.now().rfc3339().into()));
    row
}
