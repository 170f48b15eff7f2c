//! The walk of one row through the graph.

use elspeth_canonical::ContentHash;
use elspeth_contracts::{
    EdgeNo, ErrorReason, FailureKind, NodeStateRecord, NodeStateStatus, NodeType, Outcome,
    RoutingEventRecord, RowIndex, RowRecord, Step, TokenKey, TokenOrigin, TokenOutcomeRecord, TokenRecord,
    TransformErrorRecord, ValidationErrorRecord,
};
use elspeth_executors::{Arrival, FailedAttempt, Scratch, Verdict, Visit};
use elspeth_graph::{Destination, Node, NodeSpec};
use elspeth_landscape::integrity::LeafEncoder;
use elspeth_payload::BodyKey;
use elspeth_plugin::{InvalidRecord, RawRecord, SourceItem};
use elspeth_telemetry::{Granularity, NodeTag, OpenSpan, TokenTag};
use elspeth_value::{Row, Value};

use crate::chunk::{ChunkInput, ChunkOutput};
use crate::drive::Pipeline;

/// One worker's way through rows, one after the other.
pub(crate) struct Walker<'a> {
    pipeline: &'a Pipeline,
    on_success: EdgeNo,
    on_invalid: Destination,
    scratch: Scratch,
    leaf: LeafEncoder,
}

/// A token under way.
struct Travel {
    token: TokenKey,
    row: Row,
    /// Hash of `row`.
    hash: ContentHash,
    edge: EdgeNo,
    /// Set on an edge of an error.
    error_at: Option<(Step, u8)>,
}

/// How long each list of a chunk was before a row, to find the row's own records.
struct Marks {
    tokens: usize,
    states: usize,
    routing: usize,
    errors: usize,
}

impl<'a> Walker<'a> {
    pub(crate) fn new(pipeline: &'a Pipeline) -> Self {
        let NodeSpec::Source { on_success, on_invalid } = pipeline.graph.node(Step::SOURCE).spec else {
            unreachable!("the graph's builder puts the source at step 0");
        };
        let leaf = LeafEncoder::new(pipeline.options.hash_version);
        Self { pipeline, on_success, on_invalid, scratch: Scratch::default(), leaf }
    }

    /// Walks every row of a chunk.
    pub(crate) fn chunk(&mut self, input: ChunkInput) -> ChunkOutput {
        let clock = self.pipeline.clock.as_ref();
        let started = clock.monotonic_us();
        let mut out = ChunkOutput { index: input.index, ..ChunkOutput::default() };
        out.rows.reserve(input.items.len());
        let indexes = (input.first.get()..).map_while(RowIndex::new);
        for (row_index, item) in indexes.zip(input.items) {
            self.row(row_index, input.read_us, item, &mut out);
        }
        out.busy_us = clock.monotonic_us() - started;
        out
    }

    fn row(&mut self, row_index: RowIndex, read_us: i64, item: SourceItem, out: &mut ChunkOutput) {
        let token = TokenKey::of_row(row_index, 0).expect("ordinal 0 is below every limit");
        let marks = Marks::of(out);
        out.tokens.push(TokenRecord::plain(token));
        let (row, hash, refusal) = self.admit(item);
        let span = self.pipeline.spans.row(TokenTag { row: row_index, token, input_hash: Some(&hash) });
        out.rows.push(RowRecord { row_index, source_data_hash: hash, read_us, valid: refusal.is_none() });
        out.bodies.push_row(BodyKey { token, step: Step::SOURCE }, &row);
        match refusal {
            None => {
                let edge = self.on_success;
                self.travel(Travel { token, row, hash, edge, error_at: None }, &span, out);
            }
            Some(reason) => {
                span.failed(reason.kind);
                self.quarantine(row_index, token, row, reason, out);
            }
        }
        let leaf = self.close_row(out, &marks);
        out.leaves.push(leaf);
    }

    /// The row with its hash; a refused record as a row, with why it is refused.
    fn admit(&mut self, item: SourceItem) -> (Row, ContentHash, Option<ErrorReason>) {
        let (row, refusal) = match item {
            SourceItem::Valid(row) => (row, None),
            SourceItem::Invalid(InvalidRecord { raw: RawRecord::Fields(row), reason }) => (row, Some(reason)),
            SourceItem::Invalid(InvalidRecord { raw: RawRecord::Opaque(value), reason }) => {
                (opaque(value), Some(reason))
            }
        };
        match row.content_hash(self.pipeline.options.hash_version, &mut self.scratch.canonical) {
            Ok(hash) => (row, hash, refusal),
            Err(error) => {
                let unhashable =
                    || ErrorReason::new(FailureKind::Unhashable, format!("row cannot be hashed: {error}"));
                let (row, hash) = self.printed(&row);
                (row, hash, Some(refusal.unwrap_or_else(unhashable)))
            }
        }
    }

    /// A row that has no canonical form, kept as what can be printed of it.
    fn printed(&mut self, row: &Row) -> (Row, ContentHash) {
        let row = opaque(Value::Str(format!("{row:?}").into()));
        let hash = row
            .content_hash(self.pipeline.options.hash_version, &mut self.scratch.canonical)
            .expect("a row of one text has a canonical form");
        (row, hash)
    }

    fn quarantine(
        &mut self,
        row_index: RowIndex,
        token: TokenKey,
        row: Row,
        reason: ErrorReason,
        out: &mut ChunkOutput,
    ) {
        let error_at = Some((Step::SOURCE, 0));
        let destination = self.divert(self.on_invalid, (token, Step::SOURCE, 0), out);
        match destination {
            Some(sink) => {
                out.arrivals.push((sink, Arrival { token, row, outcome: Outcome::Quarantined, error_at }));
            }
            None => out.settled.push(discarded(token, error_at)),
        }
        out.validation_errors.push(ValidationErrorRecord { row_index, reason, destination });
    }

