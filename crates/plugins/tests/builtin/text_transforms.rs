//! The passthrough, truncate and keyword_filter transforms.

use elspeth_contracts::FailureKind;
use elspeth_value::{Contract, Value};
use serde_json::{Value as Json, json};

use crate::driving::{process, row, text, told, transform};

fn contract(mode: &str, fields: &[&str]) -> Contract {
    Contract::from_settings(&json!({"mode": mode, "fields": fields})).unwrap()
}

/// What becomes of the field `t` with this value.
fn of_text(name: &str, options: &Json, value: Value) -> Result<String, (FailureKind, String)> {
    process(transform(name, options).as_ref(), row(&[("t", value)]))
        .map_err(|reason| (reason.kind, reason.message))
}

#[test]
fn passthrough_changes_nothing_and_hands_its_schema_to_the_engine() {
    let options = json!({"schema": {"mode": "fixed", "fields": ["t: str"]}, "validate_input": true});
    let passthrough = transform("passthrough", &options);
    assert_eq!(passthrough.input_contract(), contract("fixed", &["t: str"]));
    let input = contract("flexible", &["a: int"]);
    assert_eq!(passthrough.output_contract(&input), Ok(input));
    assert_eq!(of_text("passthrough", &options, text("x")), Ok("= {\"t\":\"x\"}".to_owned()));
}

#[test]
fn truncate_counts_characters_and_keeps_the_suffix_inside_the_limit() {
    for (options, value, expected) in [
        (json!({"fields": {"t": 3}}), "abcd", "{\"t\":\"abc\"}"),
        (json!({"fields": {"t": 4}}), "abcd", "= {\"t\":\"abcd\"}"),
        (json!({"fields": {"t": 4}, "suffix": "..."}), "abcde", "{\"t\":\"a...\"}"),
        (json!({"fields": {"t": 5}, "suffix": "..."}), "abcde", "= {\"t\":\"abcde\"}"),
        (json!({"fields": {"t": 2}}), "\u{1f600}\u{e9}\u{20ac}", "{\"t\":\"\u{1f600}\u{e9}\"}"),
        (json!({"fields": {"t": 3}}), "\u{1f600}\u{e9}\u{20ac}", "= {\"t\":\"\u{1f600}\u{e9}\u{20ac}\"}"),
        (
            json!({"fields": {"t": 2}, "suffix": "\u{2026}"}),
            "\u{1f600}\u{e9}\u{20ac}",
            "{\"t\":\"\u{1f600}\u{2026}\"}",
        ),
        (json!({"fields": {}}), "abcd", "= {\"t\":\"abcd\"}"),
        (json!({"fields": {"other": 1}}), "abcd", "= {\"t\":\"abcd\"}"),
    ] {
        assert_eq!(of_text("truncate", &options, text(value)), Ok(expected.to_owned()), "{options}");
    }
}

#[test]
fn truncate_refuses_what_is_no_text_and_when_strict_what_is_missing() {
    let loose = json!({"fields": {"t": 3}});
    let strict = json!({"fields": {"t": 3}, "strict": true});
    let no_text = (FailureKind::TypeMismatch, "truncate cuts text, but the field `t` is int".to_owned());
    assert_eq!(of_text("truncate", &loose, Value::Int(12345)), Err(no_text));
    assert_eq!(of_text("truncate", &loose, Value::Null), Ok("= {\"t\":null}".to_owned()));
    assert_eq!(of_text("truncate", &strict, Value::Null), Ok("= {\"t\":null}".to_owned()));
    let absent = process(transform("truncate", &strict).as_ref(), row(&[("other", text("x"))])).unwrap_err();
    assert_eq!((absent.kind, absent.field.as_deref()), (FailureKind::TransformError, Some("t")));
    assert_eq!(absent.message, "the field `t` is missing");
}

#[test]
fn truncate_is_checked_against_known_schemas() {
    let truncate = transform("truncate", &json!({"fields": {"t": 3}}));
    for fields in [["t: str"], ["t: any?"]] {
        let input = contract("fixed", &fields);
        assert_eq!(truncate.output_contract(&input), Ok(input));
    }
    let open = contract("flexible", &["a: int"]);
    assert_eq!(truncate.output_contract(&open), Ok(open));
    assert_eq!(
        told(truncate.output_contract(&contract("fixed", &["t: int"]))),
        Err(vec!["fields.t: truncate cuts text, but the field `t` is int".to_owned()])
    );
    assert_eq!(
        told(truncate.output_contract(&contract("fixed", &["a: str"]))),
        Err(vec!["fields.t: truncate names the field `t`, which these rows cannot have".to_owned()])
    );
    let several = transform("truncate", &json!({"fields": {"id": 2, "t": 3, "zz": 3}}));
    let errors = several.output_contract(&contract("fixed", &["id: int", "t: str"])).unwrap_err();
    assert_eq!(
        errors.iter().map(|error| error.path.as_str()).collect::<Vec<_>>(),
        ["fields.id", "fields.zz"]
    );
}

