//! The answer, as `explain --json` shows it.

use elspeth_canonical::ContentHash;
use elspeth_contracts::{
    CallId, CallStatus, CallType, EdgeMode, ErrorReason, NodeStateStatus, NodeType, Outcome, RowId, RunId,
    StateId, TokenId,
};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::Shown;

/// Everything about one row or token.
#[derive(Debug, Serialize)]
pub struct Lineage {
    /// The run.
    pub run_id: RunId,
    /// The row that it came from; none for an output of a batch.
    pub row: Option<LineageRow>,
    /// Tokens, parents before their children.
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
    /// What it was made of.
    pub parents: Vec<TokenId>,
    /// What became of it; none while it is under way.
    pub outcome: Option<LineageOutcome>,
    /// Every attempt at every node, in order.
    pub states: Vec<LineageState>,
}

/// What became of a token.
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
    /// The batch that absorbed it.
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
