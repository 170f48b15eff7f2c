use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use elspeth_canonical::ContentHash;
use elspeth_contracts::{
    ArtifactRecord, Clock, EpochNo, ErrorReason, FailureKind, NodeStateRecord, NodeStateStatus,
    OperationKind, OperationRecord, OperationStatus, Outcome, RoutingEventRecord, RowIndex, Step, TokenKey,
    TokenOrigin, TokenOutcomeRecord, TransformErrorRecord,
};
use elspeth_graph::{Destination, ExecutionGraph, NodeSpec};
use elspeth_landscape::{ActedEpoch, SinkProgress};
use elspeth_plugin::{Produced, Sink, SinkContext, SinkError, SinkPosition, SinkRow, Written};
use elspeth_telemetry::{Granularity, NodeTag, OpenSpan, Spans, TokenTag};
use elspeth_value::{Row, Value};
use thiserror::Error;

use crate::{Pause, RetryPolicy, caught};

/// A token that has reached a sink.
#[derive(Debug)]
pub struct Arrival {
    /// The token.
    pub token: TokenKey,
    /// Its row.
    pub row: Row,
    /// What becomes of it when the sink takes it.
    pub outcome: Outcome,
    /// The step and attempt whose error sent it here.
    pub error_at: Option<(Step, u8)>,
    /// Hash of its row, when the token was made with it and comes here first.
    pub input_hash: Option<ContentHash>,
    /// What made it arrive.
    pub cause: Cause,
}

/// The row whose processing makes something happen. What happens is ordered by it, so that nothing shows where epochs end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Cause {
    /// The row.
    pub row: RowIndex,
    /// Whether it happens after that row instead, as the last one read: by a timer, or at the end of the source.
    pub after: bool,
}

/// The outcome of a token that reaches no sink.
#[derive(Debug)]
pub struct Settled {
    /// What brought it about.
    pub cause: Cause,
    /// What became of the token.
    pub outcome: TokenOutcomeRecord,
}

/// What one sink is to write for one epoch, in canonical order.
#[derive(Debug)]
pub struct SinkWork {
    /// The sink.
    pub sink: Step,
    /// Its tokens.
    pub arrivals: Vec<Arrival>,
}

/// A sink could not be opened, written or published. Nothing of the epoch counts as written there.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("sink `{sink}`: {message}")]
pub struct ActError {
    /// The sink's name.
    pub sink: String,
    /// What failed.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// All sinks of a run, driven one epoch at a time by one thread.
pub struct SinkDeck {
    decks: BTreeMap<Step, Deck>,
    around: DeckContext,
}

/// What sinks are driven with.
#[derive(Clone)]
pub struct DeckContext {
    /// What sinks are told; the name is each sink's own.
    pub sinks: SinkContext,
    /// How failures of the world are tried again.
    pub retry: RetryPolicy,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How to wait between attempts.
    pub pause: Arc<dyn Pause>,
    /// The run's start by the monotonic clock.
    pub run_start_us: u64,
    /// Who watches.
    pub spans: Spans,
}

struct Deck {
    name: String,
    plugin: String,
    sink: Box<dyn Sink>,
    context: SinkContext,
    position: Option<SinkPosition>,
    on_refusal: Destination,
    is_failsink: bool,
}

impl SinkDeck {
    /// A deck of the graph's sinks; `sinks` holds an instance for each.
    ///
    /// # Errors
    /// [`ActError`] when an instance is missing.
    pub fn new(
        graph: &ExecutionGraph,
        sinks: Vec<(Step, Box<dyn Sink>)>,
        around: DeckContext,
    ) -> Result<Self, ActError> {
        let mut instances: BTreeMap<_, _> = sinks.into_iter().collect();
        let failsinks = failsinks(graph);
        let mut decks = BTreeMap::new();
        for node in graph.sinks() {
            let sink = instances.remove(&node.step).ok_or_else(|| ActError {
                sink: node.name.clone(),
                message: "no plugin instance was given".to_owned(),
                help: None,
            })?;
            let NodeSpec::Sink { on_write_failure } = &node.spec else { continue };
            decks.insert(
                node.step,
                Deck {
                    name: node.name.clone(),
                    plugin: node.plugin.clone(),
                    sink,
                    context: SinkContext { sink: node.name.clone(), ..around.sinks.clone() },
                    position: None,
                    on_refusal: *on_write_failure,
                    is_failsink: failsinks.contains(&node.step),
                },
            );
        }
        Ok(Self { decks, around })
    }

