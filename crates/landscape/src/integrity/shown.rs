//! Receipts show the records of leaves as JSON, by a table of `elspeth-proof`. Here it is compared with the records
//! themselves: every kind, every field, every code.

use elspeth_canonical::ContentHash;
use elspeth_contracts::{
    ArtifactRecord, BatchMemberRecord, BatchOutputRecord, BatchRecord, BatchStatus, CallRecord, CallStatus,
    CallType, Determinism, EdgeMode, EdgeNo, EdgeRecord, EpochNo, ErrorReason, FailureKind, NodeId,
    NodeRecord, NodeStateRecord, NodeStateStatus, NodeType, OperationKind, OperationRecord, OperationStatus,
    Outcome, ReleaseNo, ReleaseRecord, RoutingEventRecord, RowIndex, RowRecord, StateContextRecord, Step,
    TokenKey, TokenOutcomeRecord, TokenParentRecord, TokenRecord, TransformErrorRecord, TriggerType,
    ValidationErrorRecord,
};
use elspeth_proof::{Form, Kind};
use proptest::prelude::*;

use super::encode::{Encoder, Record};

fn bytes_of<R: Record>(record: &R) -> Vec<u8> {
    let mut out = Encoder::default();
    out.content(record);
    out.bytes().to_vec()
}

/// The JSON by the table, after the way to the record and back, which must give the same bytes.
fn shown<R: Record>(record: &R) -> String {
    let bytes = bytes_of(record);
    let [read] = &elspeth_proof::Record::read_all(&bytes).unwrap()[..] else {
        panic!("one record was written")
    };
    let json = read.to_json();
    assert_eq!(elspeth_proof::Record::from_json(&json).unwrap().to_bytes(), bytes);
    assert_eq!(read.kind().tag(), R::TAG);
    json.to_text()
}

fn hash(byte: u8) -> ContentHash {
    ContentHash::from_bytes([byte; 32])
}

fn hex(byte: u8) -> String {
    hash(byte).to_string()
}

fn row(index: u64) -> RowIndex {
    RowIndex::new(index).unwrap()
}

fn step(step: u16) -> Step {
    Step::new(step).unwrap()
}

fn token() -> TokenKey {
    TokenKey::of_row(row(3), 1).unwrap()
}

fn released() -> TokenKey {
    TokenKey::of_batch(5, 2).unwrap()
}

fn reason() -> ErrorReason {
    ErrorReason::new(FailureKind::SinkRefused, "no").on_field("f").at_line(9).retryable()
}

const REASON: &str = r#"{"field":"f","kind":"sink_refused","line":9,"message":"no","retryable":true}"#;
const STATE: (u16, u8) = (7, 2);

/// A record of each kind whose fields all differ, with what it must be shown as.
fn samples() -> Vec<(String, String)> {
    let mut samples = of_rows();
    samples.extend(of_tokens());
    samples.extend(of_batches());
    samples.extend(of_runs());
    samples
}

