//! Golden vectors, and what must and must not move the hashes.
//!
//! The vectors are worked out by `golden/evidence.py`, which follows `docs/evidence-format.md` and shares no code with this
//! crate; when a vector changes, so must the format's version.

use elspeth_canonical::{ContentHash, HashVersion};
use elspeth_contracts::{
    ArtifactRecord, BatchMemberRecord, BatchOutputRecord, BatchRecord, BatchStatus, CallRecord, CallStatus,
    CallType, Determinism, EdgeMode, EdgeNo, EdgeRecord, EpochNo, ErrorReason, FailureKind, Grade, Micros,
    NodeId, NodeRecord, NodeStateRecord, NodeStateStatus, NodeType, OperationKind, OperationRecord,
    OperationStatus, Outcome, ReleaseRecord, RoutingEventRecord, RowIndex, RowRecord, RunStatus,
    StateContextRecord, Step, TokenKey, TokenOrigin, TokenOutcomeRecord, TokenParentRecord, TokenRecord,
    TransformErrorRecord, TriggerType, ValidationErrorRecord,
};

use super::acted::acted_leaves;
use super::{
    ActedDigest, DecidedDigest, LeafEncoder, Members, Picked, RecorderState, Registered, ReleaseRecords,
};
use crate::{ActedEpoch, DecidedEpoch, RunSeal, RunStart, SourceRecord};

pub(super) const VERSION: HashVersion = HashVersion::Sha256V1;

/// The state after a commit, digests made on the spot.
pub(super) fn after(
    state: &RecorderState,
    acted: Option<&ActedEpoch>,
    staged: Option<&DecidedDigest>,
    now: Micros,
) -> RecorderState {
    let digest = acted.map(|acted| ActedDigest::of(VERSION, acted).unwrap());
    state.after(acted.zip(digest.as_ref()), staged, now)
}

pub(super) fn hash(byte: u8) -> ContentHash {
    ContentHash::from_bytes([byte; 32])
}

pub(super) fn step(step: u16) -> Step {
    Step::new(step).unwrap()
}

pub(super) fn token(row: u64, ordinal: u32) -> TokenKey {
    TokenKey::of_row(RowIndex::new(row).unwrap(), ordinal).unwrap()
}

pub(super) fn state(
    at: (TokenKey, u16, u8),
    status: NodeStateStatus,
    times: (i64, i64, i64),
) -> NodeStateRecord {
    NodeStateRecord {
        token: at.0,
        step: step(at.1),
        attempt: at.2,
        status,
        input_hash: None,
        output_hash: None,
        started_us: times.0,
        duration_us: times.1,
        waited_us: times.2,
    }
}

/// The token that batch 5 gave.
pub(super) fn output() -> TokenKey {
    TokenKey::of_batch(5, 0).unwrap()
}

