//! What contracts say of rows and of each other.

use elspeth_value::{Contract, FieldType, Row, SchemaConflict, Value};
use serde_json::json;

fn contract(schema: serde_json::Value) -> Contract {
    Contract::from_settings(&schema).expect("a schema")
}

fn row(json: serde_json::Value) -> Row {
    let Value::Map(map) = Value::from_json(json).expect("within bounds") else { panic!("an object") };
    Row::from_pairs(map.into_entries())
}

fn checked(schema: serde_json::Value, record: serde_json::Value) -> String {
    match contract(schema).check(&row(record)) {
        Ok(()) => "ok".to_owned(),
        Err(violation) => violation.to_string(),
    }
}

#[test]
fn rows_are_checked_without_coercion() {
    let fixed = json!({"mode": "fixed", "fields": ["a: int", "b: float?", "c: any"]});
    for (record, expected) in [
        (json!({"a": 1, "b": 0.5, "c": [1]}), "ok"),
        (json!({"c": "x", "a": 1}), "ok"),
        (json!({"a": 1, "b": null, "c": 1}), "ok"),
        (json!({"b": 0.5, "c": 1}), "required field `a` is missing"),
        (json!({"a": null, "c": 1}), "required field `a` is missing"),
        (json!({"a": 1, "c": null}), "required field `c` is missing"),
        (json!({"a": "1", "c": 1}), "field `a` must be int: it is of type str"),
        (json!({"a": 1.0, "c": 1}), "field `a` must be int: it is of type float"),
        (json!({"a": 1, "b": 1, "c": 1}), "field `b` must be float: it is of type int"),
        (json!({"a": 1, "c": 1, "d": 1}), "field `d` is not in the schema, which is fixed"),
    ] {
        assert_eq!(checked(fixed.clone(), record.clone()), expected, "{record}");
    }
    assert_eq!(checked(json!({"mode": "flexible", "fields": ["a: int"]}), json!({"a": 1, "d": 1})), "ok");
    let needs = json!({"mode": "observed", "required_fields": ["z"]});
    assert_eq!(checked(needs.clone(), json!({"z": 0, "y": []})), "ok");
    assert_eq!(checked(needs, json!({"z": null})), "required field `z` is missing");
    assert_eq!(checked(json!({"mode": "observed"}), json!({})), "ok");
}

