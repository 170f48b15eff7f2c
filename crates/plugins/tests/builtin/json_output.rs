//! What the json sink writes.

use elspeth_testkit::Scratch;
use elspeth_value::{Row, Value};
use serde_json::{Value as Json, json};

use crate::driving::{context, output, row, sink, text, write};

fn rows() -> Vec<Row> {
    let list = Value::List(vec![Value::Int(2500), Value::Float(2500.0)]);
    vec![
        row(&[("id", Value::Int(1)), ("x", list)]),
        row(&[("name", text("\u{1f600} \"q\"\n")), ("id", Value::Null)]),
    ]
}

fn json_text(name: &str, options: Json, epochs: &[Vec<Row>]) -> String {
    let scratch = Scratch::new();
    let mut options = options;
    options["path"] = json!(scratch.join(name));
    String::from_utf8(output("json", &options, epochs).0).unwrap()
}

#[test]
fn an_array_has_one_element_a_line_whatever_the_epochs() {
    let expected =
        "[\n{\"id\":1,\"x\":[2500,2500.0]},\n{\"name\":\"\u{1f600} \\\"q\\\"\\n\",\"id\":null}\n]\n";
    assert_eq!(json_text("out.json", json!({}), &[rows()]), expected);
    let one_by_one: Vec<_> = rows().into_iter().map(|row| vec![row]).collect();
    assert_eq!(json_text("out.json", json!({}), &one_by_one), expected);
    assert_eq!(json_text("out.json", json!({}), &[]), "[]\n");
}

#[test]
fn an_array_can_be_indented() {
    let expected = "[\n  {\n    \"id\": 1,\n    \"x\": [\n      2500,\n      2500.0\n    ]\n  },\n  {}\n]\n";
    let rows = vec![rows()[0].clone(), row(&[])];
    assert_eq!(json_text("out.json", json!({"indent": 2}), std::slice::from_ref(&rows)), expected);
    let flat = json_text("out.json", json!({"indent": 0}), &[rows]);
    assert_eq!(flat, expected.lines().map(|line| format!("{}\n", line.trim_start())).collect::<String>());
}

#[test]
fn lines_hold_one_object_each() {
    let expected = "{\"Key\":1,\"x\":[2500,2500.0]}\n{\"name\":\"\u{1f600} \\\"q\\\"\\n\",\"Key\":null}\n";
    for name in ["out.jsonl", "out.NDJSON"] {
        assert_eq!(json_text(name, json!({"headers": {"id": "Key"}}), &[rows()]), expected);
    }
    assert_eq!(
        json_text("out.json", json!({"format": "jsonl", "headers": {"id": "Key"}}), &[rows()]),
        expected
    );
    assert_eq!(json_text("out.jsonl", json!({}), &[]), "");
}

#[test]
fn an_array_is_whole_after_every_commit() {
    let scratch = Scratch::new();
    let mut sink = sink("json", &json!({"path": scratch.join("out.json")}));
    sink.open(&context(&[]), None).unwrap();
    let staged = || {
        let files: Vec<_> =
            std::fs::read_dir(scratch.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        let [file] = files.as_slice() else { panic!("one staged file, not {files:?}") };
        serde_json::from_slice::<Vec<Json>>(&std::fs::read(file).unwrap()).unwrap().len()
    };
    assert_eq!(staged(), 0);
    for epoch in 1..=3 {
        write(sink.as_mut(), &rows()).unwrap();
        assert_eq!(staged(), 2 * epoch);
    }
}

#[test]
fn encodings_that_lack_a_character_get_an_escape() {
    let scratch = Scratch::new();
    for encoding in ["latin-1", "ascii", "shift_jis"] {
        let options = json!({"path": scratch.join("out.jsonl"), "encoding": encoding});
        let (bytes, refused) = output("json", &options, &[vec![rows()[1].clone()]]);
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "{\"name\":\"\\ud83d\\ude00 \\\"q\\\"\\n\",\"id\":null}\n"
        );
        assert!(refused.is_empty());
    }
    let options = json!({"path": scratch.join("out.json"), "encoding": "utf-16"});
    let (bytes, _) = output("json", &options, &[vec![row(&[("a", text("\u{e9}"))])]]);
    let expected = "\u{feff}[\n{\"a\":\"\u{e9}\"}\n]\n";
    assert_eq!(bytes, expected.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>());
}

#[test]
fn rows_that_break_the_schema_or_would_repeat_a_key_are_refused_alone() {
    let scratch = Scratch::new();
    let options = json!({
        "path": scratch.join("out.jsonl"),
        "schema": {"mode": "flexible", "fields": ["id: int?"]},
        "headers": {"id": "name"},
        "validate_input": true,
    });
    let rows =
        vec![rows()[0].clone(), rows()[1].clone(), row(&[("id", text("x"))]), row(&[("id", Value::Int(2))])];
    let (bytes, refused) = output("json", &options, &[rows]);
    assert_eq!(String::from_utf8(bytes).unwrap(), "{\"name\":1,\"x\":[2500,2500.0]}\n{\"name\":2}\n");
    assert_eq!(
        refused,
        [
            "1: its fields `name` and `id` would both be called `name`",
            "2: field `id` must be int: it is of type str",
        ]
    );
}

#[test]
fn lines_can_be_appended_to() {
    let scratch = Scratch::new();
    let rows = [vec![row(&[("a", Value::Int(1))])]];
    for (before, after) in [("", "{\"a\":1}\n"), ("{}\n", "{}\n{\"a\":1}\n"), ("{}", "{}\n{\"a\":1}\n")] {
        let options = json!({"path": scratch.write("out.jsonl", before), "mode": "append"});
        assert_eq!(String::from_utf8(output("json", &options, &rows).0).unwrap(), after);
    }
}
