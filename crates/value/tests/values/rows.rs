//! Rows and their shapes.

use std::sync::Arc;

use elspeth_canonical::CanonicalError;
use elspeth_value::{Map, Row, Shape, Value};
use serde_json::json;

fn shape(names: &[&str]) -> Arc<Shape> {
    Shape::new(names.iter().map(|n| (*n).into()))
}

fn canonical(row: &Row) -> String {
    let mut out = Vec::new();
    row.write_canonical(&mut out).expect("it has a canonical form");
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn fields_are_set_in_place_or_behind() {
    let mut row = Row::from_pairs([
        ("a".into(), Value::Int(1)),
        ("b".into(), Value::Int(2)),
        ("a".into(), Value::Int(3)),
    ]);
    assert_eq!(row.to_json().to_string(), r#"{"a":3,"b":2}"#);
    row.set("b", Value::Null);
    row.set("c", Value::Bool(true));
    assert_eq!(row.to_json().to_string(), r#"{"a":3,"b":null,"c":true}"#);
    assert_eq!(row.remove("a"), Some(Value::Int(3)));
    assert_eq!(row.remove("a"), None);
    assert_eq!(row.to_json().to_string(), r#"{"b":null,"c":true}"#);
    assert_eq!(canonical(&row), r#"{"b":null,"c":true}"#);
    assert_eq!((row.get("c"), row.get("a")), (Some(&Value::Bool(true)), None));
}

#[test]
fn rows_that_are_changed_alike_share_their_new_shape() {
    let common = shape(&["a"]);
    let changed = |n: i64| {
        let mut row = Row::new(Arc::clone(&common), vec![Value::Int(n)]);
        row.set("b", Value::Int(n));
        row.set("c", Value::Int(n));
        row.remove("a");
        row
    };
    assert!(Arc::ptr_eq(changed(1).shape(), changed(2).shape()));
    // And so many different changes that not all are remembered.
    for n in 0..100 {
        let mut row = Row::new(Arc::clone(&common), vec![Value::Null]);
        row.set(&format!("field_{n}"), Value::Int(n));
        assert_eq!(row.shape().names(), ["a".to_owned(), format!("field_{n}")]);
    }
}

#[test]
fn shapes_are_equal_by_their_names() {
    assert_eq!(shape(&["a", "b"]), shape(&["a", "b"]));
    assert_ne!(shape(&["a", "b"]), shape(&["b", "a"]));
    let row = |names| Row::new(shape(names), vec![Value::Int(1), Value::Int(2)]);
    assert_eq!(row(&["a", "b"]), row(&["a", "b"]));
    assert_ne!(row(&["a", "b"]), row(&["a", "c"]));
}

#[test]
#[should_panic(expected = "distinct names")]
fn a_shape_has_no_name_twice() {
    let _ = shape(&["a", "b", "a"]);
}

#[test]
#[should_panic(expected = "one value for each field")]
fn a_row_has_a_value_for_each_field() {
    let _ = Row::new(shape(&["a"]), Vec::new());
}

#[test]
fn what_cannot_be_hashed_leaves_the_buffer_as_it_was() {
    let bad = [
        (Value::Float(f64::NAN), CanonicalError::NonFinite("NaN".to_owned())),
        (Value::Int(1 << 53), CanonicalError::UnsafeInteger((1_i64 << 53).to_string())),
        (
            Value::List(vec![Value::Map([("x".into(), Value::Float(f64::INFINITY))].into_iter().collect())]),
            CanonicalError::NonFinite("inf".to_owned()),
        ),
    ];
    for (value, expected) in bad {
        let row = Row::from_pairs([("a".into(), Value::Str("kept?".into())), ("b".into(), value)]);
        let mut out = b"before".to_vec();
        assert_eq!(row.write_canonical(&mut out), Err(expected));
        assert_eq!(out, b"before");
    }
}

#[test]
fn typed_json_stays_json_even_for_what_is_not_finite() {
    let row = Row::from_pairs([
        ("a".into(), Value::Float(f64::NAN)),
        ("b".into(), Value::Float(f64::NEG_INFINITY)),
    ]);
    let mut out = Vec::new();
    row.write_json(&mut out);
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&out).unwrap(), json!({"a": "nan", "b": "-inf"}));
}

#[test]
fn json_numbers_keep_their_kind_and_their_bounds() {
    let value = Value::from_json(json!([2500, 2500.0, -0.0, 9_007_199_254_740_991_i64])).unwrap();
    let mut out = Vec::new();
    value.write_json(&mut out);
    assert_eq!(out, b"[2500,2500.0,-0.0,9007199254740991]");
    for json in
        [json!(9_007_199_254_740_992_i64), json!(u64::MAX), json!(i64::MIN), json!({"a": [1_u64 << 60]})]
    {
        assert!(Value::from_json(json).unwrap_err().contains("`str`"));
    }
}

#[test]
fn maps_keep_their_order_and_are_canonical_in_any() {
    let entries =
        |keys: [&str; 3]| -> Map { keys.into_iter().map(|k| (k.into(), Value::Str(k.into()))).collect() };
    for keys in [["a", "b", "c"], ["c", "b", "a"], ["\u{fb33}", "\u{1f600}", "b"]] {
        let value = Value::Map(entries(keys));
        let (mut typed, mut canonical) = (Vec::new(), Vec::new());
        value.write_json(&mut typed);
        value.write_canonical(&mut canonical).unwrap();
        assert!(typed.starts_with(format!("{{\"{0}\":\"{0}\"", keys[0]).as_bytes()));
        assert_eq!(canonical, elspeth_canonical::to_canonical_vec(&value.to_json()).unwrap());
    }
    let mut map = entries(["a", "b", "c"]);
    map.insert("b".into(), Value::Null);
    assert_eq!((map.len(), map.get("b"), map.get("z"), map.is_empty()), (3, Some(&Value::Null), None, false));
}
