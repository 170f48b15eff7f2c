//! The walk of a row, and of all tokens that it becomes, through the graph.
//!
//! A token and what comes of it goes as far as it can before its next sibling moves. It ends at a sink, is discarded, or
//! comes to a node that waits across rows, which gets it by a [`Signal`].

use std::time::Duration;

use elspeth_canonical::ContentHash;
use elspeth_contracts::{
    EdgeNo, ErrorReason, FailureKind, NodeStateRecord, NodeStateStatus, NodeType, Outcome,
    RoutingEventRecord, Step, TokenKey, TokenOrigin, TokenOutcomeRecord, TransformErrorRecord,
};
use elspeth_executors::{Arrival, Cause, FailedAttempt, Scratch, Verdict, Visit};
use elspeth_graph::{Destination, Node, NodeSpec};
use elspeth_landscape::integrity::{LeafBatch, LeafEncoder};
use elspeth_payload::BodyKey;
use elspeth_telemetry::{Granularity, NodeTag, OpenSpan, TokenTag};

use crate::branch::{Frame, Frames, Merges, Traveller, each, retain};
use crate::chunk::ChunkOutput;
use crate::drive::Pipeline;
use crate::signal::{Message, Signal};

/// One worker's way through rows and releases, one after the other.
pub(crate) struct Walker<'a> {
    pub(crate) pipeline: &'a Pipeline,
    pub(crate) on_success: EdgeNo,
    pub(crate) on_invalid: Destination,
    pub(crate) scratch: Scratch,
    pub(crate) leaf: LeafEncoder,
    /// Of the rows of this chunk.
    pub(crate) leaves: LeafBatch,
}

/// Tokens under way: what a row, or one release, sets in motion.
pub(crate) struct Walk {
    /// Where the tokens that are made here are numbered.
    pub(crate) origin: TokenOrigin,
    /// The ordinal of the next of them.
    pub(crate) next: u32,
    pub(crate) cause: Cause,
    /// Who goes next is last.
    pub(crate) stack: Vec<Travel>,
    /// Merges that need nothing but this walk.
    pub(crate) merges: Merges,
}

/// A token on an edge.
pub(crate) struct Travel {
    pub(crate) traveller: Traveller,
    pub(crate) edge: EdgeNo,
    /// Set on an edge of an error.
    pub(crate) error_at: Option<(Step, u8)>,
}

/// A token where its node failed.
pub(crate) struct Failing {
    pub(crate) traveller: Traveller,
    pub(crate) at: (Step, u8),
    pub(crate) reason: ErrorReason,
}

impl Walk {
    pub(crate) fn new(origin: TokenOrigin, next: u32, cause: Cause) -> Self {
        Self { origin, next, cause, stack: Vec::new(), merges: Merges::default() }
    }

    /// Numbers for so many new tokens; none when an origin cannot have as many.
    pub(crate) fn births(
        &mut self,
        count: usize,
    ) -> Result<impl Iterator<Item = TokenKey> + use<>, ErrorReason> {
        let (origin, first) = (self.origin, self.next);
        let end = first.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        if end > TokenKey::ORDINAL_LIMIT {
            let message = format!("a row, or a batch, can become at most {} tokens", TokenKey::ORDINAL_LIMIT);
            return Err(ErrorReason::new(FailureKind::LimitExceeded, message));
        }
        self.next = end;
        Ok((first..end).map(move |ordinal| {
            let key = match origin {
                TokenOrigin::Row(row) => TokenKey::of_row(row, ordinal),
                TokenOrigin::Batch(number) => TokenKey::of_batch(number, ordinal),
            };
            key.expect("the last of them is within the limit, and the first exists")
        }))
    }
}

impl<'a> Walker<'a> {
    pub(crate) fn new(pipeline: &'a Pipeline) -> Self {
        let NodeSpec::Source { on_success, on_invalid } = pipeline.graph.node(Step::SOURCE).spec else {
            unreachable!("the graph's builder puts the source at step 0");
        };
        let leaf = LeafEncoder::new(pipeline.options.hash_version);
        let (scratch, leaves) = (Scratch::default(), LeafBatch::new(pipeline.options.hash_version));
        Self { pipeline, on_success, on_invalid, scratch, leaf, leaves }
    }

