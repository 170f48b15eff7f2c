//! Records to write.

use elspeth_canonical::{ContentHash, HashVersion};
use elspeth_contracts::{
    ArtifactRecord, CallRecord, CallStatus, CallType, Determinism, EdgeMode, EdgeNo, EdgeRecord, EpochNo,
    ErrorReason, FailureKind, Grade, Micros, NodeId, NodeRecord, NodeStateRecord, NodeStateStatus, NodeType,
    OperationKind, OperationRecord, OperationStatus, Outcome, RoutingEventRecord, RowIndex, RowRecord, RunId,
    RunStatus, StateContextRecord, Step, TokenKey, TokenOutcomeRecord, TokenParentRecord, TokenRecord,
    TransformErrorRecord, ValidationErrorRecord,
};
use elspeth_landscape::integrity::{Continuing, EpochHashes};
use elspeth_landscape::registry::{Entry, Sealed};
use elspeth_landscape::{
    ActedEpoch, DecidedEpoch, RunSeal, RunStart, SinkIntent, SinkProgress, SourceRecord,
};

pub(crate) const TRANSFORM: u16 = 1;
pub(crate) const GATE: u16 = 2;
pub(crate) const APPROVED: u16 = 3;
pub(crate) const REFUSED: u16 = 4;

/// Edges of the sample graph.
pub(crate) const TO_APPROVED: EdgeNo = EdgeNo(2);
pub(crate) const TO_REFUSED: EdgeNo = EdgeNo(3);

pub(crate) fn step(number: u16) -> Step {
    Step::new(number).unwrap()
}

pub(crate) fn row(index: u64) -> RowIndex {
    RowIndex::new(index).unwrap()
}

/// The first token of a row.
pub(crate) fn token(index: u64) -> TokenKey {
    child(index, 0)
}

pub(crate) fn child(index: u64, ordinal: u32) -> TokenKey {
    TokenKey::of_row(row(index), ordinal).unwrap()
}

pub(crate) fn hash(seed: u8) -> ContentHash {
    ContentHash::from_bytes([seed; 32])
}

pub(crate) fn run_id(last: char) -> RunId {
    format!("01JZ8Q4Z8N5X2V7K3M9T0B6C1{last}").parse().unwrap()
}

pub(crate) fn start(id: RunId, at: i64) -> RunStart {
    RunStart {
        run_id: id,
        started_at: Micros(at),
        settings: "{\"source\":{}}".to_owned(),
        settings_path: "pipelines/grants.yaml".to_owned(),
        config_hash: hash(1),
        hash_version: HashVersion::Sha256V1,
        topology_hash: hash(2),
        grade: Grade::ReplayReproducible,
        engine_version: "0.1.0".to_owned(),
        owner: "host:1:abc".to_owned(),
        nodes: nodes(),
        edges: edges(),
        source: source("opened"),
    }
}

pub(crate) fn source(word: &str) -> SourceRecord {
    SourceRecord {
        identity: format!("{{\"path\":\"{word}\"}}"),
        field_resolution: "{\"Name\":\"name\"}".to_owned(),
        contract: "{\"mode\":\"observed\"}".to_owned(),
    }
}

pub(crate) fn nodes() -> Vec<NodeRecord> {
    let kinds = [
        ("grants", NodeType::Source),
        ("clean", NodeType::Transform),
        ("score", NodeType::Gate),
        ("approved", NodeType::Sink),
        ("refused", NodeType::Sink),
        ("totals", NodeType::Aggregation),
        ("merged", NodeType::Coalesce),
    ];
    (0..)
        .zip(kinds)
        .map(|(number, (name, node_type))| NodeRecord {
            step: step(number),
            node_id: NodeId(format!("{node_type}_{name}_0123456789ab")),
            name: name.to_owned(),
            node_type,
            plugin: "csv".to_owned(),
            plugin_version: "1.2.3".to_owned(),
            determinism: Determinism::ALL[usize::from(number) % Determinism::ALL.len()],
            config: "{\"a\":1}".to_owned(),
            config_hash: hash(3),
            input_schema: "null".to_owned(),
            output_schema: "{\"mode\":\"fixed\"}".to_owned(),
        })
        .collect()
}

pub(crate) fn edges() -> Vec<EdgeRecord> {
    [
        (0, TRANSFORM, "continue", EdgeMode::Move),
        (TRANSFORM, GATE, "continue", EdgeMode::Move),
        (GATE, APPROVED, "high", EdgeMode::Move),
        (GATE, REFUSED, "low", EdgeMode::Copy),
        (TRANSFORM, REFUSED, "__error_clean__", EdgeMode::Divert),
    ]
    .into_iter()
    .zip(0..)
    .map(|((from, to, label, mode), edge)| EdgeRecord {
        edge: EdgeNo(edge),
        from: step(from),
        to: step(to),
        label: label.to_owned(),
        mode,
    })
    .collect()
}

pub(crate) fn state(token: TokenKey, at: u16) -> NodeStateRecord {
    NodeStateRecord {
        token,
        step: step(at),
        attempt: 0,
        status: NodeStateStatus::Completed,
        input_hash: None,
        output_hash: None,
        started_us: 10,
        duration_us: 3,
        waited_us: 0,
    }
}

