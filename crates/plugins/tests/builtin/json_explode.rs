//! The `json_explode` transform: what becomes of lists, and what is known of the rows behind it.

use elspeth_contracts::FailureKind;
use elspeth_plugin::TransformOutput;
use elspeth_value::{Contract, FieldType, Row, Value};
use serde_json::{Value as Json, json};

use crate::driving::{process, refused, row, text, told, transform};

fn order(items: Value) -> Row {
    row(&[("id", Value::Int(7)), ("items", items), ("who", text("Ann"))])
}

fn contract(schema: Json) -> Contract {
    Contract::from_settings(&schema).unwrap()
}

#[test]
fn each_item_becomes_a_row_with_its_index() {
    let explode = transform("json_explode", &json!({"array_field": "items"}));
    let map = Value::Map([("sku".into(), text("x"))].into_iter().collect());
    let items = Value::List(vec![map, Value::Null, Value::List(vec![Value::Int(1)])]);
    assert_eq!(
        process(explode.as_ref(), order(items)).unwrap(),
        concat!(
            r#"{"id":7,"who":"Ann","item":{"sku":"x"},"item_index":0} + "#,
            r#"{"id":7,"who":"Ann","item":null,"item_index":1} + "#,
            r#"{"id":7,"who":"Ann","item":[1],"item_index":2}"#
        )
    );
}

#[test]
fn the_item_may_take_the_lists_name_and_the_index_may_be_left_out() {
    let options = json!({"array_field": "items", "output_field": "items", "include_index": false});
    let explode = transform("json_explode", &options);
    let one = order(Value::List(vec![Value::Int(5)]));
    assert_eq!(process(explode.as_ref(), one).unwrap(), r#"{"id":7,"who":"Ann","items":5}"#);
}

#[test]
fn all_rows_of_one_list_share_their_shape() {
    let explode = transform("json_explode", &json!({"array_field": "items"}));
    let token = elspeth_contracts::TokenKey::of_row(elspeth_contracts::RowIndex::new(0).unwrap(), 0).unwrap();
    let run_id = crate::driving::run_id();
    let context = elspeth_plugin::TransformContext { run_id, token, node: "test", attempt: 0 };
    let items = Value::List(vec![Value::Int(1), Value::Int(2)]);
    let Ok(TransformOutput::Many(rows)) = explode.process(order(items), &context) else { panic!("two rows") };
    assert!(std::sync::Arc::ptr_eq(rows[0].shape(), rows[1].shape()));
}

#[test]
fn a_row_without_items_is_an_error_that_says_why() {
    let explode = transform("json_explode", &json!({"array_field": "items", "output_field": "who"}));
    let cases = [
        (
            order(Value::List(vec![])),
            FailureKind::TransformError,
            "the list `items` is empty: there is no row for an item",
        ),
        (
            order(Value::Null),
            FailureKind::TypeMismatch,
            "json_explode needs a list, but the field `items` is null",
        ),
        (row(&[("id", Value::Int(1))]), FailureKind::TransformError, "the field `items` is missing"),
        (
            order(text("[1]")),
            FailureKind::TypeMismatch,
            "json_explode needs a list, but the field `items` is str",
        ),
        (
            order(Value::List(vec![Value::Int(1)])),
            FailureKind::FieldCollision,
            "there is a field `who` already; rename it before",
        ),
    ];
    for (row, kind, message) in cases {
        let reason = process(explode.as_ref(), row).unwrap_err();
        assert_eq!((reason.kind, reason.message.as_str()), (kind, message));
        assert!(reason.field.is_some());
    }
}

#[test]
fn what_would_become_too_much_memory_is_an_error_before_it_is_made() {
    let explode = transform("json_explode", &json!({"array_field": "items"}));
    let items = |count| Value::List(vec![Value::Int(1); count]);
    let note = |bytes| text(&"x".repeat(bytes));
    let large = row(&[("items", items(2000)), ("note", note(1_000_000))]);
    let reason = process(explode.as_ref(), large).unwrap_err();
    assert_eq!((reason.kind, reason.field.as_deref()), (FailureKind::LimitExceeded, Some("items")));
    assert!(
        reason.message.starts_with("2000 rows with 1000")
            && reason.message.ends_with("at most 268435456 are allowed; drop large fields before"),
        "{}",
        reason.message
    );
    let nested = Value::List((0..100).map(|_| note(10_000)).collect());
    let reason = process(explode.as_ref(), row(&[("items", items(2000)), ("notes", nested)])).unwrap_err();
    assert_eq!(reason.kind, FailureKind::LimitExceeded);
    let fits = row(&[("items", items(1000)), ("note", note(20_000))]);
    assert!(process(explode.as_ref(), fits).is_ok());
}

#[test]
fn the_rows_behind_are_known_before_any_row_comes() {
    let explode = transform("json_explode", &json!({"array_field": "items"}));
    let fixed = contract(json!({"mode": "fixed", "fields": ["id: int", "items: any", "who: str?"]}));
    let output = explode.output_contract(&fixed).unwrap();
    let fields: Vec<_> = output.fields.iter().map(|f| (f.name.as_str(), f.ty, f.required)).collect();
    assert_eq!(
        fields,
        [
            ("id", FieldType::Int, true),
            ("who", FieldType::Str, false),
            ("item", FieldType::Any, true),
            ("item_index", FieldType::Int, true),
        ]
    );
    assert_eq!(output.mode, fixed.mode);
    assert_eq!(explode.output_contract(&Contract::observed()), Ok(Contract::observed()));
    let cases = [
        (
            json!({"mode": "fixed", "fields": ["items: str"]}),
            "array_field: json_explode needs a list, but the field `items` is str",
        ),
        (
            json!({"mode": "fixed", "fields": ["id: int"]}),
            "array_field: json_explode names the field `items`, which these rows cannot have",
        ),
        (
            json!({"mode": "flexible", "fields": ["items: any", "item: int"]}),
            "output_field: there is a field `item` already; choose another name",
        ),
    ];
    for (schema, message) in cases {
        assert_eq!(told(explode.output_contract(&contract(schema))), Err(vec![message.to_owned()]));
    }
}

#[test]
fn options_that_name_no_field_or_one_twice_are_refused() {
    let cases = [
        (json!({}), ": the option `array_field` is missing (add `array_field:` to these options)"),
        (json!({"array_field": " "}), "array_field: the field has no name (no help)"),
        (
            json!({"array_field": "a", "output_field": "item_index"}),
            "output_field: `item_index` is the field of the index (choose another name, or switch the index off with `include_index: false`)",
        ),
    ];
    for (options, message) in cases {
        assert_eq!(refused("transform", "json_explode", &options), [message]);
    }
    transform(
        "json_explode",
        &json!({"array_field": "a", "output_field": "item_index", "include_index": false}),
    );
}
