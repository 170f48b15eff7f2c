//! The json source on good and bad files.

use elspeth_canonical::HashVersion;
use elspeth_plugin::{RawRecord, SourceItem};
use elspeth_testkit::Scratch;
use elspeth_value::Value;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::driving::{read, shown, source, try_read};

fn with_path(scratch: &Scratch, name: &str, content: impl AsRef<[u8]>, mut options: Json) -> Json {
    options["path"] = json!(scratch.write(name, content));
    options
}

fn array(content: impl AsRef<[u8]>, options: Json) -> Vec<String> {
    let scratch = Scratch::new();
    read("json", &with_path(&scratch, "in.json", content, options))
}

fn lines(content: impl AsRef<[u8]>, options: Json) -> Vec<String> {
    let scratch = Scratch::new();
    read("json", &with_path(&scratch, "in.jsonl", content, options))
}

fn error(name: &str, content: &str, options: Json) -> String {
    let scratch = Scratch::new();
    let options = with_path(&scratch, name, content, options);
    let error = try_read("json", &options).expect_err("the file should not open");
    let message = error.message.replace(&scratch.path().display().to_string(), "DIR");
    format!("{message} ({})", error.help.as_deref().unwrap_or("no help"))
}

#[test]
fn arrays_objects_around_them_and_lines_give_the_same_rows() {
    let expected = [r#"{"id":1,"x":2500.0}"#, r#"{"id":2,"x":2500}"#];
    let (one, two) = (r#"{"id": 1, "x": 2500.0}"#, r#"{"id": 2, "x": 2500}"#);
    let any = json!({"schema": {"mode": "flexible", "fields": ["x: any"]}});
    let with = |key: &str, value: &str| {
        let mut options = any.clone();
        options[key] = json!(value);
        options
    };
    for content in [format!("[{one},{two}]"), format!("\u{feff}\r\n [\n {one} ,\r\n\t{two}\n]\n\n")] {
        assert_eq!(array(&content, any.clone()), expected, "{content}");
    }
    let around =
        format!(r#"{{"a": "rows: [", "b": [{{"rows": 1}}], "rows" : [{one}, {two}], "c": {{"rows": []}}}} "#);
    assert_eq!(array(around, with("data_key", "rows")), expected);
    for content in
        [format!("{one}\n{two}\n"), format!("{one}\r\n\r\n  \n{two}"), format!("\u{feff}{one}\r{two}")]
    {
        assert_eq!(lines(&content, any.clone()), expected, "{content}");
    }
    assert_eq!(array(format!("{one}\n{two}"), with("format", "jsonl")), expected);
}

#[test]
fn empty_arrays_and_empty_lines_give_no_rows() {
    assert!(array("[]", json!({})).is_empty());
    assert!(array(" [ \n ] ", json!({})).is_empty());
    assert!(array("{\"d\": [], \"e\": 1}", json!({"data_key": "d"})).is_empty());
    assert!(lines("", json!({})).is_empty());
    assert!(lines("\n \n", json!({})).is_empty());
}

#[test]
fn a_bad_record_costs_itself_alone_and_names_its_line() {
    let records = [
        r#"{"a": 1}"#,
        r#"{"a": 1, "b": 2, "a": 3}"#,
        r#"{"a": NaN}"#,
        r#"{"a": -Infinity}"#,
        r#"{"a": 9007199254740992}"#,
        r#"{"a": 1,}"#,
        r#"{a: 1}"#,
        r#"{"a": 1e999}"#,
        r#"{"a": "\ud800"}"#,
        "17",
        r#"[{"a": 1}]"#,
        "null",
        r#"{"a": 2}"#,
    ];
    let expected = [
        r#"{"a":1}"#,
        r#"2 malformed: the key `a` is there twice (at character 1) | "{\"a\": 1, \"b\": 2, \"a\": 3}""#,
        r#"3 malformed: NaN is refused: numbers must be finite; write null, or text (at character 7) | "{\"a\": NaN}""#,
        r#"4 malformed: -Infinity is refused: numbers must be finite; write null, or text (at character 7) | "{\"a\": -Infinity}""#,
        r#"5 malformed: the integer 9007199254740992 is beyond +-(2^53-1); write it as text (`str`) (at character 7) | "{\"a\": 9007199254740992}""#,
        r#"6 malformed: expected a key in quotes, found `}` (at character 9) | "{\"a\": 1,}""#,
        r#"7 malformed: expected a key in quotes, found `a` (at character 2) | "{a: 1}""#,
        r#"8 malformed: the number 1e999 is too large (at character 7) | "{\"a\": 1e999}""#,
        r#"9 malformed: half of a surrogate pair is no character (at character 8) | "{\"a\": \"\\ud800\"}""#,
        r#"10 malformed: the record is int, but must be an object | "17""#,
        r#"11 malformed: the record is list, but must be an object | "[{\"a\": 1}]""#,
        r#"12 malformed: the record is null, but must be an object | "null""#,
        r#"{"a":2}"#,
    ];
    assert_eq!(lines(records.join("\n"), json!({})), expected);
    assert_eq!(array(format!("[{}]", records.join(",\n")), json!({})), expected);
}

#[test]
fn deep_nesting_is_refused_and_never_overflows() {
    let nested = |levels: usize| format!("{{\"a\": {}{}}}", "[".repeat(levels), "]".repeat(levels));
    assert!(lines(nested(63), json!({}))[0].starts_with("{\"a\":[["));
    assert!(lines(nested(64), json!({}))[0].starts_with("1 malformed: nested more than 64 levels deep"));
    let content = format!("[{}, {{\"b\": 1}}]", nested(500_000));
    let items = array(content, json!({}));
    assert!(items[0].starts_with("1 malformed: nested more than 64 levels deep"));
    assert_eq!(items[1..], [r#"{"b":1}"#]);
}

#[test]
fn a_broken_array_gives_what_was_whole_and_one_item_for_the_rest() {
    let one = r#"{"a":1}"#;
    for (content, rest) in [
        (
            "[{\"a\":1}, {\"a\":2",
            r#"1 malformed: the array breaks off: the file ends inside of this element | "{\"a\":2""#,
        ),
        (
            "[{\"a\":1},\n {\"a\":\"x, {\"b\":2}]",
            r#"2 malformed: the array breaks off: the file ends inside of this element | "{\"a\":\"x, {\"b\":2}]""#,
        ),
        ("[{\"a\":1}", r#"1 malformed: the array is not closed: the file ends inside of it | """#),
        ("[{\"a\":1},", r#"1 malformed: the array is not closed: the file ends inside of it | """#),
        ("[{\"a\":1},]", r#"1 malformed: there is no element between the last `,` and `]` | """#),
        ("[{\"a\":1}]\n more\n ", r#"2 malformed: there is more text behind the end of the data | "more""#),
    ] {
        assert_eq!(array(content, json!({})), [one, rest], "{content}");
    }
    assert_eq!(
        array("[{\"a\":1},,{\"a\":2}}, {\"a\":3]]", json!({})),
        [
            one,
            r#"1 malformed: expected a value, but the record ends (at character 1) | """#,
            r#"1 malformed: there is more text behind the value (at character 8) | "{\"a\":2}}""#,
            r#"1 malformed: expected `,` or `}`, found `]` (at character 7) | "{\"a\":3]""#,
        ]
    );
    for (content, rest) in [
        (r#"{"d": [{"a":1}], "d": [2]}"#, r#"1 malformed: the key `d` is there twice | "[2]}""#),
        (r#"{"d": [{"a":1}], "e": 1"#, r#"1 malformed: the object around the data is not closed | """#),
        (r#"{"d": [{"a":1}], e: 1}"#, r#"1 malformed: expected a key in quotes, found `e` | "e: 1}""#),
        (r#"{"d": [{"a":1}]} {"#, r#"1 malformed: there is more text behind the end of the data | "{""#),
        (
            r#"{"d": [{"a":1}] "e": 2}"#,
            r#"1 malformed: the object around the data is not closed | "\"e\": 2}""#,
        ),
    ] {
        assert_eq!(array(content, json!({"data_key": "d"})), [one, rest], "{content}");
    }
}

#[test]
fn a_file_without_the_array_is_a_clear_error() {
    for (content, options, expected) in [
        (
            "",
            json!({}),
            "cannot read `DIR/in.json` (line 1): it is empty (an array without elements is written `[]`)",
        ),
        (
            "\n{\"a\": []}",
            json!({}),
            "cannot read `DIR/in.json` (line 2): it begins with an object, not with a list (name the key of the list in `data_key`, or choose `format: jsonl` for one object a line)",
        ),
        (
            "a,b\n1,2",
            json!({}),
            "cannot read `DIR/in.json` (line 1): it does not begin with a list (is it JSON? For one object a line choose `format: jsonl`)",
        ),
        (
            "[1]",
            json!({"data_key": "d"}),
            "cannot read `DIR/in.json` (line 1): it is a list, so there is no key `d` (leave `data_key` out)",
        ),
        (
            "{\"x\": 1, \"y\": [\n]}",
            json!({"data_key": "d"}),
            "cannot read `DIR/in.json` (line 2): there is no key `d` for `data_key` (its keys are `x`, `y`)",
        ),
        (
            "{}",
            json!({"data_key": "d"}),
            "cannot read `DIR/in.json` (line 1): there is no key `d` for `data_key` (it has no keys at all)",
        ),
        (
            "{\"d\": {}}",
            json!({"data_key": "d"}),
            "cannot read `DIR/in.json` (line 1): the value of `d` is not a list (no help)",
        ),
        (
            "{\"x\": [",
            json!({"data_key": "d"}),
            "cannot read `DIR/in.json` (line 1): the file ends inside of the object (no help)",
        ),
        (
            "{x: 1}",
            json!({"data_key": "d"}),
            "cannot read `DIR/in.json` (line 1): expected a key in quotes, found `x` (no help)",
        ),
    ] {
        assert_eq!(error("in.json", content, options), expected, "{content}");
    }
}

#[test]
fn keys_become_field_names_by_the_same_rules_as_headers() {
    let scratch = Scratch::new();
    let content = "{\"Full Name\": 1, \"2nd\": 2}\n{\"x\": 1, \" X \": 2}\n{\"--\": 1}\n{\"Full Name\": 3, \"2nd\": 4}\n";
    let options = with_path(&scratch, "in.jsonl", content, json!({}));
    assert_eq!(
        read("json", &options),
        [
            r#"{"full_name":1,"_2nd":2}"#,
            r#"2 malformed: the keys `x`, ` X ` give the same field name `x` | "{\"x\": 1, \" X \": 2}""#,
            r#"3 malformed: the key `--` has no letters or digits to make a field name of | "{\"--\": 1}""#,
            r#"{"full_name":3,"_2nd":4}"#,
        ]
    );
    let mut source = source("json", &options);
    source.open(HashVersion::default(), None).unwrap();
    let fields = source.field_resolution().fields;
    assert_eq!(fields[0], ("Full Name".to_owned(), "full_name".into()), "known before the first row is read");
}

#[test]
fn rows_are_checked_and_taken_without_loss() {
    let schema = json!({"mode": "flexible", "fields": ["id: int", "score: float?", "name: str?"]});
    let content = r#"{"id": 1, "score": 2, "name": null, "more": [1]}
{"id": "7"}
{"id": 7.5}
{"score": 1}
{"id": 1, "name": 5}
"#;
    assert_eq!(
        lines(content, json!({"schema": schema})),
        [
            r#"{"id":1,"score":2.0,"name":null,"more":[1]}"#,
            r#"{"id":7}"#,
            r#"3 schema id: field `id` must be int: 7.5 is not a whole number within +-(2^53-1) | {"id":7.5}"#,
            r#"4 schema id: required field `id` is missing | {"score":1}"#,
            r#"5 schema name: field `name` must be str: it is of type int | {"id":1,"name":5}"#,
        ]
    );
}

#[test]
fn an_observed_schema_is_learnt_from_the_first_valid_row() {
    let content = "{\"a\": NaN}\n{\"a\": 1}\n{\"a\": \"x\"}\n{\"a\": 2, \"b\": 1}\n";
    let items = lines(content, json!({"schema": {"mode": "observed"}}));
    assert!(items[0].starts_with("1 malformed"));
    assert_eq!(items[1], r#"{"a":1}"#);
    assert!(items[2].starts_with("3 schema a: field `a` must be int"), "{}", items[2]);
    assert_eq!(items[3], r#"{"a":2,"b":1}"#);
}

#[test]
fn bytes_that_are_no_text_are_kept_as_bytes() {
    assert_eq!(
        lines(b"{\"a\": \"\xff\"}\n{\"a\": \"\0\"}\n{\"a\": 1}\n", json!({})),
        [
            "1 malformed: the record is not valid UTF-8 from its byte 8 on | {\"__bytes__\":\"eyJhIjogIv8ifQ==\"}",
            "2 malformed: a control character in a text must be escaped (at character 8) | \"{\\\"a\\\": \\\"\\u0000\\\"}\"",
            "{\"a\":1}",
        ]
    );
}

#[test]
fn records_that_are_too_long_are_set_aside_and_reading_goes_on() {
    let long = "y, ]}\\\"".repeat(3 * 1024 * 1024);
    let scratch = Scratch::new();
    let record = format!("{{\"a\": \"{long}\"}}");
    for options in [
        with_path(&scratch, "in.json", format!("[{record},\n{{\"a\":2}}]"), json!({})),
        with_path(&scratch, "in.jsonl", format!("{record}\n{{\"a\":2}}"), json!({})),
        with_path(
            &scratch,
            "in2.json",
            format!("{{\"x\": [{record}], \"d\":[{record},\n{{\"a\":2}}]}}"),
            json!({"data_key": "d"}),
        ),
    ] {
        let items = try_read("json", &options).unwrap();
        let [SourceItem::Invalid(invalid), SourceItem::Valid(_)] = items.as_slice() else {
            panic!("one bad, one good")
        };
        assert!(
            invalid.reason.message.starts_with(&format!("the record has {} bytes", record.len())),
            "{:?}",
            invalid.reason
        );
        let RawRecord::Opaque(Value::Str(kept)) = &invalid.raw else { panic!("text") };
        assert!(kept.len() <= 64 * 1024 && record.starts_with(kept.as_str()));
    }
    let big = format!("[{{\"a\": \"{}\"}}]", "z".repeat(10_000_000));
    let items = try_read("json", &with_path(&scratch, "big.json", big, json!({}))).unwrap();
    assert!(matches!(&items[..], [SourceItem::Valid(_)]));
}

fn any_record() -> impl Strategy<Value = serde_json::Map<String, Json>> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        (-1000i64..1000).prop_map(Json::from),
        "[a\\]\\[{}\",\\\\ \n]{0,6}".prop_map(Json::from),
    ];
    let value = leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::Array),
            prop::collection::btree_map("[a-c\\]}\"]{1,2}", inner, 0..4)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    });
    prop::collection::btree_map("[a-c]", value, 0..3).prop_map(|map| map.into_iter().collect())
}

proptest! {
    /// Against an independent writer: whatever serde_json writes is read as it was, in all three layouts.
    #[test]
    fn what_serde_json_writes_is_read_as_it_was(
        records in prop::collection::vec(any_record(), 0..6),
        pretty in any::<bool>(),
    ) {
        let all = Json::Array(records.iter().cloned().map(Json::Object).collect());
        let written = |json: &Json| if pretty { serde_json::to_string_pretty(json) } else { serde_json::to_string(json) }.unwrap();
        let expected: Vec<Json> = records.into_iter().map(Json::Object).collect();
        let scratch = Scratch::new();
        let around = json!({"x": all, "d": all, "y": "]"});
        let json_lines = expected.iter().map(|record| format!("{record}\n")).collect::<String>();
        for options in [
            with_path(&scratch, "a.json", written(&all), json!({"schema": {"mode": "flexible", "fields": ["zz: int?"]}})),
            with_path(&scratch, "b.json", written(&around), json!({"data_key": "d", "schema": {"mode": "flexible", "fields": ["zz: int?"]}})),
            with_path(&scratch, "c.jsonl", json_lines, json!({"schema": {"mode": "flexible", "fields": ["zz: int?"]}})),
        ] {
            let read: Vec<Json> = try_read("json", &options)
                .unwrap()
                .into_iter()
                .map(|item| match item {
                    SourceItem::Valid(row) => Json::Object(
                        row.shape().names().iter().zip(row.values()).map(|(name, value)| (name.to_string(), value.to_json())).collect(),
                    ),
                    SourceItem::Invalid(invalid) => panic!("{invalid:?}"),
                })
                .collect();
            prop_assert_eq!(&read, &expected);
        }
    }

    /// Whatever the bytes are: no panic, an end, and every letter of the file is in some item.
    #[test]
    fn no_letter_is_lost_whatever_the_bytes(content in prop::collection::vec(prop::sample::select(b"[]{}\",:\\x1 \n\xff".to_vec()), 0..40)) {
        let scratch = Scratch::new();
        let content = [b"[".as_slice(), &content].concat();
        let options = with_path(&scratch, "in.json", &content, json!({}));
        let letters = |bytes: &[u8]| bytes.iter().filter(|b| **b == b'x' || **b == b'1').count();
        let mut kept = 0;
        for item in try_read("json", &options).unwrap() {
            kept += match item {
                SourceItem::Valid(row) => letters(shown(&row).as_bytes()),
                SourceItem::Invalid(invalid) => match invalid.raw {
                    RawRecord::Opaque(Value::Str(text)) => letters(text.as_bytes()),
                    RawRecord::Opaque(Value::Bytes(bytes)) => letters(&bytes),
                    RawRecord::Opaque(other) => panic!("{other:?} is not from a text file"),
                    RawRecord::Fields(row) => letters(shown(&row).as_bytes()),
                },
            };
        }
        prop_assert_eq!(kept, letters(&content));
    }
}
