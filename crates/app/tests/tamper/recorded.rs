//! A run that is recorded by hand: no plugin asks a service yet, but the record has a place for what it would ask.

use elspeth_canonical::{HashVersion, hash_of};
use elspeth_contracts::{
    ArtifactRecord, CallRecord, CallStatus, CallType, Determinism, EdgeMode, EdgeNo, EdgeRecord, EpochNo,
    ErrorReason, FailureKind, Grade, IdSource, Micros, NodeId, NodeRecord, NodeStateRecord, NodeStateStatus,
    NodeType, OperationKind, OperationRecord, OperationStatus, Outcome, RandomIds, RowIndex, RowRecord,
    RunStatus, Step, TokenKey, TokenOutcomeRecord, TokenRecord,
};
use elspeth_landscape::integrity::LeafEncoder;
use elspeth_landscape::{ActedEpoch, DecidedEpoch, Recorder, RunSeal, RunStart, SinkProgress, SourceRecord};
use elspeth_landscape_sql::Landscape;
use elspeth_payload::{BlockBuilder, BodyFragment, BodyKey};
use elspeth_value::{Row, Value};

const VERSION: HashVersion = HashVersion::Sha256V1;
const START: i64 = 1_700_000_000_000_000;

/// Records a run of two rows, each of which asked a service.
pub(crate) fn run_with_calls(database: &str) {
    run(database, None);
}

/// The same, by a clock that is years behind, of a run that wrote that text into a file.
pub(crate) fn run_that_published(database: &str, path: &str, text: &str) {
    let file = ArtifactRecord {
        step: step(2),
        epoch: EpochNo(0),
        artifact_type: "file".to_owned(),
        path: path.to_owned(),
        content_hash: VERSION.hash(text.as_bytes()),
        size_bytes: text.len() as u64,
        rows: 2,
        idempotency_key: "by hand".to_owned(),
    };
    let publication = ActedEpoch {
        operations: vec![operation(2, OperationKind::SinkWrite)],
        artifacts: vec![file],
        ..ActedEpoch::default()
    };
    run(database, Some(&publication));
}

fn run(database: &str, publication: Option<&ActedEpoch>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let writer = Landscape::at(database).unwrap().writer().await.unwrap();
        let mut recorder = Recorder::begin(writer, &start()).await.unwrap();
        recorder.stage(&decided()).await.unwrap();
        recorder.commit(None, Micros(START + 10)).await.unwrap();
        recorder.commit(Some(&acted()), Micros(START + 20)).await.unwrap();
        if publication.is_some() {
            recorder.commit(publication, Micros(START + 25)).await.unwrap();
        }
        recorder.seal(seal()).await.unwrap();
    });
}

fn step(number: u16) -> Step {
    Step::new(number).unwrap()
}

fn token(row: u64) -> TokenKey {
    TokenKey::of_row(RowIndex::new(row).unwrap(), 0).unwrap()
}

fn start() -> RunStart {
    let (nodes, edges) = (nodes(), edges());
    let id = |step: Step| nodes[step.index()].node_id.0.clone();
    let of_nodes = nodes.iter().map(|n| {
        serde_json::json!({"id": n.node_id.0, "plugin": n.plugin, "config_hash": n.config_hash.to_string()})
    });
    let of_edges = edges.iter().map(|e| {
        serde_json::json!({"from": id(e.from), "to": id(e.to), "label": e.label, "mode": e.mode.as_str()})
    });
    let topology =
        serde_json::json!({"nodes": of_nodes.collect::<Vec<_>>(), "edges": of_edges.collect::<Vec<_>>()});
    RunStart {
        run_id: RandomIds.next_run_id(),
        started_at: Micros(START),
        settings: "{\"by\":\"hand\"}".to_owned(),
        settings_path: "by hand".to_owned(),
        config_hash: VERSION.hash(b"{\"by\":\"hand\"}"),
        hash_version: VERSION,
        topology_hash: hash_of(VERSION, &topology).unwrap(),
        grade: Grade::FullReproducible,
        engine_version: "0.1.0".to_owned(),
        owner: "somebody".to_owned(),
        nodes,
        edges,
        source: SourceRecord::default(),
    }
}