    /// Lets every token of the walk go as far as it can.
    pub(crate) fn walk(&mut self, walk: &mut Walk, span: &OpenSpan, out: &mut ChunkOutput) {
        while let Some(travel) = walk.stack.pop() {
            self.follow(travel, walk, span, out);
        }
    }

    /// Follows one token from node to node.
    pub(crate) fn follow(
        &mut self,
        mut travel: Travel,
        walk: &mut Walk,
        span: &OpenSpan,
        out: &mut ChunkOutput,
    ) {
        let pipeline = self.pipeline;
        loop {
            let edge = pipeline.graph.edge(travel.edge);
            let node = pipeline.graph.node(edge.to);
            let next = match &node.spec {
                NodeSpec::Sink { .. } => {
                    let from = pipeline.graph.node(edge.from).node_type();
                    return reach(travel, (from, node.step), walk.cause, out);
                }
                NodeSpec::Coalesce { crosses_rows, .. } => {
                    return self.meet(travel.traveller, (node.step, *crosses_rows), walk, out);
                }
                NodeSpec::Aggregation { .. } => self.join(travel.traveller, node.step, walk, out),
                NodeSpec::Source { .. } | NodeSpec::Transform { .. } | NodeSpec::Gate { .. } => {
                    let span = pipeline.node_span(span, node, travel.traveller.token, &travel.traveller.hash);
                    self.visit(travel, node, (walk, &span), out)
                }
            };
            match next {
                Some(next) => travel = next,
                None => return,
            }
        }
    }

    /// Hands a token over to an aggregation, if that can take its row.
    fn join(
        &mut self,
        mut traveller: Traveller,
        step: Step,
        walk: &mut Walk,
        out: &mut ChunkOutput,
    ) -> Option<Travel> {
        match self.pipeline.dispatcher.aggregation(step).admit(&traveller.row) {
            Ok(()) => {
                let message = Message::Member(traveller);
                out.signals.push(Signal { step, cause: walk.cause, message });
                None
            }
            Err(reason) => {
                let now = self.pipeline.clock.monotonic_us();
                let (started_us, duration_us) = self.pipeline.span_us(now, now);
                out.states.push(NodeStateRecord {
                    token: traveller.token,
                    step,
                    attempt: 0,
                    status: NodeStateStatus::Failed,
                    input_hash: traveller.tell_hash(),
                    output_hash: None,
                    started_us,
                    duration_us,
                    waited_us: 0,
                });
                self.fail(Failing { traveller, at: (step, 0), reason }, walk, out)
            }
        }
    }

    /// One node: where the token goes next; `None` when it goes no further, or waits its turn in the walk.
    fn visit(
        &mut self,
        travel: Travel,
        node: &Node,
        (walk, span): (&mut Walk, &OpenSpan),
        out: &mut ChunkOutput,
    ) -> Option<Travel> {
        let step = node.step;
        let Travel { mut traveller, error_at, .. } = travel;
        let token = traveller.token;
        let input_hash = traveller.tell_hash();
        let Traveller { row, hash, frames, .. } = traveller;
        let visited =
            self.pipeline.dispatcher.visit(row, self.pipeline.visit(token, step), &mut self.scratch);
        let attempt = self.failed_attempts((token, step, input_hash), &visited.failed, out);
        let (started_us, duration_us) = self.pipeline.span_us(visited.started_us, visited.ended_us);
        let mut state = NodeStateRecord {
            token,
            step,
            attempt,
            status: NodeStateStatus::Completed,
            input_hash,
            output_hash: None,
            started_us,
            duration_us,
            waited_us: micros(visited.waited),
        };
        let traveller = |row, hash| Traveller { token, row, hash, fresh: false, frames };
        match visited.verdict {
            Verdict::Forward { row, output_hash, edge, decided } => {
                state.output_hash = output_hash;
                out.states.push(state);
                if output_hash.is_some() {
                    out.bodies.push_row(BodyKey { token, step }, &row);
                }
                let mut traveller = traveller(row, output_hash.unwrap_or(hash));
                if decided {
                    out.routing.push(RoutingEventRecord {
                        token,
                        step,
                        attempt,
                        ordinal: 0,
                        edge,
                        reason: None,
                    });
                    self.leave_unreachable(&mut traveller, edge, walk, out);
                }
                Some(Travel { traveller, edge, error_at })
            }
            Verdict::Fork { row } => self.fork(traveller(row, hash), state, walk, out),
            Verdict::Expanded { row, rows, edge } => {
                self.expand(traveller(row, hash), (rows, edge), state, walk, out)
            }
            Verdict::Failed { row, reason } => {
                span.failed(reason.kind);
                state.status = NodeStateStatus::Failed;
                out.states.push(state);
                self.fail(Failing { traveller: traveller(row, hash), at: (step, attempt), reason }, walk, out)
            }
        }
    }