    /// Follows a token from node to node until it reaches a sink or is discarded.
    fn travel(&mut self, mut at: Travel, span: &OpenSpan, out: &mut ChunkOutput) {
        let pipeline = self.pipeline;
        loop {
            let edge = pipeline.graph.edge(at.edge);
            let node = pipeline.graph.node(edge.to);
            if node.node_type() == NodeType::Sink {
                let outcome = arrival_outcome(pipeline.graph.node(edge.from).node_type(), at.error_at);
                let arrival = Arrival { token: at.token, row: at.row, outcome, error_at: at.error_at };
                out.arrivals.push((node.step, arrival));
                return;
            }
            let span = pipeline.node_span(span, node, at.token, &at.hash);
            match self.visit(at, node.step, &span, out) {
                Some(next) => at = next,
                None => return,
            }
        }
    }

    /// One node: where the token goes next; `None` when it is discarded.
    fn visit(&mut self, at: Travel, step: Step, span: &OpenSpan, out: &mut ChunkOutput) -> Option<Travel> {
        let Travel { token, row, hash, .. } = at;
        let visit = self.pipeline.visit(token, step);
        let visited = self.pipeline.dispatcher.visit(row, visit, &mut self.scratch);
        let attempt = self.failed_attempts(token, step, &visited.failed, out);
        let (started_us, duration_us) = self.pipeline.span_us(visited.started_us, visited.ended_us);
        let mut state = NodeStateRecord {
            token,
            step,
            attempt,
            status: NodeStateStatus::Completed,
            input_hash: None,
            output_hash: None,
            started_us,
            duration_us,
        };
        match visited.verdict {
            Verdict::Forward { row, output_hash, edge, decided } => {
                state.output_hash = output_hash;
                out.states.push(state);
                if output_hash.is_some() {
                    out.bodies.push_row(BodyKey { token, step }, &row);
                }
                if decided {
                    out.routing.push(RoutingEventRecord {
                        token,
                        step,
                        attempt,
                        ordinal: 0,
                        edge,
                        reason: None,
                    });
                }
                Some(Travel { token, row, hash: output_hash.unwrap_or(hash), edge, error_at: at.error_at })
            }
            Verdict::Failed { row, reason } => {
                span.failed(reason.kind);
                state.status = NodeStateStatus::Failed;
                out.states.push(state);
                let at = Travel { token, row, hash, ..at };
                self.fail(at, (step, attempt), reason, out)
            }
        }
    }

    /// Sends a token where its node's `on_error` says.
    fn fail(
        &mut self,
        at: Travel,
        (step, attempt): (Step, u8),
        reason: ErrorReason,
        out: &mut ChunkOutput,
    ) -> Option<Travel> {
        let on_error = match &self.pipeline.graph.node(step).spec {
            NodeSpec::Transform { on_error, .. } | NodeSpec::Gate { on_error, .. } => *on_error,
            NodeSpec::Source { .. }
            | NodeSpec::Aggregation { .. }
            | NodeSpec::Coalesce { .. }
            | NodeSpec::Sink { .. } => Destination::Discard,
        };
        let token = at.token;
        let error_at = Some((step, attempt));
        let destination = self.divert(on_error, (token, step, attempt), out);
        out.transform_errors.push(TransformErrorRecord { token, step, attempt, reason, destination });
        match on_error {
            Destination::Sink(edge) => Some(Travel { edge, error_at, ..at }),
            Destination::Discard => {
                out.settled.push(discarded(token, error_at));
                None
            }
        }
    }

    /// Records the way along a divert edge; the sink it leads to.
    fn divert(
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
        token: TokenKey,
        step: Step,
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
                input_hash: None,
                output_hash: None,
                started_us,
                duration_us,
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

    /// The content leaf of the row whose records begin at `marks`.
    fn close_row(&mut self, out: &ChunkOutput, marks: &Marks) -> ContentHash {
        let leaf = &mut self.leaf;
        let row = out.rows.last().expect("the row was just recorded");
        leaf.row(row);
        out.tokens[marks.tokens..].iter().for_each(|r| leaf.token(r));
        out.states[marks.states..].iter().for_each(|r| leaf.state(r));
        out.routing[marks.routing..].iter().for_each(|r| leaf.routing(r));
        if !row.valid {
            let error = out.validation_errors.last().expect("an invalid row has its error recorded");
            leaf.validation_error(error);
        }
        out.transform_errors[marks.errors..].iter().for_each(|r| leaf.transform_error(r));
        leaf.finish()
    }
}

impl Marks {
    fn of(out: &ChunkOutput) -> Self {
        Self {
            tokens: out.tokens.len(),
            states: out.states.len(),
            routing: out.routing.len(),
            errors: out.transform_errors.len(),
        }
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
    fn span_us(&self, started: u64, ended: u64) -> (i64, i64) {
        let signed = |us: u64| i64::try_from(us).unwrap_or(i64::MAX);
        (signed(started.saturating_sub(self.options.run_start_us)), signed(ended.saturating_sub(started)))
    }
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

fn discarded(token: TokenKey, error_at: Option<(Step, u8)>) -> TokenOutcomeRecord {
    TokenOutcomeRecord {
        token,
        outcome: Outcome::Quarantined,
        sink: None,
        group: None,
        batch_no: None,
        error_at,
    }
}

/// A refused record that is no row, as the row that a quarantine sink gets.
fn opaque(value: Value) -> Row {
    Row::from_pairs([("raw".into(), value)])
}
