//! The walk of one row through the graph.

use elspeth_contracts::{
    EdgeNo, ErrorReason, FailureKind, NodeStateRecord, NodeStateStatus, NodeType, Outcome, RoutingEventRecord, RowIndex,
    RowRecord, Step, TokenKey, TokenOutcomeRecord, TokenRecord, TransformErrorRecord, ValidationErrorRecord,
};
use elspeth_executors::{Arrival, FailedAttempt, Scratch, Verdict, Visit, Visited};
use elspeth_graph::{Destination, NodeSpec};
use elspeth_landscape::integrity::LeafEncoder;
use elspeth_payload::BodyKey;
use elspeth_plugin::{InvalidRecord, RawRecord, SourceItem};
use elspeth_value::{Row, Value};

use crate::chunk::{ChunkInput, ChunkOutput};
use crate::drive::Pipeline;

/// One worker's way through rows, one after the other.
pub(crate) struct Walker<'a> {
    pipeline: &'a Pipeline,
    scratch: Scratch,
    leaf: LeafEncoder,
}

/// A token under way.
struct Travel {
    token: TokenKey,
    row: Row,
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
        Self { pipeline, scratch: Scratch::default(), leaf: LeafEncoder::new(pipeline.options.hash_version) }
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
        match self.admit(item) {
            Ok((row, hash)) => {
                out.rows.push(RowRecord { row_index, source_data_hash: hash, read_us, valid: true });
                out.bodies.push_row(BodyKey { token, step: Step::SOURCE }, &row);
                let NodeSpec::Source { on_success, .. } = self.pipeline.graph.node(Step::SOURCE).spec else { return };
                self.travel(Travel { token, row, edge: on_success, error_at: None }, out);
            }
            Err((row, hash, reason)) => {
                out.rows.push(RowRecord { row_index, source_data_hash: hash, read_us, valid: false });
                out.bodies.push_row(BodyKey { token, step: Step::SOURCE }, &row);
                self.quarantine(row_index, token, row, reason, out);
            }
        }
        let leaf = self.close_row(out, &marks);
        out.leaves.push(leaf);
    }

    /// A row with its hash, or the refused record as a row, with its hash and why.
    #[expect(clippy::type_complexity, reason = "used once; a type of its own would only be taken apart again")]
    fn admit(
        &mut self,
        item: SourceItem,
    ) -> Result<(Row, elspeth_canonical::ContentHash), (Row, elspeth_canonical::ContentHash, ErrorReason)> {
        let version = self.pipeline.options.hash_version;
        match item {
            SourceItem::Valid(row) => match row.content_hash(version, &mut self.scratch.canonical) {
                Ok(hash) => Ok((row, hash)),
                Err(error) => {
                    let reason = ErrorReason::new(FailureKind::Unhashable, format!("row cannot be hashed: {error}"));
                    Err(self.refused(opaque(Value::Str(format!("{row:?}").into())), reason))
                }
            },
            SourceItem::Invalid(InvalidRecord { raw, reason }) => {
                let row = match raw {
                    RawRecord::Fields(row) => row,
                    RawRecord::Opaque(value) => opaque(value),
                };
                Err(self.refused(row, reason))
            }
        }
    }

    fn refused(&mut self, row: Row, reason: ErrorReason) -> (Row, elspeth_canonical::ContentHash, ErrorReason) {
        let version = self.pipeline.options.hash_version;
        match row.content_hash(version, &mut self.scratch.canonical) {
            Ok(hash) => (row, hash, reason),
            Err(_) => {
                // Not even the raw fields have a canonical form: keep what can be printed of them.
                let row = opaque(Value::Str(format!("{row:?}").into()));
                let hash = row
                    .content_hash(version, &mut self.scratch.canonical)
                    .expect("a row of one text has a canonical form");
                (row, hash, reason)
            }
        }
    }

    fn quarantine(
        &mut self,
        row_index: RowIndex,
        token: TokenKey,
        row: Row,
        reason: ErrorReason,
        out: &mut ChunkOutput,
    ) {
        let NodeSpec::Source { on_invalid, .. } = self.pipeline.graph.node(Step::SOURCE).spec else { return };
        let error_at = Some((Step::SOURCE, 0));
        let destination = self.divert(on_invalid, (token, Step::SOURCE, 0), out);
        match destination {
            Some(sink) => {
                out.arrivals.push((sink, Arrival { token, row, outcome: Outcome::Quarantined, error_at }));
            }
            None => out.settled.push(discarded(token, error_at)),
        }
        out.validation_errors.push(ValidationErrorRecord { row_index, reason, destination });
    }

    /// Follows a token from node to node until it reaches a sink or is discarded.
    fn travel(&mut self, mut at: Travel, out: &mut ChunkOutput) {
        let graph = &self.pipeline.graph;
        loop {
            let edge = graph.edge(at.edge);
            let node = graph.node(edge.to);
            if node.node_type() == NodeType::Sink {
                let outcome = arrival_outcome(graph.node(edge.from).node_type(), at.error_at);
                let arrival = Arrival { token: at.token, row: at.row, outcome, error_at: at.error_at };
                out.arrivals.push((node.step, arrival));
                return;
            }
            match self.visit(at.token, node.step, at.row, out) {
                Ok((row, edge)) => at = Travel { row, edge, ..at },
                Err(Some(next)) => at = next,
                Err(None) => return,
            }
        }
    }

    /// One node: the row and edge that follow, or the way after a failure (`None` when discarded).
    fn visit(
        &mut self,
        token: TokenKey,
        step: Step,
        row: Row,
        out: &mut ChunkOutput,
    ) -> Result<(Row, EdgeNo), Option<Travel>> {
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
        let Visited { verdict, .. } = visited;
        match verdict {
            Verdict::Forward { row, output_hash, edge, decided } => {
                state.output_hash = output_hash;
                out.states.push(state);
                if output_hash.is_some() {
                    out.bodies.push_row(BodyKey { token, step }, &row);
                }
                if decided {
                    out.routing.push(RoutingEventRecord { token, step, attempt, ordinal: 0, edge, reason: None });
                }
                Ok((row, edge))
            }
            Verdict::Failed { row, reason } => {
                state.status = NodeStateStatus::Failed;
                out.states.push(state);
                Err(self.fail((token, step, attempt), row, reason, out))
            }
        }
    }

    fn fail(
        &mut self,
        (token, step, attempt): (TokenKey, Step, u8),
        row: Row,
        reason: ErrorReason,
        out: &mut ChunkOutput,
    ) -> Option<Travel> {
        let on_error = match &self.pipeline.graph.node(step).spec {
            NodeSpec::Transform { on_error, .. } | NodeSpec::Gate { on_error, .. } => *on_error,
            NodeSpec::Source { .. } | NodeSpec::Sink { .. } => Destination::Discard,
        };
        let error_at = Some((step, attempt));
        let destination = self.divert(on_error, (token, step, attempt), out);
        out.transform_errors.push(TransformErrorRecord { token, step, attempt, reason, destination });
        match on_error {
            Destination::Sink(edge) => Some(Travel { token, row, edge, error_at }),
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
    fn failed_attempts(&self, token: TokenKey, step: Step, failed: &[FailedAttempt], out: &mut ChunkOutput) -> u8 {
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
            out.transform_errors.push(TransformErrorRecord { token, step, attempt, reason, destination: None });
            attempt += 1;
        }
        attempt
    }

    /// The content leaf of the row whose records begin at `marks`.
    fn close_row(&mut self, out: &ChunkOutput, marks: &Marks) -> elspeth_canonical::ContentHash {
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
        (NodeType::Source | NodeType::Transform | NodeType::Aggregation | NodeType::Coalesce | NodeType::Sink, None) => {
            Outcome::Completed
        }
    }
}

fn discarded(token: TokenKey, error_at: Option<(Step, u8)>) -> TokenOutcomeRecord {
    TokenOutcomeRecord { token, outcome: Outcome::Quarantined, sink: None, group: None, batch_no: None, error_at }
}

/// A refused record that is no row, as the row that a quarantine sink gets.
fn opaque(value: Value) -> Row {
    Row::from_pairs([("raw".into(), value)])
}
