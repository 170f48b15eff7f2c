//! The field_mapper transform: rows and schemas.

use elspeth_contracts::FailureKind;
use elspeth_value::{Contract, Row, Value};
use serde_json::{Value as Json, json};

use crate::driving::{process, row, text, told, transform};

fn sample() -> Row {
    let inner = Value::Map([("b".into(), Value::Int(7)), ("n".into(), Value::Null)].into_iter().collect());
    let meta = Value::Map([("a".into(), inner)].into_iter().collect());
    row(&[("id", Value::Int(1)), ("name", text("Ann")), ("meta", meta)])
}

fn map(options: Json) -> Result<String, (FailureKind, String)> {
    process(transform("field_mapper", &options).as_ref(), sample())
        .map_err(|reason| (reason.kind, reason.message))
}

const META: &str = r#""meta":{"a":{"b":7,"n":null}}"#;

#[test]
fn fields_are_renamed_in_place_picked_and_found_inside_of_maps() {
    for (options, expected) in [
        (json!({}), format!(r#"= {{"id":1,"name":"Ann",{META}}}"#)),
        (json!({"mapping": {"id": "key"}}), format!(r#"{{"key":1,"name":"Ann",{META}}}"#)),
        (json!({"mapping": {"id": "id"}}), format!(r#"= {{"id":1,"name":"Ann",{META}}}"#)),
        (json!({"mapping": {"id": "name", "name": "id"}}), format!(r#"{{"name":1,"id":"Ann",{META}}}"#)),
        (json!({"mapping": {"none": "x"}}), format!(r#"= {{"id":1,"name":"Ann",{META}}}"#)),
        (json!({"mapping": {"meta.a.b": "b"}}), format!(r#"{{"id":1,"name":"Ann",{META},"b":7}}"#)),
        (json!({"mapping": {"meta.a.n": "n"}}), format!(r#"{{"id":1,"name":"Ann",{META},"n":null}}"#)),
        (json!({"mapping": {"meta.x.b": "b", "id": "k"}}), format!(r#"{{"k":1,"name":"Ann",{META}}}"#)),
        (json!({"mapping": {"meta.a.n.z": "z"}}), format!(r#"= {{"id":1,"name":"Ann",{META}}}"#)),
        (
            json!({"mapping": {"name": "who", "meta.a.b": "b", "none": "x"}, "select_only": true}),
            r#"{"who":"Ann","b":7}"#.to_owned(),
        ),
        (json!({"mapping": {"id": "id"}, "select_only": true}), r#"{"id":1}"#.to_owned()),
        (
            json!({"computed": {"twice": "row['id'] * 2", "up": "row['name'] + '!'"}}),
            format!(r#"{{"id":1,"name":"Ann",{META},"twice":2,"up":"Ann!"}}"#),
        ),
        (
            json!({"mapping": {"id": "old"}, "computed": {"id": "row['id'] / 2"}}),
            format!(r#"{{"old":1,"name":"Ann",{META},"id":0.5}}"#),
        ),
        (json!({"computed": {"b": "row['meta']['a']['b']"}, "select_only": true}), r#"{"b":7}"#.to_owned()),
    ] {
        assert_eq!(map(options.clone()), Ok(expected), "{options}");
    }
}

#[test]
fn what_cannot_be_mapped_is_the_rows_error_with_its_kind() {
    let collision = |name: &str| {
        (
            FailureKind::FieldCollision,
            format!("there is a field `{name}` already; rename that one too, or choose another name"),
        )
    };
    for (options, expected) in [
        (json!({"mapping": {"id": "name"}}), collision("name")),
        (json!({"mapping": {"meta.a.b": "name"}}), collision("name")),
        (json!({"computed": {"id": "1"}}), collision("id")),
        (
            json!({"mapping": {"none": "x"}, "strict": true}),
            (FailureKind::TransformError, "the field `none` is missing".to_owned()),
        ),
        (
            json!({"mapping": {"meta.x": "x"}, "strict": true}),
            (FailureKind::TransformError, "the field `meta.x` is missing".to_owned()),
        ),
        (
            json!({"mapping": {"name.x": "x"}}),
            (FailureKind::TypeMismatch, "cannot look for `name.x`: `name` is str, not a map".to_owned()),
        ),
        (
            json!({"mapping": {"meta.a.b.c": "x"}}),
            (
                FailureKind::TypeMismatch,
                "cannot look for `meta.a.b.c`: `meta.a.b` is int, not a map".to_owned(),
            ),
        ),
    ] {
        assert_eq!(map(options.clone()), Err(expected), "{options}");
    }
    let (kind, message) = map(json!({"computed": {"x": "1 / row['none']"}})).unwrap_err();
    assert_eq!(kind, FailureKind::TransformError);
    assert!(
        message.starts_with("computing `x` from `1 / row['none']`: ") && message.contains("none"),
        "{message}"
    );
}

#[test]
fn rows_of_many_shapes_are_mapped_by_one_transform() {
    let mapper = transform("field_mapper", &json!({"mapping": {"a": "z", "m.x": "x"}}));
    for round in 0..3 {
        for n in 0..40 {
            let other = format!("f{n}");
            let inside = if n % 2 == 0 { "x" } else { "y" };
            let m = Value::Map([(inside.into(), Value::Int(round))].into_iter().collect());
            let output =
                process(mapper.as_ref(), row(&[(&other, Value::Null), ("a", Value::Int(n)), ("m", m)]))
                    .unwrap();
            let found = if n % 2 == 0 { format!(",\"x\":{round}") } else { String::new() };
            assert_eq!(
                output,
                format!("{{\"{other}\":null,\"z\":{n},\"m\":{{\"{inside}\":{round}}}{found}}}")
            );
        }
    }
}

fn contract(settings: Json) -> Contract {
    Contract::from_settings(&settings).unwrap()
}

#[track_caller]
fn check_schema(options: Json, input: Json, expected: Json) {
    let output = transform("field_mapper", &options).output_contract(&contract(input.clone()));
    assert_eq!(output, Ok(contract(expected)), "{options} on {input}");
}

#[test]
fn what_is_known_of_the_input_is_known_of_the_output() {
    let fixed = json!({"mode": "fixed", "fields": ["id: int", "name: str?", "meta: any"]});
    check_schema(json!({}), fixed.clone(), fixed.clone());
    check_schema(
        json!({"mapping": {"id": "key", "meta.a": "a"}, "computed": {"big": "row['id'] > 3"}}),
        fixed.clone(),
        json!({"mode": "fixed", "fields": ["key: int", "name: str?", "meta: any", "a: any?", "big: bool"]}),
    );
    check_schema(
        json!({"mapping": {"name": "id", "id": "name", "meta.a": "a"}, "strict": true}),
        fixed.clone(),
        json!({"mode": "fixed", "fields": ["name: int", "id: str", "meta: any", "a: any"]}),
    );
    check_schema(
        json!({"mapping": {"name": "name", "id": "key"}, "select_only": true, "computed": {"n": "1.5"}}),
        fixed,
        json!({"mode": "fixed", "fields": ["name: str?", "key: int", "n: float"]}),
    );
    check_schema(
        json!({"mapping": {"b": "c"}, "select_only": true}),
        json!({"mode": "flexible", "fields": ["a: int"]}),
        json!({"mode": "fixed", "fields": ["c: any?"]}),
    );
    check_schema(
        json!({"mapping": {"g": "h", "x": "y"}}),
        json!({"mode": "flexible", "fields": ["a: int", "g: int?"], "guaranteed_fields": ["g"], "audit_fields": ["g"], "required_fields": ["a"]}),
        json!({"mode": "flexible", "fields": ["a: int", "h: int", "y: any?"], "guaranteed_fields": ["h"], "audit_fields": ["h"]}),
    );
}

#[test]
fn where_nothing_is_known_nothing_is_promised() {
    let observed = json!({"mode": "observed"});
    check_schema(json!({"mapping": {"a": "b"}, "strict": true}), observed.clone(), observed.clone());
    check_schema(
        json!({"mapping": {"a": "b"}, "select_only": true}),
        observed,
        json!({"mode": "fixed", "fields": ["b: any?"]}),
    );
    check_schema(
        json!({"mapping": {"a": "b"}, "computed": {"n": "1"}}),
        json!({"mode": "observed", "guaranteed_fields": ["a", "k"]}),
        json!({"mode": "observed", "guaranteed_fields": ["b", "k", "n"]}),
    );
}

#[test]
fn a_field_that_no_row_has_is_skipped_unless_strict() {
    let fixed = || json!({"mode": "fixed", "fields": ["id: int", "name: str"]});
    check_schema(
        json!({"mapping": {"none": "x", "other.a": "y", "gone": "name"}}),
        fixed(),
        json!({"mode": "fixed", "fields": ["id: int", "name: str", "x: any?", "y: any?"]}),
    );
    check_schema(
        json!({"mapping": {"id": "no", "none": "x"}, "select_only": true}),
        fixed(),
        json!({"mode": "fixed", "fields": ["no: int", "x: any?"]}),
    );
}

#[test]
fn mappings_that_cannot_work_are_refused_in_a_sentence() {
    let fixed = || contract(json!({"mode": "fixed", "fields": ["id: int", "name: str"]}));
    for (options, expected) in [
        (
            json!({"mapping": {"none": "x"}, "strict": true}),
            "mapping.none: mapping names the field `none`, which these rows cannot have",
        ),
        (
            json!({"mapping": {"none.a": "x"}, "strict": true}),
            "mapping.none.a: mapping names the field `none`, which these rows cannot have",
        ),
        (
            json!({"mapping": {"name.a": "x"}}),
            "mapping.name.a: mapping looks for `name.a` inside of the field `name`, which is str",
        ),
        (
            json!({"mapping": {"id": "name"}}),
            "mapping.id: there is a field `name` already; rename that one too, or choose another name",
        ),
        (
            json!({"computed": {"id": "1"}}),
            "computed.id: there is a field `id` already; rename that one too, or choose another name",
        ),
    ] {
        assert_eq!(
            told(transform("field_mapper", &options).output_contract(&fixed())),
            Err(vec![expected.to_owned()]),
            "{options}"
        );
    }
    let wrong = json!({
        "mapping": {"none": "x", "name.a": "y", "id": "name"},
        "computed": {"n": "row['name'] + row['none']", "m": "row['nmae']"},
        "strict": true,
    });
    let errors = transform("field_mapper", &wrong).output_contract(&fixed()).unwrap_err();
    let paths: Vec<_> = errors.iter().map(|error| error.path.as_str()).collect();
    assert_eq!(paths, ["mapping.none", "mapping.name.a", "computed.n", "computed.m", "mapping.id"]);
    assert_eq!(errors[3].message, "computing `m`: the rows have no field 'nmae'");
    assert!(errors[3].help.as_ref().is_some_and(|help| help.contains("row['name']")), "{:?}", errors[3]);
}
