mod one;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use elspeth_canonical::ContentHash;
use elspeth_contracts::{Clock, EpochNo, Outcome, RowIndex, Step, TokenKey};
use elspeth_graph::{Destination, ExecutionGraph, NodeSpec};
use elspeth_landscape::ActedEpoch;
use elspeth_phases::{Phase, within};
use elspeth_plugin::{Sink, SinkContext, SinkPosition};
use elspeth_telemetry::Spans;
use elspeth_value::{FieldResolution, Row};
use thiserror::Error;

use crate::{Pause, RetryPolicy, Settled, Spilled};
use one::{Deck, Times, Wrote};

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

/// What one sink is to write for one epoch, in canonical order.
#[derive(Debug)]
pub struct SinkWork {
    /// The sink.
    pub sink: Step,
    /// Its tokens.
    pub arrivals: Vec<Arrival>,
    /// More of its tokens, where they are too many for the memory. Canonical order goes across both.
    pub spilled: Spilled,
}

impl SinkWork {
    /// How many tokens there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.arrivals.len() as u64 + self.spilled.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.arrivals.is_empty() && self.spilled.is_empty()
    }

    /// Each of them in canonical order, without its row.
    pub fn without_rows(&self) -> impl Iterator<Item = io::Result<Arrival>> + '_ {
        self.spilled.without_rows(&self.arrivals)
    }
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

impl SinkDeck {
    /// A deck of the graph's sinks that rows can come to; `sinks` holds an instance for each.
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
        for node in graph.sinks().filter(|node| graph.edges().iter().any(|edge| edge.to == node.step)) {
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

    /// Goes on where a run stopped: `positions` are those of sinks that have written, and sinks that have `published` are left
    /// alone from now on.
    pub fn go_on(&mut self, positions: Vec<(Step, SinkPosition)>, published: &[Step]) {
        for (step, position) in positions {
            if let Some(deck) = self.decks.get_mut(&step) {
                deck.position = Some(position);
            }
        }
        self.decks.retain(|step, _| !published.contains(step));
    }

    /// Opens every sink.
    ///
    /// # Errors
    /// [`ActError`] of the first that cannot be opened.
    pub fn open(&mut self) -> Result<(), ActError> {
        self.decks.values_mut().try_for_each(|deck| deck.open(&self.around))
    }

    /// Tells every sink of the source's further headers.
    ///
    /// # Errors
    /// [`ActError`] of one that panics.
    pub fn learn(&mut self, resolution: &Arc<FieldResolution>) -> Result<(), ActError> {
        self.decks.values_mut().try_for_each(|deck| deck.learn(resolution))
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
        settled: Settled,
        graph: &ExecutionGraph,
    ) -> Result<ActedEpoch, ActError> {
        let mut acted = Acting { settled, ..Acting::of(epoch) };
        let (mut late, early): (Vec<_>, Vec<_>) =
            work.into_iter().partition(|w| self.decks.get(&w.sink).is_some_and(|d| d.is_failsink));
        for (failsink, arrival) in self.write(epoch, early, graph, &mut acted)? {
            match late.iter_mut().find(|w| w.sink == failsink) {
                Some(work) => work.arrivals.push(arrival),
                None => {
                    let arrivals = vec![arrival];
                    late.push(SinkWork { sink: failsink, arrivals, spilled: Spilled::default() });
                }
            }
        }
        for batch in &mut late {
            batch.arrivals.sort_by_key(|a| (a.cause, a.token));
        }
        self.write(epoch, late, graph, &mut acted)?;
        let Acting { epoch: mut acted, settled } = acted;
        acted.outcomes = settled.into_canonical();
        acted.sink_states.sort_unstable_by_key(|s| (s.token, s.step));
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
            let (produced, attempts) = deck.publish(epoch, &self.around)?;
            let ended = self.around.clock.monotonic_us();
            if let Some(produced) = produced {
                acted.artifacts.push(deck.artifact(*step, epoch, produced));
                let times = Times { started, ended, run_start: self.around.run_start_us };
                acted.operations.push(times.operation(*step, epoch, attempts));
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
        let around = (&self.around, graph);
        let mut pairs = Vec::with_capacity(batches.len());
        let mut batches = batches.into_iter().peekable();
        for (step, deck) in &mut self.decks {
            pairs.extend(batches.next_if(|w| w.sink == *step).map(|work| (deck, work)));
        }
        let written: Vec<_> = std::thread::scope(|scope| {
            let mut pairs = pairs.into_iter();
            let first = pairs.next();
            let others: Vec<_> = pairs
                .map(|(deck, work)| scope.spawn(|| within(Phase::Act, || deck.write(epoch, work, around))))
                .collect();
            let first = first.map(|(deck, work)| deck.write(epoch, work, around));
            let others =
                others.into_iter().map(|thread| thread.join().expect("plugin panics are caught inside"));
            first.into_iter().chain(others).collect()
        });
        let mut diverted = Vec::new();
        for wrote in written {
            let Wrote { acting, diverted: of_sink } = wrote?;
            acted.join(acting);
            diverted.extend(of_sink);
        }
        Ok(diverted)
    }
}

/// What the sinks have done so far with an epoch.
struct Acting {
    epoch: ActedEpoch,
    settled: Settled,
}

impl Acting {
    fn of(epoch: EpochNo) -> Self {
        Self { epoch: ActedEpoch { epoch, ..ActedEpoch::default() }, settled: Settled::default() }
    }

    /// Adds what another sink did.
    fn join(&mut self, Self { epoch, settled }: Self) {
        append(&mut self.epoch.sink_states, epoch.sink_states);
        self.epoch.transform_errors.extend(epoch.transform_errors);
        self.epoch.routing.extend(epoch.routing);
        self.epoch.operations.extend(epoch.operations);
        self.epoch.artifacts.extend(epoch.artifacts);
        self.epoch.sinks.extend(epoch.sinks);
        self.settled.append(settled);
    }
}

/// What is long need not be in memory twice.
fn append<T>(list: &mut Vec<T>, mut more: Vec<T>) {
    if list.len() < more.len() {
        more.splice(..0, std::mem::take(list));
        *list = more;
    } else {
        list.append(&mut more);
    }
}

fn no_sink(step: Step) -> ActError {
    ActError {
        sink: format!("step {}", step.get()),
        message: "rows were routed to a step that is no sink".to_owned(),
        help: None,
    }
}

fn failsinks(graph: &ExecutionGraph) -> BTreeSet<Step> {
    graph
        .sinks()
        .filter_map(|node| match &node.spec {
            NodeSpec::Sink { on_write_failure: Destination::Sink(edge) } => Some(graph.edge(*edge).to),
            NodeSpec::Sink { on_write_failure: Destination::Discard }
            | NodeSpec::Source { .. }
            | NodeSpec::Transform { .. }
            | NodeSpec::Gate { .. }
            | NodeSpec::Aggregation { .. }
            | NodeSpec::Coalesce { .. } => None,
        })
        .collect()
}