pub(crate) fn routed(token: TokenKey, edge: EdgeNo) -> RoutingEventRecord {
    RoutingEventRecord { token, step: step(GATE), attempt: 0, ordinal: 0, edge, reason: None }
}

pub(crate) fn valid_row(index: u64) -> RowRecord {
    RowRecord {
        row_index: row(index),
        source_data_hash: hash(u8::try_from(index % 251).unwrap()),
        read_us: index.cast_signed(),
        valid: true,
    }
}

/// An epoch whose rows are all well and go to the sink for approved ones.
pub(crate) fn plain_epoch(number: u64, rows: std::ops::Range<u64>) -> (DecidedEpoch, ActedEpoch) {
    let mut decided = DecidedEpoch {
        epoch: EpochNo(number),
        started: Micros(1_000),
        source_position: format!("{{\"row\":{}}}", rows.end),
        ..DecidedEpoch::default()
    };
    let mut acted = ActedEpoch { epoch: EpochNo(number), ..ActedEpoch::default() };
    for index in rows {
        decided.rows.push(valid_row(index));
        decided.tokens.push(TokenRecord::plain(token(index)));
        decided.states.push(state(token(index), TRANSFORM));
        decided.states.push(state(token(index), GATE));
        decided.routing.push(routed(token(index), TO_APPROVED));
        acted.sink_states.push(state(token(index), APPROVED));
        acted.outcomes.push(TokenOutcomeRecord::at_sink(token(index), Outcome::Routed, step(APPROVED)));
    }
    (decided, acted)
}

/// An epoch in which everything happens: row 0 is forked and its branches end in both sinks, row 1 is refused by the
/// source and goes to a sink, row 2 is tried three times and fails at the transform, row 3 is diverted.
pub(crate) fn eventful_epoch() -> (DecidedEpoch, ActedEpoch) {
    (eventful_decisions(), eventful_acts())
}

fn eventful_decisions() -> DecidedEpoch {
    let mut invalid = valid_row(1);
    invalid.valid = false;
    let failed = |attempt, status| NodeStateRecord { attempt, status, ..state(token(2), TRANSFORM) };
    DecidedEpoch {
        epoch: EpochNo(0),
        started: Micros(1_000),
        rows: vec![valid_row(0), invalid, valid_row(2), valid_row(3)],
        tokens: vec![
            TokenRecord::plain(token(0)),
            branch_of(child(0, 1), token(0), "left"),
            branch_of(child(0, 2), token(0), "right"),
            TokenRecord::plain(token(1)),
            TokenRecord::plain(token(2)),
            TokenRecord::plain(token(3)),
        ],
        token_parents: (1..=2)
            .map(|ordinal| TokenParentRecord { token: child(0, ordinal), parent: token(0), ordinal: 0 })
            .collect(),
        states: vec![
            NodeStateRecord { output_hash: Some(hash(9)), ..state(token(0), TRANSFORM) },
            state(token(0), GATE),
            NodeStateRecord { input_hash: Some(hash(8)), ..state(child(0, 1), GATE) },
            failed(0, NodeStateStatus::Failed),
            failed(1, NodeStateStatus::Failed),
            failed(2, NodeStateStatus::Failed),
            NodeStateRecord { waited_us: 1_250_000, ..state(token(3), TRANSFORM) },
        ],
        contexts: vec![StateContextRecord {
            token: token(0),
            step: step(TRANSFORM),
            attempt: 0,
            context: "{\"success\":\"cleaned\"}".to_owned(),
        }],
        routing: vec![
            routed(token(0), TO_APPROVED),
            RoutingEventRecord { ordinal: 1, ..routed(token(0), TO_REFUSED) },
            RoutingEventRecord {
                step: step(TRANSFORM),
                attempt: 2,
                reason: Some("{\"why\":\"it failed\"}".to_owned()),
                ..routed(token(2), EdgeNo(4))
            },
        ],
        calls: vec![
            call(0, None),
            call(1, Some(ErrorReason::new(FailureKind::TransformError, "no answer").retryable())),
        ],
        validation_errors: vec![ValidationErrorRecord {
            row_index: row(1),
            reason: ErrorReason::new(FailureKind::SchemaViolation, "`amount` is not a number")
                .on_field("amount")
                .at_line(3),
            destination: Some(step(REFUSED)),
        }],
        transform_errors: (0..3)
            .map(|attempt| TransformErrorRecord {
                token: token(2),
                step: step(TRANSFORM),
                attempt,
                reason: ErrorReason::new(FailureKind::TransformError, format!("attempt {attempt}"))
                    .retryable(),
                destination: (attempt == 2).then(|| step(REFUSED)),
            })
            .collect(),
        operations: vec![operation(0, OperationKind::SourceLoad)],
        row_leaves: vec![hash(0); 4],
        bodies: vec![1, 2, 3],
        intents: vec![SinkIntent { sink: step(APPROVED), tokens: vec![child(0, 1), token(3)] }],
        source_position: "{\"row\":4}".to_owned(),
        ..DecidedEpoch::default()
    }
}

