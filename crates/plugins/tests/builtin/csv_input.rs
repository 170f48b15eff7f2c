//! The csv source on good and bad files.

use elspeth_canonical::HashVersion;
use elspeth_contracts::FailureKind;
use elspeth_plugin::{RawRecord, ReadProgress, SourceItem, SourcePosition};
use elspeth_testkit::Scratch;
use elspeth_value::Value;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::driving::{read, source, try_read};

fn csv(content: impl AsRef<[u8]>, options: Json) -> Vec<String> {
    let scratch = Scratch::new();
    read("csv", &with_path(&scratch, content, options))
}

fn csv_error(content: impl AsRef<[u8]>, options: Json) -> String {
    let scratch = Scratch::new();
    let options = with_path(&scratch, content, options);
    let error = try_read("csv", &options).expect_err("the file should not open");
    let message = error.message.replace(&scratch.path().display().to_string(), "DIR");
    format!("{message} ({})", error.help.as_deref().unwrap_or("no help"))
}

fn with_path(scratch: &Scratch, content: impl AsRef<[u8]>, mut options: Json) -> Json {
    options["path"] = json!(scratch.write("in.csv", content));
    options
}

#[test]
fn line_ends_of_every_sort_and_a_byte_order_mark_change_nothing() {
    let expected = ["{\"a\":\"1\",\"b\":\"x\"}", "{\"a\":\"2\",\"b\":\"\"}"];
    for content in [
        "a,b\n1,x\n2,\n",
        "a,b\n1,x\n2,",
        "a,b\r\n1,x\r\n2,\r\n",
        "a,b\r1,x\r2,\r",
        "a,b\r1,x\r2,",
        "\u{feff}a,b\n1,x\n2,\n",
        "\n\na,b\n\r\n1,x\n\n\n2,\n\n",
        "\"a\",\"b\"\n\"1\",x\n2,\"\"\n",
    ] {
        assert_eq!(csv(content, json!({})), expected, "{content:?}");
    }
}