    /// Sends a token where its node's `on_error` says. Whatever branch it was on is lost by that.
    pub(crate) fn fail(
        &mut self,
        Failing { mut traveller, at: (step, attempt), reason }: Failing,
        walk: &mut Walk,
        out: &mut ChunkOutput,
    ) -> Option<Travel> {
        let on_error = match &self.pipeline.graph.node(step).spec {
            NodeSpec::Transform { on_error, .. }
            | NodeSpec::Gate { on_error, .. }
            | NodeSpec::Aggregation { on_error, .. } => *on_error,
            NodeSpec::Source { .. } | NodeSpec::Coalesce { .. } | NodeSpec::Sink { .. } => {
                Destination::Discard
            }
        };
        let token = traveller.token;
        let error_at = Some((step, attempt));
        let destination = self.divert(on_error, (token, step, attempt), out);
        out.transform_errors.push(TransformErrorRecord { token, step, attempt, reason, destination });
        let frames = traveller.frames.take();
        let next = match on_error {
            Destination::Sink(edge) => Some(Travel { traveller, edge, error_at }),
            Destination::Discard => {
                out.settled.push(walk.cause, discarded(token, error_at));
                None
            }
        };
        self.leave((token, &frames), &|_| false, walk, out);
        next
    }

    /// Takes a token off the branches that it cannot bring to their coalesce along `edge`.
    fn leave_unreachable(
        &mut self,
        traveller: &mut Traveller,
        edge: EdgeNo,
        walk: &mut Walk,
        out: &mut ChunkOutput,
    ) {
        if traveller.frames.is_none() {
            return;
        }
        let graph = &self.pipeline.graph;
        let frames = traveller.frames.take();
        let reaches = |frame: &Frame| graph.reaches(edge, frame.coalesce);
        traveller.frames = retain(&frames, &reaches);
        self.leave((traveller.token, &frames), &reaches, walk, out);
    }

    /// A token is no more on those of these branches that are not kept; the innermost is told first.
    pub(crate) fn leave(
        &mut self,
        (token, frames): (TokenKey, &Frames),
        keep: &impl Fn(&Frame) -> bool,
        walk: &mut Walk,
        out: &mut ChunkOutput,
    ) {
        for frame in each(frames).filter(|frame| !keep(frame)) {
            if self.crosses(frame.coalesce) {
                let message = Message::Left { token, frame: std::sync::Arc::clone(frame) };
                out.signals.push(Signal { step: frame.coalesce, cause: walk.cause, message });
            } else if walk.merges.leave(frame) {
                let executor = self.pipeline.dispatcher.coalesce(frame.coalesce);
                if let Some(resolution) = walk.merges.lose(frame, executor) {
                    self.resolve(resolution, walk, out);
                }
            }
        }
    }

    /// Whether a coalesce waits across rows.
    pub(crate) fn crosses(&self, coalesce: Step) -> bool {
        match &self.pipeline.graph.node(coalesce).spec {
            NodeSpec::Coalesce { crosses_rows, .. } => *crosses_rows,
            NodeSpec::Source { .. }
            | NodeSpec::Transform { .. }
            | NodeSpec::Gate { .. }
            | NodeSpec::Aggregation { .. }
            | NodeSpec::Sink { .. } => false,
        }
    }

