//! What one epoch adds to the record, in its two halves.

use elspeth_canonical::ContentHash;
use elspeth_contracts::{
    ArtifactRecord, BatchMemberRecord, BatchOutputRecord, BatchRecord, CallRecord, EpochNo, Micros,
    NodeStateRecord, OperationRecord, ReleaseRecord, RoutingEventRecord, RowIndex, RowRecord,
    StateContextRecord, Step, TokenKey, TokenOutcomeRecord, TokenParentRecord, TokenRecord,
    TransformErrorRecord, ValidationErrorRecord,
};

/// Commit A: everything that was sensed and decided. Every list is in key order, except where it says otherwise.
#[derive(Debug, Clone, Default)]
pub struct DecidedEpoch {
    /// Its number.
    pub epoch: EpochNo,
    /// When its first row was read.
    pub started: Micros,
    /// Rows read.
    pub rows: Vec<RowRecord>,
    /// Tokens made.
    pub tokens: Vec<TokenRecord>,
    /// Parents of forked, expanded and merged tokens. Those of a batch's outputs are the batch's members.
    pub token_parents: Vec<TokenParentRecord>,
    /// States of every node but sinks.
    pub states: Vec<NodeStateRecord>,
    /// More about some of them.
    pub contexts: Vec<StateContextRecord>,
    /// Where tokens were sent.
    pub routing: Vec<RoutingEventRecord>,
    /// Requests to the outside.
    pub calls: Vec<CallRecord>,
    /// Why source records were refused.
    pub validation_errors: Vec<ValidationErrorRecord>,
    /// Why nodes failed.
    pub transform_errors: Vec<TransformErrorRecord>,
    /// Attempts to flush batches, by batch and attempt.
    pub batches: Vec<BatchRecord>,
    /// Tokens that batches accepted, by batch and ordinal. One is recorded when it is accepted, so mostly in an epoch
    /// before the flush.
    pub batch_members: Vec<BatchMemberRecord>,
    /// Tokens that came of batches, by batch and ordinal.
    pub batch_outputs: Vec<BatchOutputRecord>,
    /// The source load.
    pub operations: Vec<OperationRecord>,
    /// One content leaf per row, in row order (see `integrity`).
    pub row_leaves: Vec<ContentHash>,
    /// Batches flushed, merges that waited across rows, in the order of (cause, step, number), where the cause is the row
    /// whose processing brought it about.
    pub releases: Vec<ReleaseRecord>,
    /// One content leaf per release, in the same order.
    pub release_leaves: Vec<ContentHash>,
    /// The packed bodies of this epoch (see `elspeth_payload`); empty when there are none.
    pub bodies: Vec<u8>,
    /// What each sink is about to write, in sink order.
    pub intents: Vec<SinkIntent>,
    /// Where the source continues after this epoch: the source's own JSON.
    pub source_position: String,
    /// What stays open after this epoch (batches that take members, merges that wait): the engine's own JSON; empty when
    /// nothing does.
    pub buffers: String,
    /// What becomes of the epoch's tokens once the sinks have acted: the engine's own bytes, which nothing is hashed over.
    /// Whoever takes the run up after a crash needs them to act on this epoch without deciding again.
    pub pending: Vec<u8>,
}

impl DecidedEpoch {
    /// First and last row, if there are rows.
    #[must_use]
    pub fn row_range(&self) -> Option<(RowIndex, RowIndex)> {
        Some((self.rows.first()?.row_index, self.rows.last()?.row_index))
    }

    /// How many records it adds.
    #[must_use]
    pub fn records(&self) -> u64 {
        let lists = [
            self.rows.len(),
            self.tokens.len(),
            self.token_parents.len(),
            self.states.len(),
            self.contexts.len(),
            self.routing.len(),
            self.calls.len(),
            self.validation_errors.len(),
            self.transform_errors.len(),
            self.batches.len(),
            self.batch_members.len(),
            self.batch_outputs.len(),
            self.releases.len(),
            self.operations.len(),
        ];
        lists.iter().sum::<usize>() as u64
    }
}

/// What one sink is about to write: enough to do it again after a crash without deciding again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkIntent {
    /// The sink.
    pub sink: Step,
    /// The tokens in the order in which they will be written. Their rows are in the epoch's bodies.
    pub tokens: Vec<TokenKey>,
}

/// Commit B: what the sinks did with the epoch's tokens.
#[derive(Debug, Clone, Default)]
pub struct ActedEpoch {
    /// Its number.
    pub epoch: EpochNo,
    /// One completed or failed state per token and sink, in canonical order.
    pub sink_states: Vec<NodeStateRecord>,
    /// Why sinks refused rows.
    pub transform_errors: Vec<TransformErrorRecord>,
    /// Diverts to failsinks.
    pub routing: Vec<RoutingEventRecord>,
    /// Terminal outcomes that the epoch brought about, in the order of their cause (the row whose processing brought each
    /// about), then of the token. The content root has them in this order, so it must not depend on where epochs end.
    pub outcomes: Vec<TokenOutcomeRecord>,
    /// Sink writes.
    pub operations: Vec<OperationRecord>,
    /// What exists now.
    pub artifacts: Vec<ArtifactRecord>,
    /// Where each sink that wrote continues.
    pub sinks: Vec<SinkProgress>,
}

impl ActedEpoch {
    /// How many records it adds.
    #[must_use]
    pub fn records(&self) -> u64 {
        let lists = [
            self.sink_states.len(),
            self.transform_errors.len(),
            self.routing.len(),
            self.outcomes.len(),
            self.operations.len(),
            self.artifacts.len(),
        ];
        lists.iter().sum::<usize>() as u64
    }
}

/// A sink's committed position: its own JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkProgress {
    /// The sink.
    pub sink: Step,
    /// Where it continues.
    pub position: String,
}
