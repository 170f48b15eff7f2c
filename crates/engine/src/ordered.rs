//! Nodes that wait across rows: aggregations, and coalesces of which a branch can wait in one.
//!
//! They are worked on by one thread, each before those behind it, with what came to it in the order of causes: the
//! result is that of a run in which every row went through the whole graph before the next.

use std::time::Duration;

use elspeth_contracts::{BatchMemberRecord, ErrorReason, RowIndex, Step, TokenKey, TriggerType};
use elspeth_executors::{Cause, Dispatcher};
use elspeth_graph::{ExecutionGraph, NodeSpec};
use elspeth_landscape::Corruption;

use crate::EngineError;
use crate::branch::{Frame, Merges, Resolution, Traveller};
use crate::members::Members;
use crate::open::{BatchBuffer, Buffers, MemberBuffer, NodeBuffer, OpenNode, StillOpen, frames_buffer};
use crate::release::{Release, Released};
use crate::signal::{Message, Signal};

/// All of them, in step order.
pub(crate) struct OrderedNodes {
    nodes: Vec<Ordered>,
    inbox: Vec<Signal>,
}

struct Ordered {
    step: Step,
    /// How many releases it had.
    released: u64,
    state: Waits,
}

enum Waits {
    Aggregation { open: Option<OpenBatch> },
    Coalesce { merges: Merges, timeout_us: Option<u64> },
}

struct OpenBatch {
    number: u64,
    members: Members,
    /// When the first member was accepted, by the monotonic clock.
    since_us: u64,
    /// When it was last asked whether it is due.
    looked_us: u64,
}

impl OpenBatch {
    /// How long after its first member that time was.
    const fn age(&self, at_us: u64) -> Duration {
        Duration::from_micros(at_us.saturating_sub(self.since_us))
    }
}

/// When a node is asked, and what else is over.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    /// By the monotonic clock.
    pub(crate) now_us: u64,
    /// The last row that was read before.
    pub(crate) last_row: Option<RowIndex>,
    /// Whether the source has ended.
    pub(crate) end: bool,
}

impl Moment {
    /// The cause of what no row brings about.
    fn after(&self) -> Cause {
        Cause { row: self.last_row.unwrap_or_default(), after: true }
    }
}

/// What a node lets go, and the members that it accepted.
#[derive(Default)]
pub(crate) struct Settlement {
    pub(crate) releases: Vec<Release>,
    pub(crate) members: Vec<BatchMemberRecord>,
}

/// Something that happens to a coalesce, in the order in which it is looked at.
enum Event {
    Arrived(Traveller, std::sync::Arc<Frame>),
    Lost(TokenKey, std::sync::Arc<Frame>),
}

impl Event {
    const fn token(&self) -> TokenKey {
        match self {
            Self::Arrived(traveller, _) => traveller.token,
            Self::Lost(token, _) => *token,
        }
    }
}

impl OrderedNodes {
    pub(crate) fn of(graph: &ExecutionGraph) -> Self {
        let ordered = |node: &elspeth_graph::Node| {
            let state = match &node.spec {
                NodeSpec::Aggregation { .. } => Waits::Aggregation { open: None },
                NodeSpec::Coalesce { crosses_rows: true, timeout, .. } => {
                    let timeout_us = timeout.map(micros);
                    Waits::Coalesce { merges: Merges::default(), timeout_us }
                }
                NodeSpec::Coalesce { .. }
                | NodeSpec::Source { .. }
                | NodeSpec::Transform { .. }
                | NodeSpec::Gate { .. }
                | NodeSpec::Sink { .. } => return None,
            };
            Some(Ordered { step: node.step, released: 0, state })
        };
        Self { nodes: graph.nodes().iter().filter_map(ordered).collect(), inbox: Vec::new() }
    }