fn of_rows() -> Vec<(String, String)> {
    let (token, (at, attempt)) = (token(), STATE);
    vec![
        (
            shown(&RowRecord { row_index: row(3), source_data_hash: hash(1), read_us: 5, valid: true }),
            format!(r#"{{"record":"row","row_index":3,"source_data_hash":"{}","valid":true}}"#, hex(1)),
        ),
        (
            shown(&ValidationErrorRecord { row_index: row(3), reason: reason(), destination: Some(step(8)) }),
            format!(r#"{{"destination":8,"reason":{REASON},"record":"validation_error","row_index":3}}"#),
        ),
        (
            shown(&TransformErrorRecord {
                token,
                step: step(at),
                attempt,
                reason: reason(),
                destination: Some(step(8)),
            }),
            format!(
                r#"{{"attempt":2,"destination":8,"reason":{REASON},"record":"transform_error","step":7,"token":"3.1"}}"#
            ),
        ),
        (
            shown(&CallRecord {
                call_no: 11,
                token,
                step: step(at),
                attempt,
                call_index: 4,
                call_type: CallType::Sql,
                status: CallStatus::Error,
                request_hash: hash(1),
                response_hash: Some(hash(2)),
                error: Some(reason()),
                latency_us: 5,
            }),
            format!(
                r#"{{"attempt":2,"call_index":4,"call_no":11,"error":{REASON},"record":"call","request":"{}","response":"{}","status":"error","step":7,"token":"3.1","type":"sql"}}"#,
                hex(1),
                hex(2)
            ),
        ),
    ]
}

fn of_tokens() -> Vec<(String, String)> {
    let (token, (at, attempt)) = (token(), STATE);
    vec![
        (
            shown(&TokenRecord { token, branch: Some("b".into()), group: Some(released()) }),
            r#"{"branch":"b","group":"r5.2","record":"token","token":"3.1"}"#.to_owned(),
        ),
        (
            shown(&TokenParentRecord { token: released(), parent: token, ordinal: 6 }),
            r#"{"ordinal":6,"parent":"3.1","record":"token_parent","token":"r5.2"}"#.to_owned(),
        ),
        (
            shown(&NodeStateRecord {
                token,
                step: step(at),
                attempt,
                status: NodeStateStatus::Failed,
                input_hash: Some(hash(1)),
                output_hash: Some(hash(2)),
                started_us: 1,
                duration_us: 2,
                waited_us: 3,
            }),
            format!(
                r#"{{"attempt":2,"input_hash":"{}","output_hash":"{}","record":"node_state","status":"failed","step":7,"token":"3.1"}}"#,
                hex(1),
                hex(2)
            ),
        ),
        (
            shown(&StateContextRecord { token, step: step(at), attempt, context: "{}".to_owned() }),
            r#"{"attempt":2,"context":"{}","record":"state_context","step":7,"token":"3.1"}"#.to_owned(),
        ),
        (
            shown(&RoutingEventRecord {
                token,
                step: step(at),
                attempt,
                ordinal: 6,
                edge: EdgeNo(9),
                reason: Some("r".to_owned()),
            }),
            r#"{"attempt":2,"edge":9,"ordinal":6,"reason":"r","record":"routing_event","step":7,"token":"3.1"}"#
                .to_owned(),
        ),
        (
            shown(&TokenOutcomeRecord {
                token,
                outcome: Outcome::Diverted,
                sink: Some(step(8)),
                group: Some(released()),
                batch_no: ReleaseNo::new(5),
                error_at: Some((step(at), attempt)),
            }),
            r#"{"batch_no":5,"error_at":{"attempt":2,"step":7},"group":"r5.2","outcome":"diverted","record":"token_outcome","sink":8,"token":"3.1"}"#
                .to_owned(),
        ),
    ]
}

fn of_batches() -> Vec<(String, String)> {
    vec![
        (
            shown(&BatchRecord {
                batch_no: 5,
                step: step(7),
                attempt: 2,
                status: BatchStatus::Executing,
                trigger: Some(TriggerType::Condition),
                reason: Some("r".to_owned()),
            }),
            r#"{"attempt":2,"batch_no":5,"reason":"r","record":"batch","status":"executing","step":7,"trigger":"condition"}"#
                .to_owned(),
        ),
        (
            shown(&BatchMemberRecord { batch_no: 5, ordinal: 6, token: token() }),
            r#"{"batch_no":5,"ordinal":6,"record":"batch_member","token":"3.1"}"#.to_owned(),
        ),
        (
            shown(&BatchOutputRecord { batch_no: 5, ordinal: 6, token: released() }),
            r#"{"batch_no":5,"ordinal":6,"record":"batch_output","token":"r5.2"}"#.to_owned(),
        ),
        (
            shown(&ReleaseRecord { number: 5, step: step(7), epoch: EpochNo(4), row: row(3), after: true }),
            r#"{"after":true,"epoch":4,"number":5,"record":"release","row_index":3,"step":7}"#.to_owned(),
        ),
    ]
}

fn of_runs() -> Vec<(String, String)> {
    vec![
        (
            shown(&OperationRecord {
                step: step(7),
                epoch: EpochNo(4),
                kind: OperationKind::SinkWrite,
                status: OperationStatus::Failed,
                attempts: 3,
                started_us: 1,
                duration_us: 2,
                error: Some(reason()),
            }),
            format!(
                r#"{{"attempts":3,"epoch":4,"error":{REASON},"kind":"sink_write","record":"operation","status":"failed","step":7}}"#
            ),
        ),
        (
            shown(&ArtifactRecord {
                step: step(7),
                epoch: EpochNo(4),
                artifact_type: "file".to_owned(),
                path: "p".to_owned(),
                content_hash: hash(1),
                size_bytes: 10,
                rows: 2,
                idempotency_key: "k".to_owned(),
            }),
            format!(
                r#"{{"content":"{}","epoch":4,"idempotency_key":"k","path":"p","record":"artifact","rows":2,"size_bytes":10,"step":7,"type":"file"}}"#,
                hex(1)
            ),
        ),
        (
            shown(&NodeRecord {
                step: step(7),
                node_id: NodeId("id".to_owned()),
                name: "n".to_owned(),
                node_type: NodeType::Gate,
                plugin: "p".to_owned(),
                plugin_version: "1".to_owned(),
                determinism: Determinism::IoWrite,
                config: "{}".to_owned(),
                config_hash: hash(1),
                input_schema: "null".to_owned(),
                output_schema: "[]".to_owned(),
            }),
            format!(
                r#"{{"config":"{{}}","config_hash":"{}","determinism":"io_write","input_schema":"null","name":"n","node_id":"id","output_schema":"[]","plugin":"p","plugin_version":"1","record":"node","step":7,"type":"gate"}}"#,
                hex(1)
            ),
        ),
        (
            shown(&EdgeRecord {
                edge: EdgeNo(9),
                from: step(7),
                to: step(8),
                label: "l".to_owned(),
                mode: EdgeMode::Copy,
            }),
            r#"{"edge":9,"from":7,"label":"l","mode":"copy","record":"edge","to":8}"#.to_owned(),
        ),
    ]
}

#[test]
fn every_kind_is_shown_by_the_names_of_its_fields() {
    let samples = samples();
    for (found, expected) in &samples {
        assert_eq!(found, expected);
    }
    for kind in Kind::ALL {
        let name = format!(r#""record":"{}""#, kind.name());
        assert_eq!(samples.iter().filter(|(_, shown)| shown.contains(&name)).count(), 1, "{name}");
    }
}

#[test]
fn codes_have_the_names_that_the_enums_give_them() {
    macro_rules! compare {
        ($kind:ident $field:literal $name:ident) => {
            let field = Kind::$kind.fields().iter().find(|field| field.name == $field).unwrap();
            let Form::Code(names) = field.form else { panic!("{} is no code", field.name) };
            assert_eq!(names, $name::ALL.iter().map(|value| value.as_str()).collect::<Vec<_>>());
            assert!((0..).zip($name::ALL).all(|(code, value)| value.code() == code));
        };
    }
    compare!(NodeState "status" NodeStateStatus);
    compare!(Call "type" CallType);
    compare!(Call "status" CallStatus);
    compare!(Operation "kind" OperationKind);
    compare!(Operation "status" OperationStatus);
    compare!(TokenOutcome "outcome" Outcome);
    compare!(Node "type" NodeType);
    compare!(Node "determinism" Determinism);
    compare!(Edge "mode" EdgeMode);
    compare!(Batch "status" BatchStatus);
    compare!(Batch "trigger" TriggerType);
}

fn tokens() -> impl Strategy<Value = TokenKey> {
    (0..RowIndex::LIMIT, 0..TokenKey::ORDINAL_LIMIT, any::<bool>()).prop_map(|(slot, ordinal, batch)| {
        let token =
            if batch { TokenKey::of_batch(slot, ordinal) } else { TokenKey::of_row(row(slot), ordinal) };
        token.unwrap()
    })
}

fn steps() -> impl Strategy<Value = Step> {
    (0..Step::LIMIT).prop_map(step)
}

fn reasons() -> impl Strategy<Value = ErrorReason> {
    (any::<String>(), any::<Option<String>>(), any::<Option<u32>>(), any::<bool>()).prop_map(
        |(message, field, line, retryable)| ErrorReason {
            kind: FailureKind::Internal,
            message,
            field,
            line: line.map(u64::from),
            retryable,
        },
    )
}

proptest! {
    #[test]
    fn what_may_be_absent_and_what_is_long_is_shown_and_read_again(
        (token, group, at) in (tokens(), prop::option::of(tokens()), steps()),
        (attempt, ordinal, text) in (any::<u8>(), any::<u16>(), any::<Option<String>>()),
        (sink, error_at) in (prop::option::of(steps()), prop::option::of((steps(), any::<u8>()))),
        (first, second) in (any::<Option<[u8; 32]>>(), any::<Option<[u8; 32]>>()),
        reason in reasons(),
        outcome in prop::sample::select(Outcome::ALL),
    ) {
        shown(&TokenRecord { token, branch: text.as_deref().map(Into::into), group });
        shown(&RoutingEventRecord { token, step: at, attempt, ordinal, edge: EdgeNo(ordinal), reason: text });
        shown(&TransformErrorRecord { token, step: at, attempt, reason, destination: sink });
        shown(&TokenOutcomeRecord { token, outcome, sink, group, batch_no: group.and_then(|it| ReleaseNo::new(it.get() >> 20)), error_at });
        shown(&NodeStateRecord {
            token,
            step: at,
            attempt,
            status: NodeStateStatus::Completed,
            input_hash: first.map(ContentHash::from_bytes),
            output_hash: second.map(ContentHash::from_bytes),
            started_us: 0,
            duration_us: 0,
            waited_us: 0,
        });
    }
}