fn branch_of(token: TokenKey, parent: TokenKey, branch: &str) -> TokenRecord {
    TokenRecord { token, branch: Some(branch.into()), group: Some(parent) }
}

fn eventful_acts() -> ActedEpoch {
    let at = |token, sink| state(token, sink);
    let outcome = |token, outcome, sink: Option<u16>, error_at| TokenOutcomeRecord {
        token,
        outcome,
        sink: sink.map(step),
        group: (outcome == Outcome::Forked).then_some(token),
        batch_no: None,
        error_at,
    };
    ActedEpoch {
        epoch: EpochNo(0),
        sink_states: vec![
            at(child(0, 1), APPROVED),
            at(child(0, 2), REFUSED),
            at(token(1), REFUSED),
            at(token(2), REFUSED),
            NodeStateRecord { status: NodeStateStatus::Failed, ..at(token(3), APPROVED) },
            NodeStateRecord { waited_us: 7, ..at(token(3), REFUSED) },
        ],
        transform_errors: vec![TransformErrorRecord {
            token: token(3),
            step: step(APPROVED),
            attempt: 0,
            reason: ErrorReason::new(FailureKind::SinkRefused, "too long"),
            destination: Some(step(REFUSED)),
        }],
        routing: vec![RoutingEventRecord { step: step(APPROVED), ..routed(token(3), TO_REFUSED) }],
        outcomes: vec![
            outcome(token(0), Outcome::Forked, None, None),
            outcome(child(0, 1), Outcome::Completed, Some(APPROVED), None),
            outcome(child(0, 2), Outcome::Routed, Some(REFUSED), None),
            outcome(token(1), Outcome::Quarantined, Some(REFUSED), Some((Step::SOURCE, 0))),
            outcome(token(2), Outcome::Routed, Some(REFUSED), Some((step(TRANSFORM), 2))),
            outcome(token(3), Outcome::Diverted, Some(REFUSED), Some((step(APPROVED), 0))),
        ],
        operations: vec![
            operation(APPROVED, OperationKind::SinkWrite),
            operation(REFUSED, OperationKind::SinkWrite),
        ],
        artifacts: vec![artifact(APPROVED, 100), artifact(REFUSED, 200)],
        sinks: vec![SinkProgress { sink: step(APPROVED), position: "{\"offset\":100}".to_owned() }],
    }
}

pub(crate) fn operation(at: u16, kind: OperationKind) -> OperationRecord {
    OperationRecord {
        step: step(at),
        epoch: EpochNo(0),
        kind,
        status: OperationStatus::Completed,
        attempts: 1,
        started_us: 5,
        duration_us: 7,
        error: None,
    }
}

pub(crate) fn artifact(at: u16, size_bytes: u64) -> ArtifactRecord {
    ArtifactRecord {
        step: step(at),
        epoch: EpochNo(0),
        artifact_type: "file".to_owned(),
        path: format!("out/{at}.csv"),
        content_hash: hash(u8::try_from(size_bytes % 251).unwrap()),
        size_bytes,
        rows: 2,
        idempotency_key: format!("run:{at}:0"),
    }
}

pub(crate) fn call(call_index: u16, error: Option<ErrorReason>) -> CallRecord {
    CallRecord {
        call_no: u64::from(call_index) + 100,
        token: token(2),
        step: step(TRANSFORM),
        attempt: 0,
        call_index,
        call_type: CallType::Llm,
        status: if error.is_some() { CallStatus::Error } else { CallStatus::Success },
        request_hash: hash(5),
        response_hash: error.is_none().then(|| hash(6)),
        error,
        latency_us: 1_500,
    }
}

pub(crate) fn hashes(seed: u8) -> EpochHashes {
    let state = format!("{{\"records\":{seed}}}");
    EpochHashes {
        chain: hash(seed),
        acted_chain: hash(seed + 2),
        content: hash(seed + 1),
        state,
        head: None,
        staged: Some(Continuing { all: hash(3), intents: hash(4) }),
        positions: Vec::new(),
    }
}

/// What a seal enters in the registry; of which run does not matter to a store.
pub(crate) fn sealed() -> Entry {
    Entry::Sealed(Sealed {
        run: run_id('A'),
        hash_version: HashVersion::Sha256V1,
        config_hash: hash(1),
        topology_hash: hash(2),
        status: RunStatus::Completed,
        started_at: Micros(1_000_000),
        completed_at: Micros(9_000_000),
        rows: 0,
        records: 0,
        content_root: hash(20),
        record_root: hash(21),
        signed_by: None,
    })
}

pub(crate) fn seal(status: RunStatus) -> RunSeal {
    RunSeal {
        completed_at: Micros(9_000_000),
        status,
        error: (status == RunStatus::Failed)
            .then(|| ErrorReason::new(FailureKind::LimitExceeded, "too much")),
        source: source("read"),
        content_root: Some(hash(20)),
        record_root: Some(hash(21)),
    }
}
