//! What one epoch adds to the record, in its two halves.

use elspeth_canonical::ContentHash;
use elspeth_contracts::{
    ArtifactRecord, CallRecord, EpochNo, Micros, NodeStateRecord, OperationRecord, RoutingEventRecord, RowIndex, RowRecord,
    StateContextRecord, Step, TokenKey, TokenOutcomeRecord, TokenParentRecord, TokenRecord, TransformErrorRecord,
    ValidationErrorRecord,
};

/// Commit A: everything that was sensed and decided. Every list is in canonical order (row index, then token path,
/// then step and attempt).
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
    /// Parents of forked, expanded and merged tokens.
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
    /// The source load.
    pub operations: Vec<OperationRecord>,
    /// One content leaf per row, in row order (see `integrity`).
    pub row_leaves: Vec<ContentHash>,
    /// The packed bodies of this epoch (see `elspeth_payload`); empty when there are none.
    pub bodies: Vec<u8>,
    /// What each sink is about to write, in sink order.
    pub intents: Vec<SinkIntent>,
    /// Where the source continues after this epoch: the source's own JSON.
    pub source_position: String,
}

impl DecidedEpoch {
    /// First and last row, if there are rows.
    #[must_use]
    pub fn row_range(&self) -> Option<(RowIndex, RowIndex)> {
        Some((self.rows.first()?.row_index, self.rows.last()?.row_index))
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
    /// Terminal outcomes of the epoch's tokens, in canonical order.
    pub outcomes: Vec<TokenOutcomeRecord>,
    /// Sink writes.
    pub operations: Vec<OperationRecord>,
    /// What exists now.
    pub artifacts: Vec<ArtifactRecord>,
    /// Where each sink that wrote continues.
    pub sinks: Vec<SinkProgress>,
}

/// A sink's committed position: its own JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkProgress {
    /// The sink.
    pub sink: Step,
    /// Where it continues.
    pub position: String,
}
