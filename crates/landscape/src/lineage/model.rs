//! The answer, as `explain --json` shows it.

use elspeth_canonical::ContentHash;
use elspeth_contracts::{
    BatchStatus, CallId, CallStatus, CallType, EdgeMode, ErrorReason, NodeStateStatus, NodeType, Outcome,
    RowId, RunId, StateId, TokenId, TriggerType,
};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::Shown;

/// Everything about one row or token.
#[derive(Debug, Serialize)]
pub struct Lineage {
    /// The run.
    pub run_id: RunId,
    /// The row that it came from; none for what a batch made: that came from the rows of the batch's members.
    pub row: Option<LineageRow>,
    /// Tokens, each after those it came from.
    pub tokens: Vec<LineageToken>,
}

/// The source's record.
#[derive(Debug, Serialize)]
pub struct LineageRow {
    /// Public id.
    pub row_id: RowId,
    /// Position in the source, from 0.
    pub row_index: u64,
    /// Hash of what the source gave.
    pub source_data_hash: ContentHash,
    /// What the source gave.
    pub data: Shown,
}

/// One token.
#[derive(Debug, Serialize)]
pub struct LineageToken {
    /// Public id.
    pub token_id: TokenId,
    /// The fork branch it travels.
    pub branch: Option<String>,
    /// What it was made of: the token that was forked or expanded, those that were merged, or the members of the batch
    /// that made it as far as `made_by` lists them.
    pub parents: Vec<TokenId>,
    /// The batch that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made_by: Option<LineageSource>,
    /// The batches that it was a member of, by node.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub batches: Vec<LineageMembership>,
    /// What became of it; none while it is under way.
    pub outcome: Option<LineageOutcome>,
    /// Every attempt at every node, in order.
    pub states: Vec<LineageState>,
}

/// A batch, as far as it was flushed.
#[derive(Debug, Clone, Serialize)]
pub struct LineageBatch {
    /// Its number.
    pub batch: u64,
    /// The name of its node; none while it takes members.
    pub node: Option<String>,
    /// How far it got.
    pub status: BatchStatus,
    /// What made it flush.
    pub trigger: Option<TriggerType>,
    /// More about that, or why it failed.
    pub reason: Option<String>,
    /// How often a flush was tried.
    pub attempts: u64,
    /// The row whose processing brought the flush about, or after which it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flushed_at_row: Option<u64>,
}

/// The batch that made a token.
#[derive(Debug, Serialize)]
pub struct LineageSource {
    /// The batch.
    #[serde(flatten)]
    pub batch: LineageBatch,
    /// The token's position among the outputs, from 0.
    pub position: u32,
    /// How many outputs there are.
    pub outputs: u64,
    /// What the outputs were made of.
    pub members: LineageMembers,
}

/// Members of a batch, at most 1,000 at a time.
#[derive(Debug, Serialize)]
pub struct LineageMembers {
    /// How many there are.
    pub count: u64,
    /// The position of the next one that is not listed; none when the list goes to the end.
    pub next: Option<u64>,
    /// Some of them, in order.
    pub tokens: Vec<LineageMember>,
}

/// A member of a batch.
#[derive(Debug, Serialize)]
pub struct LineageMember {
    /// Position in the batch, from 0.
    pub position: u32,
    /// Public id.
    pub token_id: TokenId,
    /// The row that it came from; none for what another batch made.
    pub row_index: Option<u64>,
}

/// A batch that took a token.
#[derive(Debug, Serialize)]
pub struct LineageMembership {
    /// The batch.
    #[serde(flatten)]
    pub batch: LineageBatch,
    /// The token's position among the members, from 0.
    pub position: u32,
    /// How many members there are.
    pub members: u64,
    /// How many tokens the batch made; none of a batch that lets its members go on.
    pub outputs: u64,
    /// The first 1,000 of them.
    pub output_tokens: Vec<TokenId>,
    /// Its node's step, to find the state that belongs to it.
    #[serde(skip)]
    pub step: Option<u16>,
}

/// What became of a token, or that it waits in a batch.
#[derive(Debug, Serialize)]
pub struct LineageOutcome {
    /// What.
    pub outcome: Outcome,
    /// The name of the sink it reached.
    pub sink: Option<String>,
    /// The error that ended its path or sent it to the sink.
    pub error: Option<LineageError>,
    /// The fork, expansion or join group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<u64>,
    /// The batch that absorbed it, or in which it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<u64>,
}

/// Why something failed.
#[derive(Debug, Clone, Serialize)]
pub struct LineageError {
    /// The name of the node where.
    pub node: String,
    /// Why.
    #[serde(flatten)]
    pub reason: ErrorReason,
    /// The sink that the token was sent to; none for discard, or when another attempt followed.
    pub destination: Option<String>,
}

/// One attempt of the token at one node.
#[derive(Debug, Serialize)]
pub struct LineageState {
    /// Public id.
    pub state_id: StateId,
    /// The node's name.
    pub node: String,
    /// What the node is.
    pub node_type: NodeType,
    /// Its plugin.
    pub plugin: String,
    /// Its position in the graph.
    pub step: u16,
    /// From 0.
    pub attempt: u8,
    /// How far it got.
    pub status: NodeStateStatus,
    /// Hash of what came in.
    pub input_hash: Option<ContentHash>,
    /// Hash of what went out; that of the input where the node did not change the row.
    pub output_hash: Option<ContentHash>,
    /// What came in.
    pub input: Shown,
    /// What went out.
    pub output: Shown,
    /// Milliseconds.
    pub duration_ms: f64,
    /// Milliseconds that a rate limit kept it waiting before that.
    pub waited_ms: f64,
    /// Why it failed.
    pub error: Option<LineageError>,
    /// What the node says of its success.
    pub reason: Option<Box<RawValue>>,
    /// Where the token was sent.
    pub routing: Vec<LineageRouting>,
    /// Requests to the outside.
    pub calls: Vec<LineageCall>,
}

/// One way that a token was sent.
#[derive(Debug, Serialize)]
pub struct LineageRouting {
    /// The edge's label.
    pub label: String,
    /// How it moved.
    pub mode: EdgeMode,
    /// The name of the node it was sent to.
    pub to: String,
    /// Why.
    pub reason: Option<RoutingReason>,
}

/// Why a token was sent along an edge.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum RoutingReason {
    /// A gate's condition had this result.
    Gate {
        /// The condition's text.
        condition: String,
        /// The label that it gave.
        result: String,
    },
    /// As the node recorded it.
    Recorded(Box<RawValue>),
}

/// One request to the outside.
#[derive(Debug, Serialize)]
pub struct LineageCall {
    /// Public id.
    pub call_id: CallId,
    /// Position among the calls of the state, from 0.
    pub index: u16,
    /// What it talked to.
    #[serde(rename = "type")]
    pub call_type: CallType,
    /// How it ended.
    pub status: CallStatus,
    /// Hash of the request.
    pub request_hash: ContentHash,
    /// Hash of the response.
    pub response_hash: Option<ContentHash>,
    /// What went wrong.
    pub error: Option<ErrorReason>,
    /// Milliseconds.
    pub latency_ms: f64,
}
