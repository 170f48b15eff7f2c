//! The `batch_stats` batch transform: groups, figures, and members that have none.

use elspeth_contracts::FailureKind;
use elspeth_value::{Contract, FieldType, Row, Value};
use serde_json::{Value as Json, json};

use crate::driving::{aggregation, flush, refused, row, text, told};

fn payment(region: &str, amount: Value) -> Row {
    row(&[("region", text(region)), ("amount", amount)])
}

fn figures(options: Json, members: &[Row]) -> Vec<String> {
    flush(aggregation("batch_stats", &options).as_ref(), members).unwrap()
}

fn contract(schema: Json) -> Contract {
    Contract::from_settings(&schema).unwrap()
}

#[test]
fn one_row_for_each_group_in_order_of_first_appearance() {
    let members = [
        payment("north", Value::Int(2)),
        payment("south", Value::Int(10)),
        payment("north", Value::Int(5)),
        row(&[("region", Value::Null), ("amount", Value::Int(1))]),
    ];
    assert_eq!(
        figures(json!({"value_field": "amount", "group_by": "region"}), &members),
        [
            r#"{"count":2,"sum":7,"batch_size":2,"mean":3.5,"region":"north"}"#,
            r#"{"count":1,"sum":10,"batch_size":1,"mean":10.0,"region":"south"}"#,
            r#"{"count":1,"sum":1,"batch_size":1,"mean":1.0,"region":null}"#,
        ]
    );
    assert_eq!(
        figures(json!({"value_field": "amount", "compute_mean": false}), &members),
        [r#"{"count":4,"sum":18,"batch_size":4}"#]
    );
}

#[test]
fn all_statistics_have_their_fields() {
    let members: Vec<_> = (1..=5).map(|n| payment("x", Value::Int(n))).collect();
    let options = json!({"value_field": "amount", "min": true, "max": true, "stddev": true, "median": true, "percentiles": [0, 12.5, 100]});
    assert_eq!(
        figures(options, &members),
        [concat!(
            r#"{"count":5,"sum":15,"batch_size":5,"mean":3.0,"min":1,"max":5,"#,
            r#""stddev":1.5811388300841898,"median":3.0,"p0":1.0,"p12_5":1.5,"p100":5.0}"#
        )]
    );
}

#[test]
fn numbers_that_are_large_and_close_have_their_deviation() {
    let members: Vec<_> = [1e16, 1e16 + 2.0, 1e16 + 4.0].map(|n| payment("x", Value::Float(n))).into();
    let options = json!({"value_field": "amount", "compute_mean": false, "stddev": true});
    assert_eq!(
        figures(options, &members),
        [r#"{"count":3,"sum":3.000000000000001e+16,"batch_size":3,"stddev":2.0}"#]
    );
}

#[test]
fn numbers_that_are_equal_make_one_group_and_texts_another() {
    let member = |key: Value| row(&[("key", key), ("amount", Value::Int(1))]);
    let members = [
        member(Value::Int(1)),
        member(text("1")),
        member(Value::Float(1.0)),
        member(Value::List(vec![Value::Int(1)])),
        member(Value::List(vec![Value::Int(1)])),
    ];
    assert_eq!(
        figures(json!({"value_field": "amount", "group_by": "key", "compute_mean": false}), &members),
        [
            r#"{"count":2,"sum":2,"batch_size":2,"key":1}"#,
            r#"{"count":1,"sum":1,"batch_size":1,"key":"1"}"#,
            r#"{"count":2,"sum":2,"batch_size":2,"key":[1]}"#,
        ]
    );
}

#[test]
fn a_member_without_a_number_is_taken_out_and_the_others_are_counted() {
    let members = [
        payment("north", text("12")),
        payment("south", Value::Int(1)),
        payment("north", Value::Null),
        payment("north", Value::Float(0.5)),
        row(&[("region", text("south"))]),
        row(&[("amount", Value::Int(1))]),
        payment("west", Value::Bool(true)),
    ];
    assert_eq!(
        figures(json!({"value_field": "amount", "group_by": "region"}), &members),
        [
            "0 type_mismatch: batch_stats needs a number, but the field `amount` is str",
            "2 transform_error: batch_stats needs a number, but the field `amount` has no value",
            "4 transform_error: batch_stats needs a number, but the field `amount` has no value",
            "5 transform_error: the field `region` is missing",
            "6 type_mismatch: batch_stats needs a number, but the field `amount` is bool",
            r#"{"count":1,"sum":0.5,"batch_size":3,"mean":0.5,"region":"north"}"#,
            r#"{"count":1,"sum":1,"batch_size":2,"mean":1.0,"region":"south"}"#,
        ]
    );
    assert_eq!(figures(json!({"value_field": "amount"}), &[]), [""; 0]);
}

#[test]
fn decimals_stay_exact() {
    let decimal = |text: &str| Value::Decimal(text.parse().unwrap());
    let members = [payment("x", decimal("0.10")), payment("x", decimal("0.20")), payment("x", Value::Int(3))];
    let shown = figures(json!({"value_field": "amount", "max": true}), &members);
    assert_eq!(shown, [r#"{"count":3,"sum":"3.30","batch_size":3,"mean":"1.10","max":3}"#]);
}

#[test]
fn a_sum_that_the_record_cannot_hold_takes_its_group_alone_out_of_the_batch() {
    let decimal = Value::Decimal("79228162514264337593543950335".parse().unwrap());
    let int = Value::Int(9_007_199_254_740_991);
    let again = "; use smaller batches, or make the field a float before";
    for (huge, limit) in [
        (int, format!("integers go to 9007199254740991{again}")),
        (decimal, format!("decimals have 28 digits{again}")),
        (
            Value::Float(f64::MAX),
            "floats go to 1.7976931348623157e308; use smaller batches, or smaller units".to_owned(),
        ),
    ] {
        let members = [
            payment("a", huge.clone()),
            payment("b", Value::Int(1)),
            payment("a", text("none")),
            payment("a", huge.clone()),
            payment("c", huge.clone()),
        ];
        let options = json!({"value_field": "amount", "group_by": "region", "compute_mean": false});
        let shown = figures(options, &members);
        assert_eq!(
            (shown.len(), shown[0].as_str()),
            (5, "2 type_mismatch: batch_stats needs a number, but the field `amount` is str")
        );
        assert_eq!(shown[1], r#"{"count":1,"sum":1,"batch_size":1,"region":"b"}"#);
        assert!(shown[2].ends_with(r#""region":"c"}"#), "{}", shown[2]);
        let reason =
            format!("limit_exceeded: the sum of `amount` where `region` is \"a\" is too large: {limit}");
        assert_eq!(shown[3..], [format!("0 {reason}"), format!("3 {reason}")]);
        let alone = aggregation("batch_stats", &json!({"value_field": "amount"}));
        let failed = flush(alone.as_ref(), &[members[0].clone(), members[3].clone()]).unwrap_err();
        assert_eq!(failed.kind, FailureKind::LimitExceeded);
        assert_eq!(failed.message, format!("the sum of `amount` is too large: {limit}"));
    }
}

#[test]
fn the_rows_behind_are_known_before_any_row_comes() {
    let options =
        json!({"value_field": "amount", "group_by": "region", "stddev": true, "percentiles": [99.9]});
    let plugin = aggregation("batch_stats", &options);
    let types = |ty: &str, region: &str| {
        let input =
            json!({"mode": "flexible", "fields": [format!("amount: {ty}"), format!("region: {region}")]});
        let output = plugin.output_contract(&contract(input)).unwrap();
        output.fields.into_iter().map(|f| (f.name.to_string(), f.ty, f.required)).collect::<Vec<_>>()
    };
    let expected = |sum, mean, region| {
        [
            ("count", FieldType::Int, true),
            ("sum", sum, true),
            ("batch_size", FieldType::Int, true),
            ("mean", mean, true),
            ("stddev", FieldType::Float, false),
            ("p99_9", FieldType::Float, true),
            ("region", FieldType::Str, region),
        ]
        .map(|(name, ty, required)| (name.to_owned(), ty, required))
    };
    assert_eq!(types("int", "str"), expected(FieldType::Int, FieldType::Float, true));
    assert_eq!(types("float", "str?"), expected(FieldType::Float, FieldType::Float, false));
    assert_eq!(types("decimal", "str"), expected(FieldType::Decimal, FieldType::Decimal, true));
    assert_eq!(types("any", "str"), expected(FieldType::Any, FieldType::Any, true));
}

#[test]
fn fields_that_cannot_be_there_are_refused_before_any_row_comes() {
    let plugin = aggregation("batch_stats", &json!({"value_field": "amount", "group_by": "region"}));
    let cases = [
        (
            ["amount: str", "region: str"],
            "value_field: batch_stats needs numbers, but the field `amount` is str",
        ),
        (
            ["amount: bool", "region: str"],
            "value_field: batch_stats needs numbers, but the field `amount` is bool",
        ),
        (
            ["id: int", "region: str"],
            "value_field: batch_stats names the field `amount`, which these rows cannot have",
        ),
        (
            ["amount: int", "id: str"],
            "group_by: batch_stats groups by the field `region`, which these rows cannot have",
        ),
    ];
    for (fields, message) in cases {
        let input = contract(json!({"mode": "fixed", "fields": fields}));
        assert_eq!(told(plugin.output_contract(&input)), Err(vec![message.to_owned()]));
    }
    let errors =
        plugin.output_contract(&contract(json!({"mode": "fixed", "fields": ["id: int"]}))).unwrap_err();
    assert_eq!(
        errors.iter().map(|error| error.path.as_str()).collect::<Vec<_>>(),
        ["value_field", "group_by"]
    );
}

#[test]
fn options_that_cannot_work_are_refused() {
    let cases = [
        (json!({"value_field": ""}), "value_field: the field has no name (no help)"),
        (
            json!({"value_field": "a", "group_by": " "}),
            "group_by: the field has no name (leave `group_by` out for one group of all members)",
        ),
        (
            json!({"value_field": "a", "group_by": "mean"}),
            "group_by: `mean` is a field of the output already (rename the field before)",
        ),
        (
            json!({"value_field": "a", "percentiles": [101]}),
            "percentiles.0: must be from 0 to 100, but is 101 (no help)",
        ),
        (
            json!({"value_field": "a", "percentiles": [50, 50.0]}),
            "percentiles.1: 50 is asked for twice (no help)",
        ),
    ];
    for (options, message) in cases {
        assert_eq!(refused("aggregation", "batch_stats", &options), [message]);
    }
    aggregation("batch_stats", &json!({"value_field": "a", "group_by": "mean", "compute_mean": false}));
}
