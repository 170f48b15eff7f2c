use std::collections::BTreeMap;

use elspeth_canonical::ContentHash;
use elspeth_contracts::{
    BatchOutputRecord, BatchRecord, NodeStateRecord, ReleaseRecord, RoutingEventRecord, RowIndex, RowRecord,
    StateContextRecord, Step, TokenParentRecord, TokenRecord, TransformErrorRecord, ValidationErrorRecord,
};
use elspeth_executors::{Arrival, Settled, Spilled};
use elspeth_landscape::integrity::{LeafEncoder, Members, Picked, ReleaseRecords};
use elspeth_payload::BodyFragment;
use elspeth_plugin::SourceItem;

use crate::EngineError;
use crate::release::Release;
use crate::signal::Signal;

/// What one worker does at a time.
pub(crate) struct ChunkInput {
    /// Position among the chunks that are worked on together.
    pub(crate) index: usize,
    pub(crate) work: ChunkWork,
}

pub(crate) enum ChunkWork {
    Rows(RowsInput),
    /// Consecutive releases of one node.
    Releases(Vec<Release>),
}

/// Consecutive rows.
pub(crate) struct RowsInput {
    /// Index of the first row.
    pub(crate) first: RowIndex,
    /// When they were read: microseconds from the start of the run.
    pub(crate) read_us: i64,
    pub(crate) items: Vec<SourceItem>,
}

/// What came of a chunk, in the order of its rows or releases.
#[derive(Debug, Default)]
pub(crate) struct ChunkOutput {
    pub(crate) index: usize,
    pub(crate) rows: Vec<RowRecord>,
    pub(crate) releases: Vec<ReleaseRecord>,
    pub(crate) batches: Vec<BatchRecord>,
    pub(crate) batch_outputs: Vec<BatchOutputRecord>,
    pub(crate) tokens: Vec<TokenRecord>,
    pub(crate) parents: Vec<TokenParentRecord>,
    pub(crate) states: Vec<NodeStateRecord>,
    pub(crate) contexts: Vec<StateContextRecord>,
    pub(crate) routing: Vec<RoutingEventRecord>,
    pub(crate) validation_errors: Vec<ValidationErrorRecord>,
    pub(crate) transform_errors: Vec<TransformErrorRecord>,
    pub(crate) leaves: Vec<ContentHash>,
    pub(crate) release_leaves: Vec<ContentHash>,
    pub(crate) bodies: BodyFragment,
    pub(crate) arrivals: Vec<(Step, Arrival)>,
    /// More of them, by sink.
    pub(crate) spilled: BTreeMap<Step, Spilled>,
    pub(crate) settled: Settled,
    /// For nodes that wait across rows.
    pub(crate) signals: Vec<Signal>,
    /// Time that the worker spent on it.
    pub(crate) busy_us: u64,
    /// What keeps the engine from going on.
    pub(crate) broken: Option<EngineError>,
}

/// How long each list of a chunk was before a row or release, to find its own records.
pub(crate) struct Marks {
    pub(crate) batches: usize,
    pub(crate) outputs: usize,
    pub(crate) tokens: usize,
    parents: usize,
    states: usize,
    contexts: usize,
    routing: usize,
    errors: usize,
}

impl Marks {
    pub(crate) fn of(out: &ChunkOutput) -> Self {
        Self {
            batches: out.batches.len(),
            outputs: out.batch_outputs.len(),
            tokens: out.tokens.len(),
            parents: out.parents.len(),
            states: out.states.len(),
            contexts: out.contexts.len(),
            routing: out.routing.len(),
            errors: out.transform_errors.len(),
        }
    }
}

/// Arrivals that a chunk keeps in memory; more are put into files, so many at a time.
const KEPT_ARRIVALS: usize = 16_384;

impl ChunkOutput {
    /// A token is at a sink.
    pub(crate) fn arrive(&mut self, sink: Step, arrival: Arrival) {
        self.arrivals.push((sink, arrival));
        if self.arrivals.len() == KEPT_ARRIVALS {
            let mut by_sink: BTreeMap<Step, Vec<Arrival>> = BTreeMap::new();
            for (sink, arrival) in self.arrivals.drain(..) {
                by_sink.entry(sink).or_default().push(arrival);
            }
            for (sink, arrivals) in by_sink {
                if let Err(error) = self.spilled.entry(sink).or_default().take(arrivals) {
                    self.broken.get_or_insert(EngineError::Buffers(error.into()));
                }
            }
        }
    }

    /// Puts the records since `marks` in key order: tokens take turns in a walk.
    pub(crate) fn sort_from(&mut self, marks: &Marks) {
        // Keys are unique, and a stable sort would need memory of its own.
        self.tokens[marks.tokens..].sort_unstable_by_key(|r| r.token);
        self.parents[marks.parents..].sort_unstable_by_key(|r| (r.token, r.ordinal));
        self.states[marks.states..].sort_unstable_by_key(|r| (r.token, r.step, r.attempt));
        self.contexts[marks.contexts..].sort_unstable_by_key(|r| (r.token, r.step, r.attempt));
        self.routing[marks.routing..].sort_unstable_by_key(|r| (r.token, r.step, r.attempt, r.ordinal));
        self.transform_errors[marks.errors..].sort_unstable_by_key(|r| (r.token, r.step, r.attempt));
    }

    /// Everything since `marks`, of one release with these members.
    pub(crate) fn release_from<'a>(&'a self, marks: &Marks, members: Members<'a>) -> ReleaseRecords<'a> {
        ReleaseRecords {
            batches: &self.batches[marks.batches..],
            members,
            outputs: Picked::All(&self.batch_outputs[marks.outputs..]),
            tokens: Picked::All(&self.tokens[marks.tokens..]),
            parents: Picked::All(&self.parents[marks.parents..]),
            states: Picked::All(&self.states[marks.states..]),
            contexts: Picked::All(&self.contexts[marks.contexts..]),
            routing: Picked::All(&self.routing[marks.routing..]),
            // No plugin that this engine runs makes calls.
            calls: Picked::default(),
            errors: Picked::All(&self.transform_errors[marks.errors..]),
        }
    }

    /// Gives the records about tokens since `marks` to their leaf, but for errors.
    pub(crate) fn leaf_tokens(&self, marks: &Marks, leaf: &mut LeafEncoder) {
        self.tokens[marks.tokens..].iter().for_each(|r| leaf.token(r));
        self.parents[marks.parents..].iter().for_each(|r| leaf.parent(r));
        self.states[marks.states..].iter().for_each(|r| leaf.state(r));
        self.contexts[marks.contexts..].iter().for_each(|r| leaf.context(r));
        self.routing[marks.routing..].iter().for_each(|r| leaf.routing(r));
    }

    /// Gives the errors since `marks` to their leaf.
    pub(crate) fn leaf_errors(&self, marks: &Marks, leaf: &mut LeafEncoder) {
        self.transform_errors[marks.errors..].iter().for_each(|r| leaf.transform_error(r));
    }
}