fn nodes() -> Vec<NodeRecord> {
    let kinds = [("source", NodeType::Source), ("ask", NodeType::Transform), ("out", NodeType::Sink)];
    let node = |(at, (name, node_type)): (u16, (&str, NodeType))| NodeRecord {
        step: step(at),
        node_id: NodeId(format!("{node_type}_{name}")),
        name: name.to_owned(),
        node_type,
        plugin: name.to_owned(),
        plugin_version: "1.0.0".to_owned(),
        determinism: Determinism::ExternalCall,
        config: "{}".to_owned(),
        config_hash: VERSION.hash(b"{}"),
        input_schema: "null".to_owned(),
        output_schema: "null".to_owned(),
    };
    (0..).zip(kinds).map(node).collect()
}

fn edges() -> Vec<EdgeRecord> {
    let edge = |(edge, label): (u16, &str)| EdgeRecord {
        edge: EdgeNo(edge),
        from: step(edge),
        to: step(edge + 1),
        label: label.to_owned(),
        mode: EdgeMode::Move,
    };
    [(0, "continue"), (1, "on_success")].map(edge).to_vec()
}

fn state(row: u64, at: u16) -> NodeStateRecord {
    NodeStateRecord {
        token: token(row),
        step: step(at),
        attempt: 0,
        status: NodeStateStatus::Completed,
        input_hash: None,
        output_hash: None,
        started_us: 3,
        duration_us: 2,
        waited_us: 1,
    }
}

fn call(row: u64) -> CallRecord {
    let failed = row == 1;
    CallRecord {
        call_no: row,
        token: token(row),
        step: step(1),
        attempt: 0,
        call_index: 0,
        call_type: CallType::Llm,
        status: if failed { CallStatus::Error } else { CallStatus::Success },
        request_hash: VERSION.hash(b"a request"),
        response_hash: (!failed).then(|| VERSION.hash(b"a response")),
        error: failed.then(|| ErrorReason::new(FailureKind::TransformError, "no answer")),
        latency_us: 17,
    }
}

fn operation(at: u16, kind: OperationKind) -> OperationRecord {
    OperationRecord {
        step: step(at),
        epoch: EpochNo(0),
        kind,
        status: OperationStatus::Completed,
        attempts: 1,
        started_us: 0,
        duration_us: 1,
        error: None,
    }
}

fn decided() -> DecidedEpoch {
    let mut epoch = DecidedEpoch {
        started: Micros(START + 1),
        operations: vec![operation(0, OperationKind::SourceLoad)],
        source_position: "2".to_owned(),
        ..DecidedEpoch::default()
    };
    let (mut leaf, mut bodies) = (LeafEncoder::new(VERSION), BodyFragment::default());
    for number in 0..2 {
        let row = Row::from_pairs([("n".into(), Value::Int(i64::try_from(number).unwrap()))]);
        let record = RowRecord {
            row_index: RowIndex::new(number).unwrap(),
            source_data_hash: row.content_hash(VERSION, &mut Vec::new()).unwrap(),
            read_us: 1,
            valid: true,
        };
        leaf.row(&record);
        leaf.token(&TokenRecord::plain(token(number)));
        leaf.state(&state(number, 1));
        leaf.call(&call(number));
        epoch.row_leaves.push(leaf.finish());
        bodies.push_row(BodyKey { token: token(number), step: Step::SOURCE }, &row);
        epoch.rows.push(record);
        epoch.tokens.push(TokenRecord::plain(token(number)));
        epoch.states.push(state(number, 1));
        epoch.calls.push(call(number));
    }
    let mut block = BlockBuilder::default();
    block.add(bodies);
    epoch.bodies = block.finish();
    epoch
}

fn acted() -> ActedEpoch {
    ActedEpoch {
        sink_states: (0..2).map(|row| state(row, 2)).collect(),
        outcomes: (0..2)
            .map(|row| TokenOutcomeRecord::at_sink(token(row), Outcome::Completed, step(2)))
            .collect(),
        operations: vec![operation(2, OperationKind::SinkWrite)],
        sinks: vec![SinkProgress { sink: step(2), position: "2".to_owned() }],
        ..ActedEpoch::default()
    }
}

fn seal() -> RunSeal {
    RunSeal {
        completed_at: Micros(START + 30),
        status: RunStatus::Completed,
        error: None,
        source: SourceRecord {
            identity: "{\"location\":\"nowhere\"}".to_owned(),
            field_resolution: "{}".to_owned(),
            contract: "{\"mode\":\"observed\"}".to_owned(),
        },
        content_root: None,
        record_root: None,
    }
}