    /// Opens every sink.
    ///
    /// # Errors
    /// [`ActError`] of the first that cannot be opened.
    pub fn open(&mut self) -> Result<(), ActError> {
        self.decks.values_mut().try_for_each(Deck::open)
    }

    /// Writes one epoch to its sinks. Sinks that take refused rows of others are written last.
    ///
    /// `settled` are the outcomes of tokens that reached no sink; `graph` names the edges of diverts.
    ///
    /// # Errors
    /// [`ActError`] when a sink failed after every retry.
    pub fn act(
        &mut self,
        epoch: EpochNo,
        work: Vec<SinkWork>,
        settled: Vec<Settled>,
        graph: &ExecutionGraph,
    ) -> Result<ActedEpoch, ActError> {
        let mut acted = Acting { epoch: ActedEpoch { epoch, ..ActedEpoch::default() }, settled };
        let (mut late, early): (Vec<_>, Vec<_>) =
            work.into_iter().partition(|w| self.decks.get(&w.sink).is_some_and(|d| d.is_failsink));
        for (failsink, arrival) in self.write(epoch, early, graph, &mut acted)? {
            match late.iter_mut().find(|w| w.sink == failsink) {
                Some(work) => work.arrivals.push(arrival),
                None => late.push(SinkWork { sink: failsink, arrivals: vec![arrival] }),
            }
        }
        for batch in &mut late {
            batch.arrivals.sort_by_key(|a| (a.cause, a.token));
        }
        self.write(epoch, late, graph, &mut acted)?;
        let Acting { epoch: mut acted, mut settled } = acted;
        let key = |settled: &Settled| (settled.cause, settled.outcome.token);
        if !settled.is_sorted_by_key(key) {
            settled.sort_by_key(key);
        }
        acted.outcomes = settled.into_iter().map(|settled| settled.outcome).collect();
        acted.sink_states.sort_by_key(|s| (s.token, s.step));
        acted.transform_errors.sort_by_key(|e| (e.token, e.step));
        acted.routing.sort_by_key(|r| (r.token, r.step));
        Ok(acted)
    }

    /// Makes every sink's result visible under its final name.
    ///
    /// # Errors
    /// [`ActError`] of the first that cannot be published.
    pub fn publish(&mut self, epoch: EpochNo) -> Result<ActedEpoch, ActError> {
        let mut acted = ActedEpoch { epoch, ..ActedEpoch::default() };
        for (step, deck) in &mut self.decks {
            let started = self.around.clock.monotonic_us();
            let produced = caught(&deck.plugin, || deck.sink.publish())
                .map_err(|reason| deck.error(&reason.message, None))?
                .map_err(|e| deck.error(&e.message, e.help))?;
            let ended = self.around.clock.monotonic_us();
            if let Some(produced) = produced {
                acted.artifacts.push(deck.artifact(*step, epoch, produced));
                let times = Times { started, ended, run_start: self.around.run_start_us };
                acted.operations.push(times.operation(*step, epoch, 1));
            }
        }
        Ok(acted)
    }

