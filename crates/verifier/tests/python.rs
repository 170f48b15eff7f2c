//! What the verifier in Python rests on. That it comes to the same answers is checked by `cargo xtask ci`, where there is a
//! Python.

use std::fs;
use std::path::{Path, PathBuf};

use elspeth_proof::{Field, Form, Kind};
use serde_json::{Map, Value, json};

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn form(form: Form) -> Value {
    match form {
        Form::Number(width) => json!(format!("u{}", width * 8)),
        Form::Flag => json!([false, true]),
        Form::Code(names) => json!(names),
        Form::Hash => json!("hash"),
        Form::Text => json!("text"),
        Form::Token => json!("token_key"),
        Form::Reason => json!("reason"),
        Form::At => json!("error_at"),
    }
}

fn fields(kind: Kind) -> Map<String, Value> {
    let name = |field: &Field| format!("{}{}", field.name, if field.optional { "?" } else { "" });
    let tag = ("record".to_owned(), json!(format!("={}", kind.tag())));
    std::iter::once(tag).chain(kind.fields().iter().map(|field| (name(field), form(field.form)))).collect()
}

#[test]
fn the_table_of_records_is_that_of_elspeth_proof() {
    let text = fs::read_to_string(here("python/records.json")).unwrap();
    let table: Map<String, Value> = serde_json::from_str(&text).unwrap();
    let objects = ["reason", "error_at", "receipt", "decisions"];
    let parts = ["releases", "release_leaf", "acts", "leaf", "registry"];
    let kinds = Kind::ALL.iter().filter(|kind| kind.is_in_leaves());
    let known: Vec<&str> = kinds.clone().map(|kind| kind.name()).chain(objects).chain(parts).collect();
    assert_eq!(table.keys().collect::<Vec<_>>(), known);
    for kind in kinds {
        let (found, expected) = (table[kind.name()].as_object().unwrap(), fields(*kind));
        // In order, too: it is that of the bytes.
        assert!(found.iter().eq(expected.iter()), "{}: {found:?} is not {expected:?}", kind.name());
    }
}

#[test]
fn the_script_is_one_file_of_fewer_than_250_lines() {
    let names = fs::read_dir(here("python")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["records.json", "verify_receipt.py"]);
    let script = fs::read_to_string(here("python/verify_receipt.py")).unwrap();
    assert!(script.lines().count() < 250 && script.lines().all(|line| line.chars().count() <= 120));
}
