//! What the csv sink writes, refuses and appends.

use elspeth_testkit::Scratch;
use elspeth_value::{Row, Value};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::driving::{context, output, row, sink, text};

fn csv(options: Json, epochs: &[Vec<Row>]) -> (String, Vec<String>) {
    let scratch = Scratch::new();
    let mut options = options;
    options["path"] = json!(scratch.join("out.csv"));
    let (bytes, refused) = output("csv", &options, epochs);
    (String::from_utf8(bytes).unwrap(), refused)
}

#[test]
fn values_are_written_as_python_writes_them_and_quoted_only_where_needed() {
    let nested = Value::List(vec![Value::Int(1), Value::Float(1.0), text("a\"b")]);
    let map = Value::Map([("k".into(), Value::Null)].into_iter().collect());
    let cases = [
        (Value::Int(-2500), "-2500"),
        (Value::Float(2500.0), "2500.0"),
        (Value::Float(0.1), "0.1"),
        (Value::Float(1e16), "1e+16"),
        (Value::Float(1.5e-7), "1.5e-07"),
        (Value::Bool(true), "True"),
        (Value::Bool(false), "False"),
        (Value::Null, ""),
        (text(""), ""),
        (text(" padded "), " padded "),
        (text("plain'text"), "plain'text"),
        (text("a,b"), "\"a,b\""),
        (text("say \"hi\""), "\"say \"\"hi\"\"\""),
        (text("two\nlines"), "\"two\nlines\""),
        (text("cr\r"), "\"cr\r\""),
        (text("\u{e9}"), "\u{e9}"),
        (nested, "\"[1,1.0,\"\"a\\\"\"b\"\"]\""),
        (map, "\"{\"\"k\"\":null}\""),
        (Value::Bytes(Box::from([0xFF])), "\"{\"\"__bytes__\"\":\"\"/w==\"\"}\""),
    ];
    for (value, expected) in cases {
        let rows = vec![row(&[("first", Value::Int(0)), ("cell", value.clone())])];
        let (written, _) = csv(json!({}), &[rows]);
        assert_eq!(written, format!("first,cell\n0,{expected}\n"), "{value:?}");
    }
}

#[test]
fn columns_are_the_schemas_then_the_others_in_order_of_appearance() {
    let first = vec![
        row(&[("z", Value::Int(1)), ("b", Value::Int(2))]),
        row(&[("y", Value::Int(3)), ("a", text("x")), ("z", Value::Int(4))]),
    ];
    let late = vec![
        row(&[("z", Value::Int(5))]),
        row(&[("late", Value::Int(6)), ("z", Value::Int(7))]),
        row(&[("a", text("y")), ("y", Value::Int(8))]),
    ];
    let schema = json!({"mode": "flexible", "fields": ["a: str?", "b: int?"]});
    let (written, refused) = csv(json!({"schema": schema}), &[first, late]);
    assert_eq!(written, "a,b,z,y,late\n,2,1,,\nx,,4,3,\n,,5,,\n,,7,,6\ny,,,8,\n");
    assert_eq!(refused, [""; 0]);
}

#[test]
fn rows_that_break_the_schema_are_refused_alone() {
    let schema = json!({"mode": "fixed", "fields": ["id: int", "note: str?"]});
    let rows = vec![
        row(&[("id", Value::Int(1))]),
        row(&[("id", text("2"))]),
        row(&[("id", Value::Int(3)), ("more", Value::Null)]),
        row(&[("note", text("no id"))]),
        row(&[("note", text("n")), ("id", Value::Int(5))]),
    ];
    let (written, refused) = csv(json!({"schema": schema, "validate_input": true}), &[rows]);
    assert_eq!(written, "id,note\n1,\n5,n\n");
    assert_eq!(
        refused,
        [
            "1: field `id` must be int: it is of type str",
            "2: field `more` is not in the schema, which is fixed",
            "3: required field `id` is missing",
        ]
    );
}

/// Quarantined rows are text that was refused; a quarantine sink takes them although they do not meet its schema.
#[test]
fn without_validation_the_schema_only_names_the_columns() {
    let schema = json!({"mode": "fixed", "fields": ["id: int", "note: str"]});
    let rows = vec![row(&[("note", text("n")), ("id", text("seven"))]), row(&[("raw", text("7;x"))])];
    let (written, refused) = csv(json!({"schema": schema}), &[rows]);
    assert_eq!(written, "id,note\nseven,n\n");
    assert!(
        refused.len() == 1
            && refused[0].starts_with("1: there is no column for the field `raw`")
            && refused[0].ends_with("the sink's schema is fixed and does not name it"),
        "{refused:?}"
    );
}

#[test]
fn a_file_without_rows_has_the_schemas_header_or_nothing() {
    let schema = json!({"mode": "fixed", "fields": ["id: int", "name: str"]});
    assert_eq!(csv(json!({"schema": schema, "headers": {"id": "The Id"}}), &[]).0, "The Id,name\n");
    assert_eq!(csv(json!({}), &[]).0, "");
}