    /// Lets several sinks write at once, each on a thread of its own: most of the time each waits for its disk.
    /// What they refuse goes back to the caller, in sink order.
    fn write(
        &mut self,
        epoch: EpochNo,
        mut batches: Vec<SinkWork>,
        graph: &ExecutionGraph,
        acted: &mut Acting,
    ) -> Result<Vec<(Step, Arrival)>, ActError> {
        batches.sort_by_key(|w| w.sink);
        if let Some(lost) = batches.iter().find(|w| !self.decks.contains_key(&w.sink)) {
            return Err(no_sink(lost.sink));
        }
        let around = &self.around;
        let mut pairs = Vec::with_capacity(batches.len());
        let mut batches = batches.into_iter().peekable();
        for (step, deck) in &mut self.decks {
            pairs.extend(batches.next_if(|w| w.sink == *step).map(|work| (deck, work)));
        }
        let written: Vec<_> = std::thread::scope(|scope| {
            let mut pairs = pairs.into_iter();
            let first = pairs.next();
            let others: Vec<_> =
                pairs.map(|(deck, work)| scope.spawn(|| deck.write(epoch, work, around))).collect();
            let first = first.map(|(deck, work)| deck.write(epoch, work, around));
            let others =
                others.into_iter().map(|thread| thread.join().expect("plugin panics are caught inside"));
            first.into_iter().chain(others).collect()
        });
        let mut diverted = Vec::new();
        for wrote in written {
            let wrote = wrote?;
            diverted.extend(self.decks[&wrote.work.sink].settle(
                wrote,
                epoch,
                (graph, around.clock.as_ref()),
                acted,
            ));
        }
        Ok(diverted)
    }
}

/// What the sinks have done so far with an epoch.
struct Acting {
    epoch: ActedEpoch,
    settled: Vec<Settled>,
}

/// What one sink did with one epoch.
struct Wrote {
    work: SinkWork,
    written: Written,
    attempts: u32,
    times: Times,
}

fn no_sink(step: Step) -> ActError {
    ActError {
        sink: format!("step {}", step.get()),
        message: "rows were routed to a step that is no sink".to_owned(),
        help: None,
    }
}

impl Deck {
    fn tag(&self) -> NodeTag<'_> {
        NodeTag { name: &self.name, plugin: &self.plugin }
    }

    fn open(&mut self) -> Result<(), ActError> {
        caught(&self.plugin, || self.sink.open(&self.context, self.position.as_ref()))
            .map_err(|reason| self.error(&reason.message, None))?
            .map_err(|e| self.error(&e.message, e.help))
    }

    fn write(&mut self, epoch: EpochNo, work: SinkWork, around: &DeckContext) -> Result<Wrote, ActError> {
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
            let result = caught(&self.plugin, || self.sink.write(epoch, &rows))
                .unwrap_or_else(|reason| Err(SinkError::new(reason.message)));
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
    fn settle(
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

    fn artifact(&self, step: Step, epoch: EpochNo, produced: Produced) -> ArtifactRecord {
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

    fn error(&self, message: &str, help: Option<String>) -> ActError {
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
struct Times {
    started: u64,
    ended: u64,
    run_start: u64,
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

    fn operation(&self, step: Step, epoch: EpochNo, attempts: u32) -> OperationRecord {
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

fn failsinks(graph: &ExecutionGraph) -> BTreeSet<Step> {
    graph
        .sinks()
        .filter_map(|node| match &node.spec {
            NodeSpec::Sink { on_write_failure: Destination::Sink(edge) } => Some(graph.edge(*edge).to),
            _ => None,
        })
        .collect()
}

/// The row as a failsink gets it: with where it comes from, why, and when.
fn with_origin(mut row: Row, sink: &str, reason: &ErrorReason, clock: &dyn Clock) -> Row {
    row.set("__diverted_from", Value::Str(sink.into()));
    row.set("__diversion_reason", Value::Str(reason.message.as_str().into()));
    row.set("__diversion_kind", Value::Str(FailureKind::as_str(reason.kind).into()));
    row.set("__diversion_timestamp", Value::Str(clock.now().rfc3339().into()));
    row
}
