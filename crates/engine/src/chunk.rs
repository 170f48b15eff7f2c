use elspeth_canonical::ContentHash;
use elspeth_contracts::{
    NodeStateRecord, RoutingEventRecord, RowIndex, RowRecord, Step, TokenOutcomeRecord, TokenRecord,
    TransformErrorRecord, ValidationErrorRecord,
};
use elspeth_executors::Arrival;
use elspeth_payload::BodyFragment;
use elspeth_plugin::SourceItem;

/// Consecutive rows that one worker walks.
pub(crate) struct ChunkInput {
    /// Position among the epoch's chunks.
    pub(crate) index: usize,
    /// Index of the first row.
    pub(crate) first: RowIndex,
    /// When they were read: microseconds from the start of the run.
    pub(crate) read_us: i64,
    pub(crate) items: Vec<SourceItem>,
}

/// What came of a chunk, in row order.
#[derive(Debug, Default)]
pub(crate) struct ChunkOutput {
    pub(crate) index: usize,
    pub(crate) rows: Vec<RowRecord>,
    pub(crate) tokens: Vec<TokenRecord>,
    pub(crate) states: Vec<NodeStateRecord>,
    pub(crate) routing: Vec<RoutingEventRecord>,
    pub(crate) validation_errors: Vec<ValidationErrorRecord>,
    pub(crate) transform_errors: Vec<TransformErrorRecord>,
    pub(crate) leaves: Vec<ContentHash>,
    pub(crate) bodies: BodyFragment,
    pub(crate) arrivals: Vec<(Step, Arrival)>,
    pub(crate) settled: Vec<TokenOutcomeRecord>,
    /// Time that the worker spent on it.
    pub(crate) busy_us: u64,
}
