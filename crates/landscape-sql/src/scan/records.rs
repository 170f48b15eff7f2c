//! The tables that verifiers read as a whole: their columns in the order of the key, and how a record is made of them.

use elspeth_contracts::{
    ArtifactRecord, BatchMemberRecord, BatchOutputRecord, BatchRecord, BatchStatus, CallRecord, CallStatus,
    CallType, NodeStateRecord, NodeStateStatus, OperationKind, OperationRecord, OperationStatus, Outcome,
    ReleaseRecord, RoutingEventRecord, RowRecord, StateContextRecord, TokenOutcomeRecord, TokenParentRecord,
    TokenRecord, TransformErrorRecord, TriggerType, ValidationErrorRecord,
};
use elspeth_landscape::LandscapeError;
use elspeth_landscape::verify::{Effect, EpochRecord};

use super::cells::Cells;

type Read<T> = Result<T, LandscapeError>;

/// How those records of a table are read whose first part of the key is in a range: rows, tokens or batches.
pub(crate) struct Ranged<R: 'static> {
    pub(crate) name: &'static str,
    /// How many of the columns are the key.
    pub(crate) key: usize,
    pub(crate) columns: &'static [&'static str],
    pub(crate) read: fn(&Cells<'_>) -> Read<R>,
}

/// Whether the records of a table are read by ranges; then the types of all their values are looked at.
pub(crate) fn is_ranged(table: &str) -> bool {
    let of_rows = [ROWS.name, VALIDATION_ERRORS.name];
    let of_tokens =
        [TOKENS.name, TOKEN_PARENTS.name, NODE_STATES.name, SINK_STATES.name, STATE_CONTEXTS.name];
    let of_states = [ROUTING_EVENTS.name, CALLS.name, TRANSFORM_ERRORS.name, TOKEN_OUTCOMES.name];
    let of_batches = [BATCHES.name, BATCH_OUTPUTS.name, MEMBERS.name];
    of_rows.contains(&table)
        || of_tokens.contains(&table)
        || of_states.contains(&table)
        || of_batches.contains(&table)
}

/// How the records of a table are read.
pub(crate) struct Table<R: 'static> {
    pub(crate) name: &'static str,
    /// How many of the columns are the key.
    pub(crate) key: usize,
    pub(crate) sql: &'static str,
    pub(crate) read: fn(&Cells<'_>) -> Read<R>,
}

pub(crate) static ROWS: Ranged<RowRecord> = Ranged {
    name: "rows",
    key: 1,
    columns: &["row_index", "source_data_hash", "read_us", "valid"],
    read: |cells| {
        Ok(RowRecord {
            row_index: cells.row_index(0)?,
            source_data_hash: cells.hash(1)?,
            read_us: cells.int(2)?,
            valid: cells.flag(3)?,
        })
    },
};

pub(crate) static VALIDATION_ERRORS: Ranged<ValidationErrorRecord> = Ranged {
    name: "validation_errors",
    key: 1,
    columns: &["row_index", "destination", "reason"],
    read: |cells| {
        Ok(ValidationErrorRecord {
            row_index: cells.row_index(0)?,
            destination: cells.maybe_step(1)?,
            reason: cells.reason(2)?,
        })
    },
};

pub(crate) static TOKENS: Ranged<TokenRecord> = Ranged {
    name: "tokens",
    key: 1,
    columns: &["token", "branch", "group_no"],
    read: |cells| {
        Ok(TokenRecord {
            token: cells.token(0)?,
            branch: cells.maybe_text(1)?.map(Into::into),
            group: cells.maybe_token(2)?,
        })
    },
};

pub(crate) static TOKEN_PARENTS: Ranged<TokenParentRecord> = Ranged {
    name: "token_parents",
    key: 2,
    columns: &["token", "ordinal", "parent"],
    read: |cells| {
        Ok(TokenParentRecord { token: cells.token(0)?, ordinal: cells.number(1)?, parent: cells.token(2)? })
    },
};

/// Columns of both tables of states.
const STATE: &[&str] = &[
    "token",
    "step",
    "attempt",
    "status",
    "input_hash",
    "output_hash",
    "started_us",
    "duration_us",
    "waited_us",
];

pub(crate) static NODE_STATES: Ranged<NodeStateRecord> =
    Ranged { name: "node_states", key: 3, columns: STATE, read: state };

pub(crate) static SINK_STATES: Ranged<NodeStateRecord> =
    Ranged { name: "sink_states", key: 3, columns: STATE, read: state };