#[test]
fn rows_from_outside_are_coerced_in_place_or_given_back_as_they_came() {
    let schema = contract(json!({"mode": "flexible", "fields": ["a: int", "b: float?", "day: date?"]}));
    let taken = schema.coerce_row(row(json!({"x": "7", "b": 2, "a": "7", "day": "2026-01-31"}))).unwrap();
    let mut text = Vec::new();
    taken.write_json(&mut text);
    assert_eq!(String::from_utf8(text).unwrap(), r#"{"x":"7","b":2.0,"a":7,"day":"2026-01-31"}"#);
    assert!(matches!(taken.get("day"), Some(Value::Date(_))));

    for (record, message) in [
        (
            json!({"a": 1, "b": "2", "day": "soon"}),
            "field `day` must be date: `soon` is not a day, as in 2026-01-31",
        ),
        (json!({"b": 2}), "required field `a` is missing"),
        (json!({"a": null}), "required field `a` is missing"),
        (json!({"a": true}), "field `a` must be int: it is of type bool"),
    ] {
        let refused = schema.coerce_row(row(record.clone())).unwrap_err();
        assert_eq!(refused.violation.to_string(), message);
        assert_eq!(refused.row.to_json(), record, "nothing of it has changed");
    }
    let fixed = contract(json!({"mode": "fixed", "fields": ["a: int"]}));
    let refused = fixed.coerce_row(row(json!({"a": "1", "b": 1}))).unwrap_err();
    assert_eq!(refused.violation.to_string(), "field `b` is not in the schema, which is fixed");
}

#[test]
fn what_is_learnt_locks_types_and_leaves_fields_optional() {
    let learnt =
        Contract::observed().learn(&row(json!({"i": 1, "f": 0.5, "s": "x", "b": true, "n": null, "l": [1]})));
    let fields: Vec<_> = learnt.fields.iter().map(|f| (f.name.as_str(), f.ty, f.required)).collect();
    assert_eq!(
        fields,
        [
            ("i", FieldType::Int, false),
            ("f", FieldType::Float, false),
            ("s", FieldType::Str, false),
            ("b", FieldType::Bool, false),
            ("n", FieldType::Any, false),
            ("l", FieldType::Any, false),
        ]
    );
    assert!(learnt.check(&row(json!({"n": 5, "l": null, "later": 1}))).is_ok());
    assert!(learnt.check(&row(json!({"i": "1"}))).is_err());
    assert_eq!(learnt.coerce_row(row(json!({"f": 2}))).unwrap().get("f"), Some(&Value::Float(2.0)));
    assert!(learnt.coerce_row(row(json!({"i": 1.5}))).is_err());

    let declared = contract(json!({"mode": "flexible", "fields": ["i: int"]}));
    let learnt = declared.learn(&row(json!({"x": "", "i": 1})));
    assert_eq!((learnt.fields.len(), learnt.field("i").unwrap().required), (2, true));
}

fn conflicts(producer: serde_json::Value, consumer: serde_json::Value) -> Vec<SchemaConflict> {
    contract(producer).conflicts_with(&contract(consumer))
}

#[test]
fn a_consumer_gets_only_what_is_guaranteed() {
    let producer =
        json!({"mode": "flexible", "fields": ["a: int", "b: str?"], "guaranteed_fields": ["b", "g"]});
    let not_guaranteed = |field: &str| SchemaConflict::NotGuaranteed { field: field.into() };
    for (consumer, expected) in [
        (json!({"mode": "flexible", "fields": ["a: int", "b: str"]}), vec![]),
        (json!({"mode": "flexible", "fields": ["a: int", "x: int?"]}), vec![]),
        (json!({"mode": "flexible", "fields": ["g: str"]}), vec![]),
        (json!({"mode": "observed", "required_fields": ["a", "g"]}), vec![]),
        (
            json!({"mode": "observed", "required_fields": ["x", "a", "y"]}),
            vec![not_guaranteed("x"), not_guaranteed("y")],
        ),
        (json!({"mode": "flexible", "fields": ["x: int"]}), vec![not_guaranteed("x")]),
        (
            json!({"mode": "fixed", "fields": ["x: int", "a: int", "b: str", "g: any"], "required_fields": ["x"]}),
            vec![not_guaranteed("x")],
        ),
    ] {
        assert_eq!(conflicts(producer.clone(), consumer.clone()), expected, "{consumer}");
    }
    // Optional on one side is not enough for the other.
    let optional = json!({"mode": "fixed", "fields": ["a: int?"]});
    assert_eq!(conflicts(optional, json!({"mode": "fixed", "fields": ["a: int"]})), [not_guaranteed("a")]);
}

#[test]
fn an_observed_producer_promises_nothing_that_it_could_be_held_to() {
    let strict = json!({"mode": "fixed", "fields": ["a: int"]});
    assert_eq!(conflicts(json!({"mode": "observed"}), strict.clone()), []);
    assert_eq!(conflicts(json!({"mode": "observed", "guaranteed_fields": ["a"]}), strict.clone()), []);
    assert_eq!(
        conflicts(json!({"mode": "observed", "guaranteed_fields": ["b"]}), strict),
        [
            SchemaConflict::NotGuaranteed { field: "a".into() },
            SchemaConflict::NotAllowed { field: "b".into() }
        ]
    );
}

#[test]
fn types_must_agree_unless_a_side_takes_any() {
    let producer = json!({"mode": "fixed", "fields": ["a: int", "b: any", "c: str"]});
    let consumer = json!({"mode": "flexible", "fields": ["a: float", "b: int", "c: any"]});
    assert_eq!(
        conflicts(producer.clone(), consumer),
        [SchemaConflict::TypeDiffers {
            field: "a".into(),
            produced: FieldType::Int,
            consumed: FieldType::Float,
        }]
    );
    assert_eq!(conflicts(producer, json!({"mode": "observed"})), []);
}

#[test]
fn a_fixed_consumer_refuses_what_is_sure_to_come() {
    let consumer = json!({"mode": "fixed", "fields": ["a: int"]});
    let extra = json!({"mode": "fixed", "fields": ["a: int", "b: int", "c: int?"]});
    assert_eq!(conflicts(extra, consumer), [SchemaConflict::NotAllowed { field: "b".into() }]);
}

#[test]
fn guarantees_are_required_and_promised_fields() {
    let contract =
        contract(json!({"mode": "flexible", "fields": ["a: int", "b: int?"], "guaranteed_fields": ["c"]}));
    let guaranteed: Vec<_> =
        ["a", "b", "c", "d"].into_iter().filter(|name| contract.guarantees(name)).collect();
    assert_eq!(guaranteed, ["a", "c"]);
}

#[test]
fn a_source_cannot_deliver_names_that_it_would_normalise() {
    let mapping = std::collections::BTreeMap::from([("customer".to_owned(), "CustomerID".to_owned())]);
    let check = |schema: serde_json::Value| contract(schema).check_source_names(&mapping);
    assert_eq!(
        check(
            json!({"mode": "fixed", "fields": ["amount: int", "CustomerID: str", "_1st: str", "class_: str"]})
        ),
        Ok(())
    );
    let error = check(json!({"mode": "fixed", "fields": ["id: int", "Amount: float"]})).unwrap_err();
    assert_eq!((error.field_index, error.help.as_str()), (Some(1), "write `amount`"));
    assert!(error.message.contains("`Amount`"), "{error}");
    let error = check(json!({"mode": "observed", "required_fields": ["_id"]})).unwrap_err();
    assert_eq!((error.field_index, error.help.as_str()), (None, "write `id`"));
}