    /// Goes on with what a run that stopped had open.
    ///
    /// # Errors
    /// [`Corruption`] when that is not of this graph.
    pub(crate) fn restore(&mut self, mut open: StillOpen, now_us: u64) -> Result<(), Corruption> {
        open.complete()?;
        for node in &mut self.nodes {
            node.released = open.numbered(node.step);
            if let Some(of_node) = open.nodes.remove(&node.step) {
                node.restore(of_node, now_us)?;
            }
        }
        match open.nodes.first_key_value() {
            None => Ok(()),
            Some((step, _)) => Err(Corruption {
                table: "checkpoints",
                id: "the last one".to_owned(),
                what: format!("its buffers are of step {}, which does not wait across rows", step.get()),
            }),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Takes what a walk told. Walks are given in the order of their rows, or of their releases.
    pub(crate) fn post(&mut self, signals: Vec<Signal>) {
        self.inbox.extend(signals);
    }

    /// Lets the node at `position` take what came to it.
    ///
    /// # Errors
    /// When its members cannot be kept.
    pub(crate) fn settle(
        &mut self,
        position: usize,
        moment: Moment,
        dispatcher: &Dispatcher,
    ) -> Result<Settlement, EngineError> {
        let step = self.nodes[position].step;
        let (mut signals, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.inbox).into_iter().partition(|signal| signal.step == step);
        self.inbox = rest;
        signals.sort_by_key(|signal| signal.cause);
        let count = self.nodes.len() as u64;
        let node = &mut self.nodes[position];
        let mut desk =
            Desk { settlement: Settlement::default(), dispatcher, position: position as u64, count, moment };
        match &mut node.state {
            Waits::Aggregation { open } => desk.aggregate((node.step, &mut node.released), open, signals),
            Waits::Coalesce { merges, timeout_us } => {
                desk.join((node.step, &mut node.released), (merges, *timeout_us), signals);
                Ok(())
            }
        }?;
        Ok(desk.settlement)
    }

    /// How long from `now_us` on nothing need be done, if no row arrives; `None` when nothing waits.
    pub(crate) fn patience(&self, now_us: u64, dispatcher: &Dispatcher) -> Option<Duration> {
        let of = |node: &Ordered| match &node.state {
            Waits::Aggregation { open } => {
                let open = open.as_ref()?;
                let due = dispatcher.aggregation(node.step).look_again(open.age(open.looked_us))?;
                Some(due.saturating_sub(open.age(now_us)))
            }
            Waits::Coalesce { merges, timeout_us } => {
                let due = merges.waiting_since()?.saturating_add((*timeout_us)?);
                Some(Duration::from_micros(due.saturating_sub(now_us)))
            }
        };
        self.nodes.iter().filter_map(of).min()
    }

    /// What stays open, as it is kept with the commit; empty when nothing does.
    pub(crate) fn buffers(&self, now_us: u64) -> String {
        let nodes: Vec<_> = self.nodes.iter().filter_map(|node| node.buffer(now_us)).collect();
        if nodes.is_empty() {
            return String::new();
        }
        serde_json::to_string(&Buffers { nodes }).expect("numbers, lists and text are JSON")
    }
}

impl Ordered {
    fn buffer(&self, now_us: u64) -> Option<NodeBuffer> {
        let step = self.step.get();
        match &self.state {
            Waits::Aggregation { open } => {
                let open = open.as_ref()?;
                let branches = open.members.on_branches();
                let branches =
                    branches.map(|(member, frames)| MemberBuffer { member, frames: frames_buffer(frames) });
                let batch = BatchBuffer {
                    number: open.number,
                    members: open.members.len(),
                    age_us: now_us.saturating_sub(open.since_us),
                    branches: branches.collect(),
                };
                Some(NodeBuffer { step, batch: Some(batch), merges: Vec::new() })
            }
            Waits::Coalesce { merges, .. } => {
                let merges = merges.buffers(now_us);
                (!merges.is_empty()).then_some(NodeBuffer { step, batch: None, merges })
            }
        }
    }

    /// Takes up what was open.
    fn restore(&mut self, node: OpenNode, now_us: u64) -> Result<(), Corruption> {
        match &mut self.state {
            Waits::Aggregation { open } => {
                *open = node.batch.map(|mut batch| {
                    let since_us = now_us.saturating_sub(batch.age_us);
                    batch.members.accepted_at(since_us);
                    OpenBatch { number: batch.number, members: batch.members, since_us, looked_us: now_us }
                });
                Ok(())
            }
            Waits::Coalesce { merges, .. } => {
                node.merges.into_iter().try_for_each(|merge| merges.restore(self.step, merge, now_us))
            }
        }
    }
}

/// One node's work with what came to it.
struct Desk<'a> {
    settlement: Settlement,
    dispatcher: &'a Dispatcher,
    /// Which of how many nodes that wait.
    position: u64,
    count: u64,
    moment: Moment,
}

impl Desk<'_> {
    fn number(&self, released: &mut u64) -> u64 {
        let number = *released * self.count + self.position;
        *released += 1;
        number
    }

    fn release(&mut self, (number, step): (u64, Step), cause: Cause, what: Released) {
        self.settlement.releases.push(Release { number, step, cause, what });
    }