fn state(cells: &Cells<'_>) -> Read<NodeStateRecord> {
    Ok(NodeStateRecord {
        token: cells.token(0)?,
        step: cells.step(1)?,
        attempt: cells.number(2)?,
        status: cells.code(3, NodeStateStatus::from_code)?,
        input_hash: cells.maybe_hash(4)?,
        output_hash: cells.maybe_hash(5)?,
        started_us: cells.int(6)?,
        duration_us: cells.int(7)?,
        waited_us: cells.int(8)?,
    })
}

pub(crate) static STATE_CONTEXTS: Ranged<StateContextRecord> = Ranged {
    name: "state_contexts",
    key: 3,
    columns: &["token", "step", "attempt", "context"],
    read: |cells| {
        Ok(StateContextRecord {
            token: cells.token(0)?,
            step: cells.step(1)?,
            attempt: cells.number(2)?,
            context: cells.text(3)?,
        })
    },
};

pub(crate) static ROUTING_EVENTS: Ranged<RoutingEventRecord> = Ranged {
    name: "routing_events",
    key: 4,
    columns: &["token", "step", "attempt", "ordinal", "edge", "reason"],
    read: |cells| {
        Ok(RoutingEventRecord {
            token: cells.token(0)?,
            step: cells.step(1)?,
            attempt: cells.number(2)?,
            ordinal: cells.number(3)?,
            edge: cells.edge(4)?,
            reason: cells.maybe_text(5)?,
        })
    },
};

pub(crate) static CALLS: Ranged<CallRecord> = Ranged {
    name: "calls",
    key: 4,
    columns: &[
        "token",
        "step",
        "attempt",
        "call_index",
        "call_no",
        "call_type",
        "status",
        "request_hash",
        "response_hash",
        "error",
        "latency_us",
    ],
    read: |cells| {
        Ok(CallRecord {
            token: cells.token(0)?,
            step: cells.step(1)?,
            attempt: cells.number(2)?,
            call_index: cells.number(3)?,
            call_no: cells.unsigned(4)?,
            call_type: cells.code(5, CallType::from_code)?,
            status: cells.code(6, CallStatus::from_code)?,
            request_hash: cells.hash(7)?,
            response_hash: cells.maybe_hash(8)?,
            error: cells.maybe_reason(9)?,
            latency_us: cells.int(10)?,
        })
    },
};

pub(crate) static TRANSFORM_ERRORS: Ranged<TransformErrorRecord> = Ranged {
    name: "transform_errors",
    key: 3,
    columns: &["token", "step", "attempt", "destination", "reason"],
    read: |cells| {
        Ok(TransformErrorRecord {
            token: cells.token(0)?,
            step: cells.step(1)?,
            attempt: cells.number(2)?,
            destination: cells.maybe_step(3)?,
            reason: cells.reason(4)?,
        })
    },
};

pub(crate) static TOKEN_OUTCOMES: Ranged<TokenOutcomeRecord> = Ranged {
    name: "token_outcomes",
    key: 2,
    columns: &["token", "terminal", "outcome", "sink", "group_no", "batch_no", "error_step", "error_attempt"],
    read: outcome,
};

/// Of branches whose merge across rows failed (outcome 8 is `failed`).
pub(crate) const FAILED_MERGES: Table<TokenOutcomeRecord> = Table {
    name: "token_outcomes",
    key: 2,
    sql: "SELECT token, terminal, outcome, sink, group_no, batch_no, error_step, error_attempt FROM token_outcomes
        WHERE run_no = ?1 AND outcome = 8 AND batch_no IS NOT NULL ORDER BY token, terminal",
    read: outcome,
};

fn outcome(cells: &Cells<'_>) -> Read<TokenOutcomeRecord> {
    let outcome = cells.code(2, Outcome::from_code)?;
    if cells.flag(1)? != outcome.is_terminal() {
        return Err(cells.corrupt(format!("`terminal` contradicts the outcome `{outcome}`")));
    }
    let error_at = match (cells.maybe_step(6)?, cells.maybe_number(7)?) {
        (Some(step), Some(attempt)) => Some((step, attempt)),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => {
            return Err(cells.corrupt("`error_step` and `error_attempt` belong together"));
        }
    };
    Ok(TokenOutcomeRecord {
        token: cells.token(0)?,
        outcome,
        sink: cells.maybe_step(3)?,
        group: cells.maybe_token(4)?,
        batch_no: cells.maybe_release(5)?,
        error_at,
    })
}

