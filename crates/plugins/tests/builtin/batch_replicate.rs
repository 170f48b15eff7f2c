//! The `batch_replicate` batch transform: how many copies there are of which members.

use elspeth_value::{Contract, Row, Value};
use serde_json::json;

use crate::driving::{aggregation, flush, refused, row, text, told};

fn member(id: i64, copies: Value) -> Row {
    row(&[("id", Value::Int(id)), ("copies", copies)])
}

#[test]
fn each_member_is_copied_as_often_as_it_says() {
    let plugin = aggregation("batch_replicate", &json!({"default_copies": 2, "include_copy_index": true}));
    let members = [
        member(1, Value::Int(2)),
        row(&[("id", Value::Int(2))]),
        member(3, Value::Int(1)),
        member(4, Value::Null),
    ];
    assert_eq!(
        flush(plugin.as_ref(), &members).unwrap(),
        [
            r#"{"id":1,"copies":2,"copy_index":0}"#,
            r#"{"id":1,"copies":2,"copy_index":1}"#,
            r#"{"id":2,"copy_index":0}"#,
            r#"{"id":2,"copy_index":1}"#,
            r#"{"id":3,"copies":1,"copy_index":0}"#,
            r#"{"id":4,"copies":null,"copy_index":0}"#,
            r#"{"id":4,"copies":null,"copy_index":1}"#,
        ]
    );
}

#[test]
fn a_bad_number_of_copies_takes_out_that_member_alone() {
    let plugin = aggregation("batch_replicate", &json!({"max_copies": 3, "include_copy_index": false}));
    let members = [
        member(1, Value::Int(0)),
        member(2, Value::Int(1)),
        member(3, Value::Int(4)),
        member(4, Value::Int(-1)),
        member(5, text("2")),
        member(6, Value::Bool(true)),
        member(7, Value::Float(2.0)),
        member(8, Value::Int(3)),
    ];
    let bad = |member: u64, found: &str| {
        format!(
            "{member} transform_error: the number of copies must be an integer from 1 to 3, but the field `copies` is {found}"
        )
    };
    let copy = r#"{"id":8,"copies":3}"#.to_owned();
    assert_eq!(
        flush(plugin.as_ref(), &members).unwrap(),
        [
            bad(0, "0"),
            r#"{"id":2,"copies":1}"#.to_owned(),
            bad(2, "4"),
            bad(3, "-1"),
            bad(4, "str"),
            bad(5, "bool"),
            bad(6, "float"),
            copy.clone(),
            copy.clone(),
            copy,
        ]
    );
}

#[test]
fn a_member_that_has_an_index_already_is_taken_out() {
    let plugin = aggregation("batch_replicate", &json!({}));
    assert_eq!(
        flush(plugin.as_ref(), &[row(&[("copy_index", Value::Int(9))])]).unwrap(),
        ["0 field_collision: there is a field `copy_index` already; rename it before"]
    );
}

#[test]
fn the_rows_behind_are_known_before_any_row_comes() {
    let plugin = aggregation("batch_replicate", &json!({}));
    let contract = |schema| Contract::from_settings(&schema).unwrap();
    assert_eq!(
        plugin.output_contract(&contract(json!({"mode": "fixed", "fields": ["id: int", "copies: int?"]}))),
        Ok(contract(json!({"mode": "fixed", "fields": ["id: int", "copies: int?", "copy_index: int"]})))
    );
    assert_eq!(
        told(plugin.output_contract(&contract(json!({"mode": "fixed", "fields": ["copies: str"]})))),
        Err(vec!["copies_field: the number of copies must be int, but the field `copies` is str".to_owned()])
    );
    assert_eq!(
        told(plugin.output_contract(&contract(json!({"mode": "flexible", "fields": ["copy_index: int"]})))),
        Err(vec!["include_copy_index: there is a field `copy_index` already; write `include_copy_index: false`, or rename the field before".to_owned()])
    );
}

#[test]
fn bounds_that_cannot_be_kept_are_refused() {
    let cases = [
        (json!({"copies_field": ""}), "copies_field: the field has no name (no help)"),
        (json!({"max_copies": 0}), "max_copies: must be from 1 to 10000, but is 0 (no help)"),
        (json!({"max_copies": 10_001}), "max_copies: must be from 1 to 10000, but is 10001 (no help)"),
        (json!({"default_copies": 0}), "default_copies: must be from 1 to 10000, but is 0 (no help)"),
        (
            json!({"default_copies": 5, "max_copies": 4}),
            "default_copies: is 5, more than `max_copies` allows (write at most 4, or raise `max_copies`)",
        ),
    ];
    for (options, message) in cases {
        assert_eq!(refused("aggregation", "batch_replicate", &options), [message]);
    }
}
