//! Random input: lines of JSON, some of them bad in one of the ways in which input is bad.

use serde_json::{Map, Value as Json, json};

use crate::choices::Choices;
use crate::pipeline::SourceSchema;
use crate::scope::{GROUPS, TEXTS};

/// The most rows of one pipeline.
const MOST_ROWS: usize = 14;

/// The lines of the source's file.
pub(crate) fn lines(choices: &mut Choices, schema: SourceSchema) -> Vec<String> {
    let rows = choices.below(MOST_ROWS + 1);
    (0..rows).map(|index| line(choices, index, schema)).collect()
}

fn line(choices: &mut Choices, index: usize, schema: SourceSchema) -> String {
    if choices.chance(4) {
        return choices.one(&["no JSON at all", "[1, 2]", "{\"id\": 3"]).to_owned();
    }
    let mut row = Map::new();
    row.insert("id".to_owned(), if choices.chance(2) { json!("x") } else { json!(index) });
    add(&mut row, "n", number(choices));
    add(&mut row, "s", text(choices, &TEXTS));
    add(&mut row, "opt", optional(choices));
    add(&mut row, "g", text(choices, &GROUPS));
    add(&mut row, "items", items(choices));
    add(&mut row, "c", copies(choices));
    add(&mut row, "one", one(choices));
    if choices.chance(if schema == SourceSchema::Fixed { 3 } else { 15 }) {
        row.insert("extra".to_owned(), json!("more"));
    }
    Json::Object(row).to_string()
}

fn add(row: &mut Map<String, Json>, name: &str, value: Option<Json>) {
    if let Some(value) = value {
        row.insert(name.to_owned(), value);
    }
}

fn number(choices: &mut Choices) -> Option<Json> {
    match choices.weighted(&[90, 3, 2, 2, 2, 2]) {
        0 => Some(json!(choices.within(-2, 6))),
        1 => Some(json!("7")),
        2 => None,
        3 => Some(Json::Null),
        4 => Some(json!("x")),
        _ => Some(json!([1])),
    }
}

fn text(choices: &mut Choices, of: &[&str]) -> Option<Json> {
    match choices.weighted(&[88, 4, 4, 2]) {
        0 => Some(json!(choices.one(of))),
        1 => None,
        2 => Some(Json::Null),
        _ => Some(json!(5)),
    }
}

fn optional(choices: &mut Choices) -> Option<Json> {
    match choices.weighted(&[40, 40, 20]) {
        0 => Some(json!(choices.within(0, 3))),
        1 => None,
        _ => Some(Json::Null),
    }
}

fn items(choices: &mut Choices) -> Option<Json> {
    match choices.weighted(&[82, 6, 6, 6]) {
        0 => Some((0..choices.below(4)).map(|_| item(choices)).collect()),
        1 => None,
        2 => Some(Json::Null),
        _ => Some(json!("no list")),
    }
}

fn item(choices: &mut Choices) -> Json {
    match choices.below(4) {
        0 => json!(choices.within(0, 9)),
        1 => json!(choices.one(&TEXTS)),
        2 => json!({"k": choices.within(0, 2), "text": choices.one(&TEXTS)}),
        _ => json!([null, 1]),
    }
}

fn copies(choices: &mut Choices) -> Option<Json> {
    match choices.weighted(&[75, 10, 5, 5, 5]) {
        0 => Some(json!(choices.within(1, 3))),
        1 => None,
        2 => Some(json!(0)),
        3 => Some(json!(-1)),
        _ => Some(json!("x")),
    }
}

fn one(choices: &mut Choices) -> Option<Json> {
    match choices.weighted(&[85, 10, 3, 2]) {
        0 => Some(json!(1)),
        1 => None,
        2 => Some(json!("x")),
        _ => Some(json!(2)),
    }
}