#[test]
fn keyword_filter_names_pattern_field_and_place_but_never_the_text() {
    let options = json!({"fields": ["t"], "blocked_patterns": ["zzz", "(?i)\\bpass(word)?\\b"]});
    let (kind, message) =
        of_text("keyword_filter", &options, text("\u{e9}\u{e9} my PASSWORD is hunter2")).unwrap_err();
    assert_eq!(kind, FailureKind::TransformError);
    assert_eq!(
        message,
        "blocked pattern 2 (`(?i)\\bpass(word)?\\b`) was found in the field `t` at character 7"
    );
    assert_eq!(
        of_text("keyword_filter", &options, text("compassion")),
        Ok("= {\"t\":\"compassion\"}".to_owned())
    );
}

#[test]
fn keyword_filter_looks_where_it_is_told_and_inside_of_lists_and_maps() {
    let nested =
        Value::List(vec![Value::Int(1), Value::Map([("k".into(), text("bad"))].into_iter().collect())]);
    let key = Value::Map([("bad".into(), Value::Null)].into_iter().collect());
    let filter = |fields: Json, row| {
        let options = json!({"fields": fields, "blocked_patterns": ["bad"]});
        process(transform("keyword_filter", &options).as_ref(), row).map_err(|reason| reason.field.unwrap())
    };
    for value in [text("bad"), nested, key] {
        assert_eq!(
            filter(json!("all"), row(&[("a", Value::Int(1)), ("b", value.clone())])),
            Err("b".to_owned())
        );
        assert_eq!(filter(json!("b"), row(&[("b", value.clone())])), Err("b".to_owned()));
        assert!(filter(json!(["a", "c"]), row(&[("a", Value::Int(1)), ("b", value)])).is_ok());
    }
    assert!(filter(json!("all"), row(&[("bad", text("a field's name is no text"))])).is_ok());
}

#[test]
fn keyword_filter_refuses_rows_that_it_cannot_look_at_when_it_is_strict() {
    let filter = |strict: bool, row| {
        let options = json!({"fields": ["t"], "blocked_patterns": ["bad"], "strict": strict});
        process(transform("keyword_filter", &options).as_ref(), row).map_err(|reason| reason.message)
    };
    for lacking in [row(&[("a", text("bad"))]), row(&[("t", Value::Null)])] {
        assert!(filter(false, lacking.clone()).is_ok());
        assert_eq!(filter(true, lacking), Err("the field `t` is missing".to_owned()));
    }
    let list = |items: &[Value]| Value::List(items.to_vec());
    for (unsearchable, what) in [
        (Value::Int(4_111), "int"),
        (Value::Bool(true), "bool"),
        (list(&[Value::Int(1), list(&[Value::Float(0.5)])]), "a list without text"),
    ] {
        let unsearchable = row(&[("t", unsearchable)]);
        assert!(filter(false, unsearchable.clone()).is_ok());
        let expected = format!("keyword_filter searches text, but the field `t` is {what}");
        assert_eq!(filter(true, unsearchable), Err(expected));
    }
    let map = Value::Map([("k".into(), Value::Int(1))].into_iter().collect());
    for searched in [text("good"), list(&[]), list(&[Value::Int(1), text("good")]), map] {
        assert!(filter(true, row(&[("t", searched)])).is_ok());
    }
}

#[test]
fn keyword_filter_takes_no_time_for_texts_that_make_other_searches_run_away() {
    let options = json!({"fields": "all", "blocked_patterns": ["(a*)*b", "(x+x+)+y"]});
    let value = text(&"ax".repeat(50_000));
    let begin = std::time::Instant::now();
    assert!(of_text("keyword_filter", &options, value).is_ok());
    assert!(begin.elapsed().as_secs() < 20, "a backtracking search would take ages");
}

#[test]
fn keyword_filter_is_checked_against_known_schemas() {
    let filter = transform("keyword_filter", &json!({"fields": ["t"], "blocked_patterns": ["x"]}));
    assert!(filter.output_contract(&contract("fixed", &["t: str"])).is_ok());
    assert!(filter.output_contract(&contract("flexible", &["a: str"])).is_ok());
    assert!(filter.output_contract(&contract("flexible", &["t: any"])).is_ok());
    for mode in ["fixed", "flexible"] {
        assert_eq!(
            told(filter.output_contract(&contract(mode, &["t: int"]))),
            Err(vec!["fields.0: keyword_filter searches text, but the field `t` is int".to_owned()])
        );
    }
    assert_eq!(
        told(filter.output_contract(&contract("fixed", &["a: str"]))),
        Err(vec!["fields.0: keyword_filter names the field `t`, which these rows cannot have".to_owned()])
    );
    let several = json!({"fields": ["id", "t", "zz"], "blocked_patterns": ["x"]});
    let errors =
        transform("keyword_filter", &several).output_contract(&contract("fixed", &["id: int", "t: str"]));
    let errors = errors.unwrap_err();
    assert_eq!(errors.iter().map(|error| error.path.as_str()).collect::<Vec<_>>(), ["fields.0", "fields.2"]);
}
