use proptest::prelude::*;

use super::*;
use crate::json::Json;

fn value(form: Form) -> BoxedStrategy<Value> {
    let safe = (1_u64 << 53) - 1;
    let token = (0_u64..1 << 56).prop_map(|number| Token::from_number(number).unwrap());
    match form {
        Form::Number(width) => (0..=safe.min((1 << (8 * width.min(7))) - 1)).prop_map(Value::Number).boxed(),
        Form::Flag => any::<bool>().prop_map(Value::Flag).boxed(),
        Form::Code(names) => prop::sample::select(names).prop_map(Value::Code).boxed(),
        Form::Hash => any::<[u8; 32]>().prop_map(|bytes| Value::Hash(Hash::from_bytes(bytes))).boxed(),
        Form::Text => any::<String>().prop_map(Value::Text).boxed(),
        Form::Token => token.prop_map(Value::Token).boxed(),
        Form::Reason => {
            (any::<String>(), any::<String>(), any::<Option<String>>(), any::<Option<u32>>(), any::<bool>())
                .prop_map(|(kind, message, field, line, retryable)| {
                    Value::Reason(Reason { kind, message, field, line: line.map(u64::from), retryable })
                })
                .boxed()
        }
        Form::At => (any::<u16>(), any::<u8>())
            .prop_map(|(step, attempt)| Value::At { step: step.into(), attempt: attempt.into() })
            .boxed(),
    }
}

fn records() -> impl Strategy<Value = Record> {
    prop::sample::select(Kind::ALL).prop_flat_map(|kind| {
        let values = kind.fields().iter().map(|field| {
            let some = value(field.form).prop_map(Some);
            if field.optional { prop_oneof![Just(None), some].boxed() } else { some.boxed() }
        });
        values.collect::<Vec<_>>().prop_map(move |values| Record { kind, values })
    })
}

proptest! {
    #[test]
    fn bytes_and_json_give_the_record_again(records in prop::collection::vec(records(), 0..4)) {
        let mut bytes = Vec::new();
        for record in &records {
            record.write(&mut bytes);
            let text = record.to_json().to_text();
            prop_assert_eq!(Record::from_json(&Json::parse(&text).unwrap()), Ok(record.clone()));
        }
        prop_assert_eq!(Record::read_all(&bytes), Ok(records));
    }

    #[test]
    fn changed_bytes_are_refused_or_those_of_another_record(record in records(), at in any::<prop::sample::Index>(), bit in 0_u32..8) {
        let mut bytes = record.to_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        if let Ok(others) = Record::read_all(&bytes) {
            let again: Vec<u8> = others.iter().flat_map(Record::to_bytes).collect();
            prop_assert_eq!(again, bytes);
        }
    }

    #[test]
    fn bytes_that_end_early_are_refused(record in records(), at in any::<prop::sample::Index>()) {
        let bytes = record.to_bytes();
        let at = at.index(bytes.len());
        prop_assert!(at == 0 || Record::read_all(&bytes[..at]).is_err());
    }
}

fn refused(text: &str) -> BadRecord {
    Record::from_json(&Json::parse(text).unwrap()).unwrap_err()
}

#[test]
fn json_that_is_not_exactly_a_record_is_refused() {
    let (kind, field) = ("token", "token");
    assert_eq!(refused(r#"{"token":"3.1"}"#), BadRecord::NoKind);
    assert_eq!(refused(r#"{"record":"tokens","token":"3.1"}"#), BadRecord::NoKind);
    assert_eq!(refused(r#"[]"#), BadRecord::NoKind);
    assert_eq!(refused(r#"{"record":"token"}"#), BadRecord::Missing { kind, field });
    assert_eq!(refused(r#"{"record":"token","token":3}"#), BadRecord::Value { kind, field });
    assert_eq!(
        refused(r#"{"branch":null,"record":"token","token":"3.1"}"#),
        BadRecord::Value { kind, field: "branch" }
    );
    let unknown = BadRecord::Unknown { kind, field: "row".to_owned() };
    assert_eq!(refused(r#"{"record":"token","row":1,"token":"3.1"}"#), unknown);
    for (outcome, error_at) in
        [("lost", "{\"attempt\":0,\"step\":1}"), ("failed", "{\"step\":1}"), ("failed", "[]")]
    {
        let text = format!(
            r#"{{"error_at":{error_at},"outcome":"{outcome}","record":"token_outcome","token":"0.0"}}"#
        );
        assert!(matches!(refused(&text), BadRecord::Value { .. }), "{text}");
    }
    let reason = |more: &str| {
        let reason = format!(r#"{{"kind":"internal","message":"x","retryable":true{more}}}"#);
        format!(r#"{{"reason":{reason},"record":"validation_error","row_index":0}}"#)
    };
    assert!(Record::from_json(&Json::parse(&reason("")).unwrap()).is_ok());
    assert!(matches!(refused(&reason(r#","time":1"#)), BadRecord::Value { field: "reason", .. }));
    let state = r#"{"attempt":256,"record":"node_state","status":"open","step":1,"token":"0.0"}"#;
    assert_eq!(refused(state), BadRecord::Value { kind: "node_state", field: "attempt" });
}

#[test]
fn a_number_that_json_cannot_hold_is_refused() {
    let mut bytes = vec![Kind::BatchMember.tag()];
    bytes.extend_from_slice(&(1_u64 << 53).to_be_bytes());
    bytes.extend_from_slice(&[0; 12]);
    let (kind, field) = ("batch_member", "batch_no");
    assert_eq!(Record::read_all(&bytes), Err(BadRecord::Value { kind, field }));
    assert_eq!(Record::read_all(&[19]), Err(BadRecord::Tag(19)));
}

#[test]
fn tags_and_names_are_those_of_one_kind() {
    for kind in Kind::ALL {
        assert_eq!(Kind::from_tag(kind.tag()), Some(*kind));
        assert_eq!(Kind::from_name(kind.name()), Some(*kind));
    }
}