    /// Records the way along a divert edge; the sink it leads to.
    pub(crate) fn divert(
        &self,
        to: Destination,
        (token, step, attempt): (TokenKey, Step, u8),
        out: &mut ChunkOutput,
    ) -> Option<Step> {
        match to {
            Destination::Sink(edge) => {
                out.routing.push(RoutingEventRecord { token, step, attempt, ordinal: 0, edge, reason: None });
                Some(self.pipeline.graph.edge(edge).to)
            }
            Destination::Discard => None,
        }
    }

    /// Records attempts that were followed by another; the number of the one that was not.
    fn failed_attempts(
        &self,
        (token, step, input_hash): (TokenKey, Step, Option<ContentHash>),
        failed: &[FailedAttempt],
        out: &mut ChunkOutput,
    ) -> u8 {
        let mut attempt = 0;
        for failure in failed {
            let (started_us, duration_us) = self.pipeline.span_us(failure.started_us, failure.ended_us);
            out.states.push(NodeStateRecord {
                token,
                step,
                attempt,
                status: NodeStateStatus::Failed,
                input_hash,
                output_hash: None,
                started_us,
                duration_us,
                waited_us: 0,
            });
            let reason = failure.reason.clone();
            out.transform_errors.push(TransformErrorRecord {
                token,
                step,
                attempt,
                reason,
                destination: None,
            });
            attempt += 1;
        }
        attempt
    }
}

impl Pipeline {
    fn visit(&self, token: TokenKey, step: Step) -> Visit<'_> {
        Visit {
            run_id: self.options.run_id,
            token,
            step,
            attempt: 0,
            hash_version: self.options.hash_version,
            clock: self.clock.as_ref(),
        }
    }

    fn node_span(&self, row: &OpenSpan, node: &Node, token: TokenKey, hash: &ContentHash) -> OpenSpan {
        if !self.spans.wants(Granularity::Full) {
            return OpenSpan::NONE;
        }
        let TokenOrigin::Row(row_index) = token.origin() else { return OpenSpan::NONE };
        let tag = TokenTag { row: row_index, token, input_hash: Some(hash) };
        let node_tag = NodeTag { name: &node.name, plugin: &node.plugin };
        match node.node_type() {
            NodeType::Transform => self.spans.transform(row, node_tag, tag),
            NodeType::Gate => self.spans.gate(row, node_tag, tag),
            NodeType::Source | NodeType::Aggregation | NodeType::Coalesce | NodeType::Sink => OpenSpan::NONE,
        }
    }

    /// Microseconds from the start of the run, and how long.
    pub(crate) fn span_us(&self, started: u64, ended: u64) -> (i64, i64) {
        let signed = |us: u64| i64::try_from(us).unwrap_or(i64::MAX);
        (signed(started.saturating_sub(self.options.run_start_us)), signed(ended.saturating_sub(started)))
    }
}

/// How long a rate limit kept an attempt waiting, as it is recorded.
pub(crate) fn micros(waited: Duration) -> i64 {
    i64::try_from(waited.as_micros()).unwrap_or(i64::MAX)
}

/// A token at a sink.
fn reach(travel: Travel, (from, sink): (NodeType, Step), cause: Cause, out: &mut ChunkOutput) {
    let Travel { mut traveller, error_at, .. } = travel;
    let input_hash = traveller.tell_hash();
    let outcome = arrival_outcome(from, error_at);
    let arrival =
        Arrival { token: traveller.token, row: traveller.row, outcome, error_at, input_hash, cause };
    out.arrive(sink, arrival);
}

/// A row that reaches a sink straight from a gate, or by an error edge, was routed there; otherwise it is done.
fn arrival_outcome(from: NodeType, error_at: Option<(Step, u8)>) -> Outcome {
    match (from, error_at) {
        (_, Some(_)) | (NodeType::Gate, None) => Outcome::Routed,
        (
            NodeType::Source
            | NodeType::Transform
            | NodeType::Aggregation
            | NodeType::Coalesce
            | NodeType::Sink,
            None,
        ) => Outcome::Completed,
    }
}

pub(crate) fn discarded(token: TokenKey, error_at: Option<(Step, u8)>) -> TokenOutcomeRecord {
    TokenOutcomeRecord {
        token,
        outcome: Outcome::Quarantined,
        sink: None,
        group: None,
        batch_no: None,
        error_at,
    }
}