#[test]
fn quoted_fields_hold_delimiters_quotes_and_lines() {
    let content = "a,b\n\"1,2\",\"say \"\"hi\"\"\"\n\"x\ny\r\nz\",\"\"\"\"\n\"\",\"end\"";
    assert_eq!(
        csv(content, json!({})),
        [r#"{"a":"1,2","b":"say \"hi\""}"#, r#"{"a":"x\ny\r\nz","b":"\""}"#, r#"{"a":"","b":"end"}"#,]
    );
}

#[test]
fn a_record_with_bad_quoting_costs_itself_alone_and_names_its_line() {
    let content = "a,b\n1,x\n2,in\"side\n3,\"after\"wards\n4,\"ok\nline\"\n5,\"never closed\n6,good\n7,too\n";
    assert_eq!(
        csv(content, json!({})),
        [
            r#"{"a":"1","b":"x"}"#,
            r#"3 malformed: field 2 has a quote inside but does not begin with one; quote the whole field and double the quotes in it | "2,in\"side""#,
            r#"4 malformed: field 2 goes on after its closing quote; double the quotes inside of a quoted field | "3,\"after\"wards""#,
            r#"{"a":"4","b":"ok\nline"}"#,
            r#"7 malformed: the quote that opens field 2 is not closed before the file ends or the record exceeds 16 MiB | "5,\"never closed""#,
            r#"{"a":"6","b":"good"}"#,
            r#"{"a":"7","b":"too"}"#,
        ]
    );
}

#[test]
fn an_unclosed_quote_that_meets_another_one_costs_one_line() {
    let content = "a,b\n1,\"open\n2,\"good\"\n3,fine\n";
    let items = csv(content, json!({}));
    assert!(items[0].starts_with("2 malformed: field 2 goes on after its closing quote"), "{}", items[0]);
    assert_eq!(items[1..], [r#"{"a":"2","b":"good"}"#, r#"{"a":"3","b":"fine"}"#]);
}

#[test]
fn ragged_records_are_refused_with_both_counts() {
    let message = "malformed: the record has";
    assert_eq!(
        csv("a,b\n1\n1,2,3\n \n1,2\n", json!({})),
        [
            format!("2 {message} 1 fields, but the header has 2 | \"1\""),
            format!("3 {message} 3 fields, but the header has 2 | \"1,2,3\""),
            format!("4 {message} 1 fields, but the header has 2 | \" \""),
            r#"{"a":"1","b":"2"}"#.to_owned(),
        ]
    );
}

#[test]
fn bytes_that_are_no_text_and_nul_are_refused_and_kept() {
    let items = csv(b"a,b\n1,caf\xe9\n2,\0\n3,\"\xff\"\"\"\n4,ok\n", json!({}));
    assert_eq!(
        items,
        [
            "2 malformed: the record is not valid UTF-8 from its byte 6 on | {\"__bytes__\":\"MSxjYWbp\"}",
            "3 malformed: the record holds a NUL byte | \"2,\\u0000\"",
            "4 malformed: the record is not valid UTF-8 from its byte 4 on | {\"__bytes__\":\"Mywi/yIiIg==\"}",
            "{\"a\":\"4\",\"b\":\"ok\"}",
        ]
    );
}

#[test]
fn other_encodings_are_read_by_their_label() {
    let expected = ["{\"a\":\"caf\u{e9} \u{20ac}\"}"];
    assert_eq!(csv(b"a\ncaf\xe9 \x80\n", json!({"encoding": "cp1252"})), expected);
    let utf16: Vec<u8> = "\u{feff}a\ncaf\u{e9} \u{20ac}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(csv(&utf16, json!({"encoding": "utf-16"})), expected);
    let items = csv(b"a\nx\x81\ny\n", json!({"encoding": "shift_jis"}));
    assert!(items[0].starts_with("2 malformed: the record is not valid Shift_JIS"), "{}", items[0]);
    assert_eq!(items.len(), 2);
}

#[test]
fn malformed_records_of_other_encodings_keep_the_bytes_of_the_file() {
    let malformed = |encoding: &str, content: &[u8]| -> Vec<String> {
        let items = csv(content, json!({"encoding": encoding}));
        items.into_iter().filter(|item| item.contains("malformed")).collect()
    };
    assert_eq!(
        malformed("ascii", b"id,name\n1,caf\xe9\n2,\xe9\xe8x\n"),
        [
            "2 malformed: the record is not valid ASCII from its byte 6 on | {\"__bytes__\":\"MSxjYWbp\"}",
            "3 malformed: the record is not valid ASCII from its byte 3 on | {\"__bytes__\":\"Mizp6Hg=\"}",
        ]
    );
    assert_eq!(
        malformed("cp1253", b"id,name\n\xe1\xe2,\xaa\n\xe1\xe2,\xd2\n"),
        [
            "2 malformed: the record is not valid windows-1253 from its byte 4 on | {\"__bytes__\":\"4eIsqg==\"}",
            "3 malformed: the record is not valid windows-1253 from its byte 4 on | {\"__bytes__\":\"4eIs0g==\"}",
        ]
    );
    for mark in [&b""[..], b"\xfe\xff"] {
        let mut content = mark.to_vec();
        content.extend(b"\0i\0\n\x20\xac\xd8\x01\0x\0\n");
        assert_eq!(
            malformed(if mark.is_empty() { "utf-16-be" } else { "utf-16" }, &content),
            [
                "2 malformed: the record is not valid UTF-16BE from its byte 3 on | {\"__bytes__\":\"IKzYAQB4\"}"
            ]
        );
    }
}

#[test]
fn a_file_in_another_encoding_is_refused_with_advice_and_not_read_as_one_header() {
    let rows: String = (0..1000).map(|n| format!("{n},name {n}\n")).collect();
    let table = format!("id,name\n{rows}");
    let wide = |order: fn(u16) -> [u8; 2]| table.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    let little = wide(u16::to_le_bytes);
    let marked = [&b"\xff\xfe"[..], &little].concat();
    for (content, encoding, advice) in [
        (table.as_bytes(), "utf-16", "utf-8"),
        (table.as_bytes(), "utf-16-le", "utf-8"),
        (&marked, "utf-16-be", "utf-16"),
        (&marked, "utf-8", "utf-16"),
        (&little, "utf-16-be", "utf-16-le"),
        (&wide(u16::to_be_bytes), "utf-16-le", "utf-16-be"),
    ] {
        let scratch = Scratch::new();
        let options = with_path(&scratch, content, json!({"encoding": encoding}));
        let error = try_read("csv", &options).unwrap_err();
        assert!(error.message.ends_with("it is in another encoding by its first bytes"), "{}", error.message);
        assert_eq!(error.help.unwrap(), format!("write `encoding: {advice}`"));
    }
    assert_eq!(csv(&marked, json!({"encoding": "utf-16"})).len(), 1000);
}

#[test]
fn values_are_coerced_to_the_schema_and_violations_keep_the_text() {
    let schema = json!({"mode": "fixed", "fields": ["id: int", "score: float?", "ok: bool?", "name: str"]});
    let content = "id,score,ok,name\n 7 ,2500,YES,\n8.0,,,x\n,1,,x\n1.5,1,,x\n1,nan,,x\n1,1e999,,x\n9007199254740993,1,,x\n1,1,maybe,x\n";
    assert_eq!(
        csv(content, json!({"schema": schema, "on_validation_failure": "bad"})),
        [
            r#"{"id":7,"score":2500.0,"ok":true,"name":""}"#,
            r#"{"id":8,"score":null,"ok":null,"name":"x"}"#,
            r#"4 schema id: required field `id` is missing | {"id":"","score":"1","ok":"","name":"x"}"#,
            r#"5 schema id: field `id` must be int: `1.5` is not an integer | {"id":"1.5","score":"1","ok":"","name":"x"}"#,
            r#"6 schema score: field `score` must be float: `nan` is not a finite number | {"id":"1","score":"nan","ok":"","name":"x"}"#,
            r#"7 schema score: field `score` must be float: `1e999` is not a finite number | {"id":"1","score":"1e999","ok":"","name":"x"}"#,
            r#"8 schema id: field `id` must be int: `9007199254740993` is beyond +-(2^53-1); declare the field as `str` | {"id":"9007199254740993","score":"1","ok":"","name":"x"}"#,
            r#"9 schema ok: field `ok` must be bool: `maybe` is not true or false (true/false, t/f, yes/no, y/n, on/off, 1/0) | {"id":"1","score":"1","ok":"maybe","name":"x"}"#,
        ]
    );
}

#[test]
fn columns_that_the_schema_lacks_or_wants_make_every_record_invalid() {
    let fixed = json!({"schema": {"mode": "fixed", "fields": ["a: str"]}});
    assert_eq!(
        csv("a,b\n1,2\n", fixed),
        [r#"2 schema b: field `b` is not in the schema, which is fixed | {"a":"1","b":"2"}"#]
    );
    let wants = json!({"schema": {"mode": "flexible", "fields": ["c: str", "d: int?"]}});
    assert_eq!(csv("a\n1\n", wants), [r#"2 schema c: required field `c` is missing | {"a":"1"}"#]);
}

#[test]
fn headers_become_field_names_and_are_remembered() {
    let scratch = Scratch::new();
    let options =
        with_path(&scratch, " First Name ,2nd,class\nA,B,C\n", json!({"field_mapping": {"_2nd": "second"}}));
    assert_eq!(read("csv", &options), [r#"{"first_name":"A","second":"B","class_":"C"}"#]);
    let mut source = source("csv", &options);
    source.open(HashVersion::default(), None).unwrap();
    let fields = source.field_resolution().fields;
    let fields: Vec<_> = fields.iter().map(|(header, field)| (header.as_str(), field.as_str())).collect();
    assert_eq!(fields, [(" First Name ", "first_name"), ("2nd", "second"), ("class", "class_")]);
}

#[test]
fn files_without_header_are_read_by_columns_and_leading_lines_are_skipped() {
    let options = json!({"columns": ["Id", "Name"]});
    assert_eq!(csv("1,a\n2,b", options.clone()), [r#"{"id":"1","name":"a"}"#, r#"{"id":"2","name":"b"}"#]);
    assert_eq!(csv("", options), Vec::<String>::new());
    let report = "Report \"of\r\n\r\nid\r\n7\r\n";
    assert_eq!(csv(report, json!({"skip_rows": 2})), [r#"{"id":"7"}"#]);
    assert!(csv("id\n1\n", json!({"skip_rows": 5, "columns": ["a"]})).is_empty());
    assert_eq!(csv("a;b\n1;2,3\n", json!({"delimiter": ";"})), [r#"{"a":"1","b":"2,3"}"#]);
    assert_eq!(csv("a\tb\n1\t2\n", json!({"delimiter": "\\t"})), [r#"{"a":"1","b":"2"}"#]);
}

#[test]
fn a_head_that_cannot_be_used_is_a_clear_error() {
    for (content, options, expected) in [
        (
            "",
            json!({}),
            "`DIR/in.csv` has no header line: it is empty (put the field names into its first line, or name them in `columns`)",
        ),
        (
            "\u{feff}\n\n",
            json!({}),
            "`DIR/in.csv` has no header line: it is empty (put the field names into its first line, or name them in `columns`)",
        ),
        (
            "Name,a,name ,A\n1,2,3,4\n",
            json!({}),
            "the header of `DIR/in.csv` (line 1) cannot be used: several headers give the same field name: `a`, `A` -> `a`; `Name`, `name ` -> `name` (give the columns different names, or give all names in `columns` and skip the line)",
        ),
        (
            "a,,b\n",
            json!({}),
            "the header of `DIR/in.csv` (line 1) cannot be used: header 2 (``) has no letters or digits to make a field name of (name every column, or give all names in `columns` and skip the line)",
        ),
        (
            "a\n",
            json!({"field_mapping": {"b": "c"}}),
            "the header of `DIR/in.csv` (line 1) cannot be used: field_mapping names `b`, which is not a field of the source (use the normalised names of the header on the left side)",
        ),
        (
            "a,\"b\n1,2\n",
            json!({}),
            "the header of `DIR/in.csv` (line 1) cannot be used: the quote that opens field 2 is not closed before the file ends or the record exceeds 16 MiB (no help)",
        ),
    ] {
        assert_eq!(csv_error(content, options), expected);
    }
}

#[test]
fn a_file_that_is_not_there_is_a_clear_error() {
    let scratch = Scratch::new();
    for (path, expected) in
        [(scratch.join("none.csv"), "there is no such file"), (scratch.path().to_owned(), "it is a folder")]
    {
        let error = try_read("csv", &json!({"path": path})).unwrap_err();
        assert!(
            error.message.contains(expected) && error.message.contains(&*path.to_string_lossy()),
            "{error}"
        );
        assert!(error.help.is_some() && !error.retryable);
    }
}

#[test]
fn a_header_alone_gives_no_rows() {
    for content in ["a,b", "a,b\n", "a,b\r\n\r\n"] {
        assert!(csv(content, json!({})).is_empty(), "{content:?}");
    }
}

const MIB: usize = 1024 * 1024;

#[test]
fn a_field_of_ten_megabytes_is_read_whole() {
    let big = "x, \"\"y\"\"\n".repeat(MIB);
    let scratch = Scratch::new();
    let options = with_path(&scratch, format!("a,b\n1,\"{big}\"\n2,ok\n"), json!({}));
    let items = try_read("csv", &options).unwrap();
    let [SourceItem::Valid(first), SourceItem::Valid(second)] = items.as_slice() else { panic!("two rows") };
    assert_eq!(first.values()[1], Value::Str(big.replace("\"\"", "\"").into()));
    assert_eq!(second.values()[0], Value::Str("2".into()));
}

#[test]
fn a_line_that_is_too_long_is_set_aside_and_reading_goes_on() {
    let long = "y".repeat(17 * MIB);
    let scratch = Scratch::new();
    let options = with_path(&scratch, format!("a,b\n1,{long}\r\n2,ok\n"), json!({}));
    let items = try_read("csv", &options).unwrap();
    let [SourceItem::Invalid(invalid), SourceItem::Valid(_)] = items.as_slice() else {
        panic!("one bad, one good")
    };
    assert_eq!((invalid.reason.kind, invalid.reason.line), (FailureKind::MalformedRecord, Some(2)));
    assert!(invalid.reason.message.starts_with("a line of 17825794 bytes, more than the 16 MiB"));
    let RawRecord::Opaque(Value::Str(kept)) = &invalid.raw else { panic!("text") };
    assert!(kept.len() == 64 * 1024 && kept.starts_with("1,yyy"));
}

#[test]
fn a_quote_that_stays_open_for_too_long_costs_its_line_alone() {
    let lines = "good,line\n".repeat(2 * MIB);
    let scratch = Scratch::new();
    let options = with_path(&scratch, format!("a,b\n1,\"open\n{lines}"), json!({}));
    let mut source = source("csv", &options);
    source.open(HashVersion::default(), None).unwrap();
    let mut items = Vec::new();
    assert_eq!(source.read(3, &mut items).unwrap(), ReadProgress::More);
    let [SourceItem::Invalid(invalid), SourceItem::Valid(_), SourceItem::Valid(_)] = items.as_slice() else {
        panic!("one bad, two good")
    };
    assert_eq!(invalid.reason.line, Some(2));
    assert_eq!(invalid.raw, RawRecord::Opaque(Value::Str("1,\"open".into())));
    items.clear();
    while source.read(10_000, &mut items).unwrap() == ReadProgress::More {}
    assert_eq!(items.len(), 2 * MIB - 2);
    assert!(items.iter().all(|item| matches!(item, SourceItem::Valid(_))));
}

/// Reads one item of a file and gives the position.
fn position_after_one(options: &Json) -> SourcePosition {
    let mut source = source("csv", options);
    source.open(HashVersion::default(), None).unwrap();
    source.read(1, &mut Vec::new()).unwrap();
    source.position()
}

#[test]
fn a_source_that_changed_is_refused_and_the_difference_named() {
    let scratch = Scratch::new();
    let options = with_path(&scratch, "a\n1\n2\n", json!({}));
    let position = position_after_one(&options);
    let reopened = |content: &str, position: &SourcePosition| {
        scratch.write("in.csv", content);
        source("csv", &options).open(HashVersion::default(), Some(position))
    };
    assert!(reopened("a\n1\n2\n", &position).is_ok());
    assert!(reopened("a\n1\n2\n3\n", &position).is_ok(), "what was read is as it was");
    let changed = reopened("a\n9\n2\n", &position).unwrap_err();
    assert!(
        changed.message.contains("has changed since it was read: the hash of its first 4 bytes was"),
        "{changed}"
    );
    assert!(changed.help.unwrap().contains("--accept-changed-source"));
    let shorter = reopened("a\n", &position).unwrap_err();
    assert!(shorter.message.contains("it has 2 bytes now, but 4 were read"), "{shorter}");
    let mut accepted = position.clone();
    accepted.0["file"].as_object_mut().unwrap().remove("content_hash");
    assert!(reopened("a\n9\n2\n", &accepted).is_ok(), "without a hash the file is taken as it is");
    let nonsense = SourcePosition(json!({"file": 1}));
    assert!(reopened("a\n1\n", &nonsense).unwrap_err().message.contains("position cannot be read"));
}

proptest! {
    /// Against an independent reader: whatever a csv writer writes is read as it was.
    #[test]
    fn what_the_csv_crate_writes_is_read_as_it_was(
        rows in prop::collection::vec(prop::collection::vec("[a,\"\r\n é]{0,4}", 3), 0..8),
        crlf in any::<bool>(),
        always_quoted in any::<bool>(),
    ) {
        let mut writer = csv::WriterBuilder::new();
        writer.terminator(if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') });
        writer.quote_style(if always_quoted { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary });
        let mut writer = writer.from_writer(Vec::new());
        writer.write_record(["a", "b", "c"]).unwrap();
        for row in &rows {
            writer.write_record(row).unwrap();
        }
        let scratch = Scratch::new();
        let options = with_path(&scratch, writer.into_inner().unwrap(), json!({}));
        let items = try_read("csv", &options).unwrap();
        let read: Vec<Vec<String>> = items
            .iter()
            .map(|item| match item {
                SourceItem::Valid(row) => row
                    .values()
                    .iter()
                    .map(|value| match value {
                        Value::Str(text) => text.to_string(),
                        other => panic!("{other:?} is no text"),
                    })
                    .collect(),
                SourceItem::Invalid(invalid) => panic!("{invalid:?}"),
            })
            .collect();
        prop_assert_eq!(read, rows);
    }

    /// Whatever the bytes are: no panic, and every letter of the file is in some item.
    #[test]
    fn nothing_is_lost_whatever_the_bytes(
        content in prop::collection::vec(prop::sample::select(b"ab,\"\n\r\0\xff \xc3".to_vec()), 0..60),
    ) {
        let scratch = Scratch::new();
        let options = with_path(&scratch, &content, json!({"columns": ["a", "b"]}));
        let letters = |bytes: &[u8]| bytes.iter().filter(|b| b.is_ascii_alphabetic()).count();
        let in_value = |value: &Value| match value {
            Value::Str(text) => letters(text.as_bytes()),
            Value::Bytes(bytes) => letters(bytes),
            other => panic!("{other:?} is not from a text file"),
        };
        let items = try_read("csv", &options).unwrap();
        let kept: usize = items
            .iter()
            .map(|item| match item {
                SourceItem::Valid(row) => row.values().iter().map(in_value).sum(),
                SourceItem::Invalid(invalid) => match &invalid.raw {
                    RawRecord::Opaque(value) => in_value(value),
                    RawRecord::Fields(row) => row.values().iter().map(in_value).sum::<usize>(),
                },
            })
            .sum();
        prop_assert_eq!(kept, letters(&content));
    }
}

#[test]
fn a_byte_over_127_is_no_ascii() {
    let scratch = Scratch::new();
    let path = scratch.join("in.csv");
    std::fs::write(&path, "id,n\n1,caf\u{e9}\n2,cafe\n").unwrap();
    let schema = json!({"mode": "fixed", "fields": ["id: int", "n: str"]});
    let items = read("csv", &json!({"path": path, "encoding": "ascii", "schema": schema}));
    assert_eq!(items.len(), 2);
    assert!(items[0].contains("malformed: the record is not valid ASCII from its byte 6 on"), "{}", items[0]);
    assert_eq!(items[1], r#"{"id":2,"n":"cafe"}"#);
}
