//! What CPython gives, expression by expression; `data/generate.py` says how the expectations were made.

mod fixture;

use std::collections::BTreeMap;

use elspeth_expr::{EvalError, Expr, Root, Scope};
use elspeth_value::Value;
use serde::Deserialize;
use serde_json::Value as Json;

use fixture::{map_of, row_of, value_of};

#[derive(Deserialize)]
struct Cases {
    rows: BTreeMap<String, Json>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    expr: String,
    row: String,
    #[serde(default, deserialize_with = "present")]
    value: Option<Json>,
    label: Option<String>,
    error: Option<String>,
}

/// `null` is a value here, not an absence.
fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(from).map(Some)
}

fn cases() -> Cases {
    serde_json::from_str(include_str!("data/cases.json")).expect("the generated file is JSON")
}

/// Same type and same value; floats by their bits, so that `-0.0` is not `0.0`.
fn same(found: &Value, expected: &Json) -> bool {
    match (found, expected) {
        (Value::List(found), Json::Object(set)) if set.contains_key("__set__") => {
            let expected = set["__set__"].as_array().expect("a list");
            found.len() == expected.len()
                && expected.iter().all(|item| found.iter().any(|other| same(other, item)))
        }
        (Value::List(found), Json::Array(expected)) => {
            found.len() == expected.len() && found.iter().zip(expected).all(|(f, e)| same(f, e))
        }
        (Value::Map(found), Json::Object(expected)) => {
            let names = found.iter().map(|(name, _)| name).eq(expected.keys().map(String::as_str));
            names && found.iter().zip(expected.values()).all(|((_, f), e)| same(f, e))
        }
        (found, expected) => match (found, value_of(expected)) {
            (Value::Float(found), Value::Float(expected)) => found.to_bits() == expected.to_bits(),
            (found, expected) => *found == expected,
        },
    }
}

fn complaint(case: &Case, result: &Result<Value, EvalError>) -> Option<String> {
    let fits = match (result, &case.value) {
        (Ok(found), Some(expected)) => same(found, expected),
        (Err(error), None) => !error.message.is_empty() && error.span.end <= case.expr.len(),
        (Ok(_), None) | (Err(_), Some(_)) => false,
    };
    let label = result.as_ref().ok().map(Expr::label);
    let label_fits = case.label.is_none() || label == case.label;
    let expected = (&case.value, &case.label, &case.error);
    (!fits || !label_fits)
        .then(|| format!("{}\n  gives {result:?} ({label:?})\n  not {expected:?}", case.expr))
}

#[test]
fn gives_what_python_gives() {
    let Cases { rows, cases } = cases();
    let rows: BTreeMap<String, _> =
        rows.iter().map(|(name, row)| (name.as_str().to_owned(), row_of(row))).collect();
    let mut complaints = Vec::new();
    for case in &cases {
        assert!(case.value.is_some() != case.error.is_some(), "{} has one expectation", case.expr);
        match Expr::parse(&case.expr, Root::Row) {
            Ok(expr) => complaints.extend(complaint(case, &expr.eval(Scope::Row(&rows[&case.row])))),
            Err(error) => complaints.push(format!("{}\n  refused: {error:?}", case.expr)),
        }
    }
    assert!(cases.len() > 2500, "the table was read");
    assert!(complaints.is_empty(), "{} of {}:\n{}", complaints.len(), cases.len(), complaints.join("\n"));
}

#[test]
fn a_row_given_as_a_named_map_gives_the_same() {
    let Cases { rows, cases } = cases();
    let maps: BTreeMap<&str, Value> =
        rows.iter().map(|(name, row)| (name.as_str(), Value::Map(map_of(row)))).collect();
    let complaints: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            let expr = Expr::parse(&case.expr, Root::Row).expect("parsed by the other test");
            let names = [("row", maps[case.row.as_str()].clone())];
            complaint(case, &expr.eval(Scope::Names(&names)))
        })
        .collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