#[test]
fn a_lone_empty_cell_is_quoted_so_that_it_stays_a_record() {
    let rows = vec![row(&[("a", Value::Null)]), row(&[("a", text(""))]), row(&[("a", text("x"))])];
    assert_eq!(csv(json!({}), &[rows]).0, "a\n\"\"\n\"\"\nx\n");
}

#[test]
fn headers_are_named_as_asked() {
    let rows = vec![row(&[("id", Value::Int(1)), ("total", Value::Int(2))])];
    for (headers, expected) in [
        (json!("normalized"), "id,total\n1,2\n"),
        (json!("original"), "The Id,total\n1,2\n"),
        (json!({"total": "Sum, EUR"}), "id,\"Sum, EUR\"\n1,2\n"),
    ] {
        assert_eq!(csv(json!({"headers": headers}), std::slice::from_ref(&rows)).0, expected);
    }
}

#[test]
fn two_columns_with_one_header_are_an_error_of_the_settings_or_of_the_row_that_brings_the_second() {
    let scratch = Scratch::new();
    let schema = json!({"mode": "flexible", "fields": ["id: int", "total: int"]});
    let options = json!({"path": scratch.join("out.csv"), "headers": {"total": "id"}, "schema": schema});
    let error = sink("csv", &options).open(&context(&[]), None).unwrap_err();
    assert!(error.message.contains("its columns `id` and `total` would both be called `id`"), "{error}");
    let rows = vec![
        row(&[("id", Value::Int(1))]),
        row(&[("id", Value::Int(2)), ("total", Value::Int(2))]),
        row(&[("id", Value::Int(3)), ("note", text("n"))]),
    ];
    let (written, refused) = csv(json!({"headers": {"total": "id"}}), &[rows]);
    assert_eq!(written, "id,note\n1,\n3,n\n");
    assert!(refused.len() == 1 && refused[0].starts_with("1: cannot write `"), "{refused:?}");
    assert!(refused[0].ends_with(
        "its columns `id` and `total` would both be called `id`; give them different names in `headers`"
    ));
}

#[test]
fn delimiters_and_encodings_are_as_asked() {
    let rows = vec![row(&[("a", text("caf\u{e9};")), ("b", Value::Float(-0.5))])];
    assert_eq!(csv(json!({"delimiter": ";"}), std::slice::from_ref(&rows)).0, "a;b\n\"caf\u{e9};\";-0.5\n");
    assert_eq!(csv(json!({"delimiter": "-"}), std::slice::from_ref(&rows)).0, "a-b\ncaf\u{e9};-\"-0.5\"\n");
    let scratch = Scratch::new();
    for (encoding, expected) in [
        ("latin-1", b"a,b\ncaf\xe9;,-0.5\n".to_vec()),
        ("utf-8-sig", "\u{feff}a,b\ncaf\u{e9};,-0.5\n".as_bytes().to_vec()),
        ("utf-16", "\u{feff}a,b\ncaf\u{e9};,-0.5\n".encode_utf16().flat_map(u16::to_le_bytes).collect()),
    ] {
        let options = json!({"path": scratch.join(encoding), "encoding": encoding});
        assert_eq!(output("csv", &options, std::slice::from_ref(&rows)).0, expected, "{encoding}");
    }
    let more = vec![rows[0].clone(), row(&[("a", text("\u{20ac}")), ("b", Value::Int(1))])];
    let options = json!({"path": scratch.join("refusing"), "encoding": "latin-1"});
    let (bytes, refused) = output("csv", &options, &[more]);
    assert_eq!(bytes, b"a,b\ncaf\xe9;,-0.5\n");
    assert_eq!(refused, ["1: ISO-8859-1 has no character `\u{20ac}`"]);
}

#[test]
fn appending_keeps_what_is_there_and_takes_its_columns() {
    let scratch = Scratch::new();
    let rows = vec![row(&[("id", Value::Int(2)), ("name", text("b"))]), row(&[("id", Value::Int(3))])];
    for (before, options, after) in [
        ("name,id\na,1\n", json!({}), "name,id\na,1\nb,2\n,3\n"),
        ("name,id\na,1", json!({}), "name,id\na,1\nb,2\n,3\n"),
        ("", json!({}), "id,name\n2,b\n3,\n"),
        (
            "Name;The Id\n",
            json!({"delimiter": ";", "headers": {"id": "The Id", "name": "Name"}}),
            "Name;The Id\nb;2\n;3\n",
        ),
        ("The Id,name\n", json!({"headers": "original"}), "The Id,name\n2,b\n3,\n"),
    ] {
        let mut options = options;
        options["path"] = json!(scratch.write("out.csv", before));
        options["mode"] = json!("append");
        let (bytes, refused) = output("csv", &options, std::slice::from_ref(&rows));
        assert_eq!((String::from_utf8(bytes).unwrap().as_str(), refused.len()), (after, 0), "{before:?}");
    }
    let further = vec![rows[0].clone(), row(&[("id", Value::Int(4)), ("more", Value::Int(5))])];
    let options = json!({"path": scratch.write("out.csv", "id,name\n"), "mode": "append"});
    let (bytes, refused) = output("csv", &options, &[further]);
    assert_eq!(bytes, b"id,name\n2,b\n");
    assert!(refused.len() == 1 && refused[0].starts_with("1: there is no column for the field `more` in `"));
    assert!(refused[0].ends_with("the file that the run appends to has none"));
    let new = json!({"path": scratch.join("new.csv"), "mode": "append"});
    assert_eq!(output("csv", &new, std::slice::from_ref(&rows)).0, b"id,name\n2,b\n3,\n");
    assert_eq!(output("csv", &new, std::slice::from_ref(&rows)).0, b"id,name\n2,b\n3,\n2,b\n3,\n");
}