pub(crate) static BATCHES: Ranged<BatchRecord> = Ranged {
    name: "batches",
    key: 2,
    columns: &["batch_no", "attempt", "step", "status", "trigger_type", "reason"],
    read: |cells| {
        Ok(BatchRecord {
            batch_no: cells.unsigned(0)?,
            attempt: cells.number(1)?,
            step: cells.step(2)?,
            status: cells.code(3, BatchStatus::from_code)?,
            trigger: cells.maybe_code(4, TriggerType::from_code)?,
            reason: cells.maybe_text(5)?,
        })
    },
};

pub(crate) static BATCH_OUTPUTS: Ranged<BatchOutputRecord> = Ranged {
    name: "batch_outputs",
    key: 2,
    columns: &["batch_no", "ordinal", "token"],
    read: |cells| {
        Ok(BatchOutputRecord {
            batch_no: cells.unsigned(0)?,
            ordinal: cells.number(1)?,
            token: cells.token(2)?,
        })
    },
};

pub(crate) static MEMBERS: Ranged<BatchMemberRecord> =
    Ranged { name: "batch_members", key: 2, columns: &["batch_no", "ordinal", "token"], read: member };

fn member(cells: &Cells<'_>) -> Read<BatchMemberRecord> {
    Ok(BatchMemberRecord { batch_no: cells.unsigned(0)?, ordinal: cells.number(1)?, token: cells.token(2)? })
}

pub(crate) const RELEASES: Table<ReleaseRecord> = Table {
    name: "releases",
    key: 1,
    sql: "SELECT number, step, epoch, row_index, after FROM releases WHERE run_no = ?1 ORDER BY number",
    read: |cells| {
        Ok(ReleaseRecord {
            number: cells.unsigned(0)?,
            step: cells.step(1)?,
            epoch: cells.epoch(2)?,
            row: cells.row_index(3)?,
            after: cells.flag(4)?,
        })
    },
};

pub(crate) const EPOCHS: Table<EpochRecord> = Table {
    name: "epochs",
    key: 1,
    sql: "SELECT epoch, first_row, last_row, row_count, record_count, started_at, decided_at, acted_at, chain_hash,
        acted_chain, content_root, continuation, positions FROM epochs WHERE run_no = ?1 ORDER BY epoch",
    read: |cells| {
        let rows = match (cells.maybe_row_index(1)?, cells.maybe_row_index(2)?) {
            (Some(first), Some(last)) => Some((first, last)),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                return Err(cells.corrupt("`first_row` and `last_row` belong together"));
            }
        };
        Ok(EpochRecord {
            epoch: cells.epoch(0)?,
            rows,
            row_count: cells.unsigned(3)?,
            record_count: cells.unsigned(4)?,
            started_at: cells.time(5)?,
            decided_at: cells.time(6)?,
            acted_at: cells.maybe_time(7)?,
            chain_hash: cells.hash(8)?,
            acted_chain: cells.maybe_hash(9)?,
            content_root: cells.hash(10)?,
            continuation: cells.hash(11)?,
            positions: cells.bytes(12)?,
        })
    },
};

pub(crate) const OPERATIONS: Table<Effect<OperationRecord>> = Table {
    name: "operations",
    key: 3,
    sql: "SELECT epoch, step, ordinal, published, kind, status, attempts, started_us, duration_us, error FROM operations
        WHERE run_no = ?1 AND epoch = ?2 ORDER BY step, ordinal",
    read: |cells| {
        let record = OperationRecord {
            epoch: cells.epoch(0)?,
            step: cells.step(1)?,
            kind: cells.code(4, OperationKind::from_code)?,
            status: cells.code(5, OperationStatus::from_code)?,
            attempts: cells.number(6)?,
            started_us: cells.int(7)?,
            duration_us: cells.int(8)?,
            error: cells.maybe_reason(9)?,
        };
        Ok(Effect { ordinal: cells.unsigned(2)?, published: cells.flag(3)?, record })
    },
};

pub(crate) const ARTIFACTS: Table<Effect<ArtifactRecord>> = Table {
    name: "artifacts",
    key: 3,
    sql: "SELECT epoch, step, ordinal, published, artifact_type, path, content_hash, size_bytes, row_count,
        idempotency_key FROM artifacts WHERE run_no = ?1 AND epoch = ?2 ORDER BY step, ordinal",
    read: |cells| {
        let record = ArtifactRecord {
            epoch: cells.epoch(0)?,
            step: cells.step(1)?,
            artifact_type: cells.text(4)?,
            path: cells.text(5)?,
            content_hash: cells.hash(6)?,
            size_bytes: cells.unsigned(7)?,
            rows: cells.unsigned(8)?,
            idempotency_key: cells.text(9)?,
        };
        Ok(Effect { ordinal: cells.unsigned(2)?, published: cells.flag(3)?, record })
    },
};