    fn aggregate(
        &mut self,
        (step, released): (Step, &mut u64),
        open: &mut Option<OpenBatch>,
        signals: Vec<Signal>,
    ) -> Result<(), EngineError> {
        // A timer that ran out before these rows came.
        self.flush_due(step, open, self.moment.after());
        let mut by_cause: Vec<(Cause, Traveller)> = signals
            .into_iter()
            .map(|signal| match signal.message {
                Message::Member(traveller) => (signal.cause, traveller),
                Message::Entered { .. }
                | Message::Left { .. }
                | Message::Replaced { .. }
                | Message::Arrived { .. } => unreachable!("branches are no business of an aggregation"),
            })
            .collect();
        by_cause.sort_by_key(|(cause, traveller)| (*cause, traveller.token));
        for (cause, traveller) in by_cause {
            if open.is_none() {
                let (number, now_us) = (self.number(released), self.moment.now_us);
                let members = Members::default();
                *open = Some(OpenBatch { number, members, since_us: now_us, looked_us: now_us });
            }
            let batch = open.as_mut().expect("it was just made");
            let ordinal = u32::try_from(batch.members.len()).map_err(|_| EngineError::BatchTooLarge)?;
            let token = traveller.token;
            self.settlement.members.push(BatchMemberRecord { batch_no: batch.number, ordinal, token });
            let kept = batch.members.push(traveller, self.moment.now_us);
            kept.map_err(|error| EngineError::Buffers(error.into()))?;
            self.flush_due(step, open, cause);
        }
        if self.moment.end
            && let Some(batch) = open.take()
        {
            self.let_go(step, batch, Ok(TriggerType::EndOfSource), self.moment.after());
        }
        Ok(())
    }

    fn flush_due(&mut self, step: Step, open: &mut Option<OpenBatch>, cause: Cause) {
        let Some(batch) = open else { return };
        batch.looked_us = self.moment.now_us;
        let age = batch.age(batch.looked_us);
        let due = self.dispatcher.aggregation(step).due(batch.members.len(), age).transpose();
        if let Some(due) = due
            && let Some(batch) = open.take()
        {
            self.let_go(step, batch, due, cause);
        }
    }

    fn let_go(
        &mut self,
        step: Step,
        OpenBatch { number, members, .. }: OpenBatch,
        due: Result<TriggerType, ErrorReason>,
        cause: Cause,
    ) {
        self.release((number, step), cause, Released::Batch { due, members });
    }

    fn join(
        &mut self,
        (step, released): (Step, &mut u64),
        (merges, timeout_us): (&mut Merges, Option<u64>),
        signals: Vec<Signal>,
    ) {
        let executor = self.dispatcher.coalesce(step);
        let now_us = self.moment.now_us;
        if let Some(timeout_us) = timeout_us {
            for resolution in merges.time_out((step, timeout_us), now_us, executor) {
                self.resolve((step, released), self.moment.after(), resolution);
            }
        }
        let mut signals = signals.into_iter().peekable();
        while let Some(cause) = signals.peek().map(|signal| signal.cause) {
            let mut events = Vec::new();
            while let Some(signal) = signals.next_if(|signal| signal.cause == cause) {
                events.extend(counted(signal.message, merges, executor.width()));
            }
            events.sort_by_key(Event::token);
            for event in events {
                let resolution = match event {
                    Event::Arrived(traveller, frame) => merges.arrive(&frame, traveller, (now_us, executor)),
                    Event::Lost(_, frame) => merges.lose(&frame, executor),
                };
                if let Some(resolution) = resolution {
                    self.resolve((step, released), cause, resolution);
                }
            }
        }
    }

    fn resolve(&mut self, (step, released): (Step, &mut u64), cause: Cause, resolution: Resolution) {
        let number = self.number(released);
        self.release((number, step), cause, Released::Branches(resolution));
    }
}

/// Counts tokens on branches; what that means for a merge is looked at in token order afterwards.
fn counted(message: Message, merges: &mut Merges, width: usize) -> Option<Event> {
    match message {
        Message::Member(_) => unreachable!("a coalesce has no members"),
        Message::Entered { frame } => {
            merges.enter(&frame, width);
            None
        }
        Message::Left { token, frame } => merges.leave(&frame).then(|| Event::Lost(token, frame)),
        Message::Replaced { frame } => {
            merges.leave(&frame);
            None
        }
        Message::Arrived { traveller, frame } => Some(Event::Arrived(traveller, frame)),
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