#[test]
fn a_file_that_does_not_fit_is_found_before_the_first_row() {
    let scratch = Scratch::new();
    let fields = json!(["id: int", "name: str"]);
    for (before, mode, expected) in [
        ("id\n1\n", "flexible", "it has no column for the schema's field `name`"),
        ("id,name,x\n", "fixed", "its column `x` is not in the schema, which is fixed"),
        ("id,name,id\n", "observed", "it has the column `id` twice"),
    ] {
        let schema =
            if mode == "observed" { json!({"mode": mode}) } else { json!({"mode": mode, "fields": fields}) };
        let options = json!({"path": scratch.write("out.csv", before), "mode": "append", "schema": schema});
        let error = sink("csv", &options).preflight().unwrap_err();
        assert_eq!(error.message, format!("cannot append to the existing file: {expected}"));
    }
}

#[test]
fn nothing_is_appended_behind_a_quote_that_is_still_open() {
    let scratch = Scratch::new();
    let opened = |before: &str, encoding: &str| {
        let bytes: Vec<u8> = match encoding {
            "utf-16-le" => before.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            _ => before.into(),
        };
        let path = scratch.join("out.csv");
        std::fs::write(&path, &bytes).unwrap();
        let mut sink = sink("csv", &json!({"path": path, "mode": "append", "encoding": encoding}));
        let opened = sink.open(&context(&[]), None).map_err(|e| e.message);
        drop(sink);
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
        opened.map_err(|message| message.split_once("out.csv`: ").unwrap().1.to_owned())
    };
    let long = format!("a\n{}\"{}", "x,\"y\ny\"\n".repeat(20_000), "z\n".repeat(70_000));
    for (before, line) in
        [("a\n\"cut of", 2), ("a\n\"cut of\n", 2), ("a,b\n\"x\"\"\",\"", 2), (&long, 40_002)]
    {
        for encoding in ["utf-8", "utf-16-le"] {
            let expected = format!("the quote opened on its line {line} is not closed");
            assert_eq!(opened(before, encoding), Err(expected));
        }
    }
    for before in
        ["\u{feff}\"a\"\n\"x\"", "a\n5\" pipe\n", "a\n\"x\"\"\"\n", "a\r\n\"x\ny\"\r\n", "a\n\"x\" y\n"]
    {
        assert_eq!(opened(before, "utf-8"), Ok(()), "{before:?}");
    }
}

#[test]
fn a_nul_that_no_csv_source_takes_is_refused_alone() {
    let rows = vec![row(&[("a", text("x"))]), row(&[("a", text("n\0l"))]), row(&[("a", text("y"))])];
    let (written, refused) = csv(json!({}), &[rows]);
    assert_eq!(written, "a\nx\ny\n");
    assert_eq!(refused, ["1: a text has a NUL character, which the csv source refuses"]);
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (-1_000_000i64..1_000_000).prop_map(Value::Int),
        any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(Value::Float),
        "[a,;\"\r\n ']{0,5}".prop_map(|t| text(&t)),
    ]
}

proptest! {
    /// Against an independent reader: what is written reads back cell by cell.
    #[test]
    fn the_csv_crate_reads_back_what_is_written(
        rows in prop::collection::vec(prop::collection::vec(any_value(), 2), 1..6),
        delimiter in prop::sample::select(vec![",", ";", "\\t", "'", " "]),
    ) {
        let typed: Vec<_> = rows.iter().map(|r| row(&[("a", r[0].clone()), ("b", r[1].clone())])).collect();
        let (written, _) = csv(json!({"delimiter": delimiter}), &[typed]);
        let byte = if delimiter == "\\t" { b'\t' } else { delimiter.as_bytes()[0] };
        let mut reader = csv::ReaderBuilder::new().delimiter(byte).from_reader(written.as_bytes());
        let read: Vec<Vec<String>> =
            reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect();
        prop_assert_eq!(read.len(), rows.len());
        for (cells, values) in read.iter().zip(&rows) {
            for (cell, value) in cells.iter().zip(values) {
                match value {
                    Value::Null => prop_assert_eq!(cell, ""),
                    Value::Bool(b) => prop_assert_eq!(cell, if *b { "True" } else { "False" }),
                    Value::Int(i) => prop_assert_eq!(cell, &i.to_string()),
                    Value::Float(f) => prop_assert_eq!(cell.parse::<f64>().unwrap().to_bits(), f.to_bits()),
                    Value::Str(s) => prop_assert_eq!(cell.as_str(), s.as_str()),
                    other => panic!("{other:?} is not made here"),
                }
            }
        }
    }
}
