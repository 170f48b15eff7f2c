use std::time::Duration;

use elspeth_canonical::{ContentHash, HashVersion};
use elspeth_contracts::{Clock, EdgeNo, ErrorReason, RunId, Step, TokenKey};
use elspeth_value::Row;

/// Takes one token's row through one node, once. Shared by all workers.
pub trait StepExecutor: Send + Sync {
    /// Works on the row. A failure hands the row back as it came.
    fn execute(&self, row: Row, visit: &Visit<'_>, scratch: &mut Scratch) -> Verdict;
}

/// Which token is at which node, and in which attempt.
#[derive(Clone, Copy)]
pub struct Visit<'a> {
    /// The run.
    pub run_id: RunId,
    /// The token.
    pub token: TokenKey,
    /// The node.
    pub step: Step,
    /// Which attempt, from 0.
    pub attempt: u8,
    /// The run's digest.
    pub hash_version: HashVersion,
    /// Where durations come from.
    pub clock: &'a dyn Clock,
}

/// What a node decided about a row.
#[derive(Debug)]
pub enum Verdict {
    /// The row goes along an edge.
    Forward {
        /// The row that goes on.
        row: Row,
        /// Its hash, when the node changed it.
        output_hash: Option<ContentHash>,
        /// Along which edge.
        edge: EdgeNo,
        /// Whether that was a decision, to be recorded as a routing event.
        decided: bool,
    },
    /// The row forks: one child for each of the gate's branches.
    Fork {
        /// The row of every child.
        row: Row,
    },
    /// The row became several.
    Expanded {
        /// The row as it came.
        row: Row,
        /// The children's rows with their hashes; at least one.
        rows: Vec<(Row, ContentHash)>,
        /// Along which edge they all go.
        edge: EdgeNo,
    },
    /// The node failed for this row.
    Failed {
        /// The row as it came.
        row: Row,
        /// Why.
        reason: ErrorReason,
    },
}

/// The final verdict, with the attempts that led to it.
#[derive(Debug)]
pub struct Visited {
    /// What was decided in the end.
    pub verdict: Verdict,
    /// Attempts that failed and were followed by another.
    pub failed: Vec<FailedAttempt>,
    /// When the last attempt began, by the monotonic clock.
    pub started_us: u64,
    /// When it ended.
    pub ended_us: u64,
    /// How long a rate limit kept it waiting before its attempts.
    pub waited: Duration,
}

/// An attempt after which another was made.
#[derive(Debug, Clone, PartialEq)]
pub struct FailedAttempt {
    /// Why it failed.
    pub reason: ErrorReason,
    /// When it began, by the monotonic clock.
    pub started_us: u64,
    /// When it ended.
    pub ended_us: u64,
}

/// Buffers of one worker, kept from row to row.
#[derive(Debug, Default)]
pub struct Scratch {
    /// For canonical bytes.
    pub canonical: Vec<u8>,
}