/// Row 3, which a transform changed after one retry and a gate forked, in an epoch of its own. Batch 5 took its second
/// token and gave another one, the second time it was tried.
pub(super) fn decided() -> DecidedEpoch {
    let (first, second) = (token(3, 0), token(3, 1));
    let row_index = RowIndex::new(3).unwrap();
    let busy = ErrorReason::new(FailureKind::TransformError, "busy").retryable();
    let done = NodeStateRecord {
        input_hash: Some(hash(0x22)),
        output_hash: Some(hash(0x33)),
        ..state((first, 1, 1), NodeStateStatus::Completed, (6, 7, 15))
    };
    let mut epoch = DecidedEpoch {
        epoch: EpochNo(0),
        started: Micros(1_000_100),
        rows: vec![RowRecord { row_index, source_data_hash: hash(0x11), read_us: 5, valid: true }],
        tokens: vec![
            TokenRecord::plain(first),
            TokenRecord { token: second, branch: Some("left".into()), group: Some(token(0, 9)) },
            TokenRecord::plain(output()),
        ],
        token_parents: vec![TokenParentRecord { token: second, parent: first, ordinal: 0 }],
        states: vec![state((first, 1, 0), NodeStateStatus::Failed, (6, 7, 15)), done],
        contexts: vec![StateContextRecord {
            token: first,
            step: step(1),
            attempt: 1,
            context: r#"{"policy":"union"}"#.to_owned(),
        }],
        routing: vec![RoutingEventRecord {
            token: first,
            step: step(2),
            attempt: 0,
            ordinal: 1,
            edge: EdgeNo(5),
            reason: Some(r#"{"why":"ä"}"#.to_owned()),
        }],
        calls: vec![CallRecord {
            call_no: 7,
            token: first,
            step: step(1),
            attempt: 1,
            call_index: 0,
            call_type: CallType::Http,
            status: CallStatus::Error,
            request_hash: hash(0x44),
            response_hash: None,
            error: Some(ErrorReason::new(FailureKind::TransformError, "no answer").retryable()),
            latency_us: 8,
        }],
        validation_errors: vec![ValidationErrorRecord {
            row_index,
            reason: ErrorReason::new(FailureKind::SchemaViolation, "score is missing")
                .on_field("score")
                .at_line(12),
            destination: Some(step(4)),
        }],
        transform_errors: vec![TransformErrorRecord {
            token: first,
            step: step(1),
            attempt: 0,
            reason: busy,
            destination: None,
        }],
        batches: vec![
            batch(0, BatchStatus::Failed, Some("no answer")),
            batch(1, BatchStatus::Completed, None),
        ],
        batch_members: vec![BatchMemberRecord { batch_no: 5, ordinal: 0, token: second }],
        batch_outputs: vec![BatchOutputRecord { batch_no: 5, ordinal: 0, token: output() }],
        releases: vec![ReleaseRecord {
            number: 5,
            step: step(2),
            epoch: EpochNo(0),
            row: row_index,
            after: true,
        }],
        operations: vec![operation(0, OperationKind::SourceLoad, 1, (9, 10))],
        buffers: r#"{"open":[]}"#.to_owned(),
        ..DecidedEpoch::default()
    };
    epoch.row_leaves = vec![decided_leaf(&epoch)];
    epoch.release_leaves = vec![release_leaf(&epoch)];
    epoch
}

fn batch(attempt: u8, status: BatchStatus, reason: Option<&str>) -> BatchRecord {
    BatchRecord {
        batch_no: 5,
        step: step(2),
        attempt,
        status,
        trigger: Some(TriggerType::Condition),
        reason: reason.map(str::to_owned),
    }
}

fn operation(at: u16, kind: OperationKind, attempts: u32, times: (i64, i64)) -> OperationRecord {
    OperationRecord {
        step: step(at),
        epoch: EpochNo(0),
        kind,
        status: OperationStatus::Completed,
        attempts,
        started_us: times.0,
        duration_us: times.1,
        error: None,
    }
}

pub(super) fn decided_leaf(epoch: &DecidedEpoch) -> ContentHash {
    let mut leaf = LeafEncoder::new(VERSION);
    epoch.rows.iter().for_each(|r| leaf.row(r));
    tokens_of(epoch, false).for_each(|r| leaf.token(r));
    epoch.token_parents.iter().for_each(|r| leaf.parent(r));
    epoch.states.iter().for_each(|r| leaf.state(r));
    epoch.contexts.iter().for_each(|r| leaf.context(r));
    epoch.routing.iter().for_each(|r| leaf.routing(r));
    epoch.calls.iter().for_each(|r| leaf.call(r));
    epoch.validation_errors.iter().for_each(|r| leaf.validation_error(r));
    epoch.transform_errors.iter().for_each(|r| leaf.transform_error(r));
    leaf.finish()
}

pub(super) fn release_leaf(epoch: &DecidedEpoch) -> ContentHash {
    let records = ReleaseRecords {
        batches: &epoch.batches,
        members: Members::Recorded(&epoch.batch_members),
        outputs: Picked::All(&epoch.batch_outputs),
        tokens: Picked::Some(tokens_of(epoch, true).collect()),
        parents: Picked::default(),
        states: Picked::default(),
        contexts: Picked::default(),
        routing: Picked::default(),
        calls: Picked::default(),
        errors: Picked::default(),
    };
    records.leaf(VERSION)
}

fn tokens_of(epoch: &DecidedEpoch, batches: bool) -> impl Iterator<Item = &TokenRecord> {
    epoch.tokens.iter().filter(move |r| matches!(r.token.origin(), TokenOrigin::Batch(_)) == batches)
}

/// The row is refused by sink 3 and taken by its failsink 4.
pub(super) fn acted() -> ActedEpoch {
    let token = token(3, 0);
    ActedEpoch {
        epoch: EpochNo(0),
        sink_states: vec![
            state((token, 3, 0), NodeStateStatus::Failed, (11, 12, 0)),
            state((token, 4, 0), NodeStateStatus::Completed, (11, 12, 0)),
        ],
        transform_errors: vec![TransformErrorRecord {
            token,
            step: step(3),
            attempt: 0,
            reason: ErrorReason::new(FailureKind::SinkRefused, "too long"),
            destination: Some(step(4)),
        }],
        routing: vec![RoutingEventRecord {
            token,
            step: step(3),
            attempt: 0,
            ordinal: 0,
            edge: EdgeNo(6),
            reason: None,
        }],
        outcomes: vec![TokenOutcomeRecord {
            error_at: Some((step(3), 0)),
            ..TokenOutcomeRecord::at_sink(token, Outcome::Diverted, step(4))
        }],
        operations: vec![operation(4, OperationKind::SinkWrite, 2, (13, 14))],
        artifacts: vec![artifact(1)],
        sinks: Vec::new(),
    }
}

pub(super) fn artifact(rows: u64) -> ArtifactRecord {
    ArtifactRecord {
        step: step(4),
        epoch: EpochNo(0),
        artifact_type: "file".to_owned(),
        path: "out.csv".to_owned(),
        content_hash: hash(0x88),
        size_bytes: 100,
        rows,
        idempotency_key: "run:out:0".to_owned(),
    }
}

pub(super) fn published() -> ActedEpoch {
    ActedEpoch { epoch: EpochNo(0), artifacts: vec![artifact(2)], ..ActedEpoch::default() }
}

pub(super) fn start() -> RunStart {
    RunStart {
        run_id: "01JZ8Q4Z8N5X2V7K3M9T0B6C1D".parse().unwrap(),
        started_at: Micros(1_000_000),
        settings: "{}".to_owned(),
        settings_path: "a.yaml".to_owned(),
        config_hash: hash(0x66),
        hash_version: VERSION,
        topology_hash: hash(0x77),
        grade: Grade::FullReproducible,
        engine_version: "0.1.0".to_owned(),
        owner: "host:1:x".to_owned(),
        nodes: vec![NodeRecord {
            step: step(0),
            node_id: NodeId("source_in_000000000000".to_owned()),
            name: "in".to_owned(),
            node_type: NodeType::Source,
            plugin: "csv".to_owned(),
            plugin_version: "1.0.0".to_owned(),
            determinism: Determinism::IoRead,
            config: "{}".to_owned(),
            config_hash: hash(0x55),
            input_schema: "null".to_owned(),
            output_schema: "{}".to_owned(),
        }],
        edges: vec![EdgeRecord {
            edge: EdgeNo(0),
            from: step(0),
            to: step(1),
            label: "continue".to_owned(),
            mode: EdgeMode::Move,
        }],
        source: SourceRecord::default(),
    }
}

pub(super) fn seal() -> RunSeal {
    let source = SourceRecord {
        identity: "{}".to_owned(),
        field_resolution: "[]".to_owned(),
        contract: "{}".to_owned(),
    };
    RunSeal {
        completed_at: Micros(1_000_400),
        status: RunStatus::Completed,
        error: None,
        source,
        content_root: None,
        record_root: None,
    }
}

/// Both of them.
pub(super) fn chain(state: &RecorderState) -> String {
    let hashes = state.hashes();
    format!("{} {}", hashes.chain, hashes.acted_chain)
}

#[test]
fn leaves_have_their_golden_hashes() {
    assert_eq!(
        decided_leaf(&decided()).to_string(),
        "ac29b0926fa42600364a92b13f272ecbdeb4535abfdaf23eaf52f60baea9f293"
    );
    assert_eq!(
        release_leaf(&decided()).to_string(),
        "63ee2743c9a1284964ff08ee3cda3a276df24f1dd6dfe67c6d74a348fb10a8cf"
    );
    let leaves = acted_leaves(VERSION, &acted()).unwrap();
    assert_eq!(leaves.len(), 1);
    assert_eq!(leaves[0].to_string(), "2007532b29cb4a34ffd121ae3153db66dcaac52970fa43c3203ab494e756f2be");
}

#[test]
fn chain_and_roots_have_their_golden_hashes() {
    let begun = RecorderState::new(&Registered::of_start(&start()));
    let start = "bf1eb5cc6bce881fcca8f8c18bfcc6247dd6cf15b1ededa4e2b971b19f8945a3";
    assert_eq!(chain(&begun), format!("{start} {start}"));
    let staged = DecidedDigest::of(VERSION, &decided());
    let decided = after(&begun, None, Some(&staged), Micros(1_000_200));
    let decisions = "338716c310faa627281186c582a7a507b70d75839607caeaf2a3baf19d412b63";
    assert_eq!(chain(&decided), format!("{decisions} {start}"));
    let acted = after(&decided, Some(&acted()), None, Micros(1_000_300));
    let acts = "7cf50efd3a978a71c04c2bc8341e164fbb13d269f01432a496ebd47820d6fb37";
    assert_eq!(chain(&acted), format!("{decisions} {acts}"));
    let ended = after(&acted, Some(&published()), None, Micros(1_000_350));
    let acts = "cadd8246c2cc9346fab2d3b8f1a9716befb1fc9ae1b0f30991402b23ae73e6aa";
    assert_eq!(chain(&ended), format!("{decisions} {acts}"));

    let content_root = ended.content_root(hash(0x77), &seal());
    assert_eq!(content_root.to_string(), "33600cc8f33721c02b7c89c7e8f0ff2512b7852894b88b2272006e1b1110d315");
    let record_root = ended.record_root(&seal(), content_root);
    assert_eq!(record_root.to_string(), "25f545f4ee1fac267c28d2c6dbab01af07a067f84dab33088f1c80d40e2bf6d3");
    assert_eq!(ended.records(), 18 + 7 + 1);
}
