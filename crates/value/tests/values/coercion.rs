//! Tables of what text cells and parsed values become.

use elspeth_value::{Coercer, Contract, FieldType, Shape, Value, coerce_text, coerce_value};
use serde_json::json;
use time::macros::{date, datetime};

const LIMIT: i64 = 9_007_199_254_740_991;

fn taken(ty: FieldType, cases: &[(&str, Value)]) {
    for (text, value) in cases {
        assert_eq!(coerce_text(ty, text).as_ref(), Ok(value), "{ty} {text:?}");
        // From JSON, a text is read by the same rules.
        assert_eq!(coerce_value(ty, Value::Str((*text).into())).as_ref(), Ok(value), "{ty} {text:?}");
    }
}

fn refused(ty: FieldType, texts: &[&str]) {
    for text in texts {
        let why = coerce_text(ty, text).expect_err(text);
        assert!(why.0.starts_with('`'), "{ty} {text:?}: {why} quotes the text");
        assert_eq!(coerce_value(ty, Value::Str((*text).into())), Err(why));
    }
}

#[test]
fn integers_take_a_sign_blanks_and_a_zero_fraction() {
    taken(
        FieldType::Int,
        &[
            ("7", Value::Int(7)),
            (" +7 ", Value::Int(7)),
            ("\t-7\n", Value::Int(-7)),
            ("-0", Value::Int(0)),
            ("007", Value::Int(7)),
            ("7.0", Value::Int(7)),
            ("-7.000", Value::Int(-7)),
            ("9007199254740991", Value::Int(LIMIT)),
            ("-9007199254740991.0", Value::Int(-LIMIT)),
            ("00000000000000000000000000000001", Value::Int(1)),
        ],
    );
    refused(
        FieldType::Int,
        &[
            "", " ", "+", "-", "7.5", "7.", ".0", "7.0.0", "1e3", "1_000", "1,000", "0x10", "--1", "+-1",
            "- 7", "7 0", "seven", "\u{667}", "nan", "inf", "true", "7\u{0}",
        ],
    );
}

#[test]
fn integers_are_bounded_by_what_every_json_reader_can_hold() {
    for text in ["9007199254740992", "-9007199254740992", "9223372036854775808", "99999999999999999999999999"]
    {
        let why = coerce_text(FieldType::Int, text).unwrap_err();
        assert!(why.0.contains("2^53-1") && why.0.contains("`str`"), "{why}");
    }
    assert_eq!(coerce_value(FieldType::Int, Value::Int(LIMIT)), Ok(Value::Int(LIMIT)));
    for int in [LIMIT + 1, -LIMIT - 1, i64::MAX, i64::MIN] {
        assert!(coerce_value(FieldType::Int, Value::Int(int)).is_err());
        assert!(coerce_value(FieldType::Float, Value::Int(int)).is_err());
    }
}

#[test]
fn floats_are_what_rust_and_python_both_read() {
    taken(
        FieldType::Float,
        &[
            ("1", Value::Float(1.0)),
            (" 2.5 ", Value::Float(2.5)),
            ("+1e3", Value::Float(1000.0)),
            (".5", Value::Float(0.5)),
            ("5.", Value::Float(5.0)),
            ("-1E-2", Value::Float(-0.01)),
            ("9007199254740993", Value::Float(9_007_199_254_740_992.0)),
            ("1e-400", Value::Float(0.0)),
        ],
    );
    refused(
        FieldType::Float,
        &[
            "",
            " ",
            ".",
            "e3",
            "1e",
            "1_0.0",
            "1,5",
            "0x1p3",
            "1.0f",
            "abc",
            "nan",
            "NaN",
            "-nan",
            "inf",
            "-Infinity",
            "1e999",
        ],
    );
}

#[test]
fn booleans_are_words_in_any_case() {
    let all = |words: &[&'static str], value: bool| {
        for word in words {
            taken(
                FieldType::Bool,
                &[
                    (word, Value::Bool(value)),
                    (word.to_uppercase().as_str(), Value::Bool(value)),
                    (format!(" {word} ").as_str(), Value::Bool(value)),
                ],
            );
        }
    };
    all(&["true", "t", "yes", "y", "on", "1", "tRuE"], true);
    all(&["false", "f", "no", "n", "off", "0", "oFf"], false);
    refused(FieldType::Bool, &["", " ", "2", "truthy", "ja", "-1", "1.0", "yess"]);
}

#[test]
fn days_have_their_one_form() {
    taken(
        FieldType::Date,
        &[
            ("2026-01-31", Value::Date(date!(2026 - 01 - 31))),
            (" 2024-02-29 ", Value::Date(date!(2024 - 02 - 29))),
            ("0001-01-01", Value::Date(date!(0001 - 01 - 01))),
        ],
    );
    refused(
        FieldType::Date,
        &[
            "",
            "2026-02-30",
            "2025-02-29",
            "2026-13-01",
            "2026-00-10",
            "0000-01-01",
            "31.01.2026",
            "2026-1-31",
            "2026/01/31",
            "20260131",
            "+2026-01-31",
            "2026-01-31T00:00:00Z",
            "2026-01-3\u{661}",
        ],
    );
}

#[test]
fn moments_need_an_offset_and_become_utc() {
    let half_past = datetime!(2026-01-31 09:30:00 UTC);
    taken(
        FieldType::Datetime,
        &[
            ("2026-01-31T09:30:00Z", Value::DateTime(half_past)),
            ("2026-01-31t09:30:00z", Value::DateTime(half_past)),
            (" 2026-01-31 10:30:00+01:00 ", Value::DateTime(half_past)),
            ("2026-01-31T04:00:00-05:30", Value::DateTime(half_past)),
            ("2026-01-31T09:30:00-00:00", Value::DateTime(half_past)),
            ("2026-01-31T09:30:00.25Z", Value::DateTime(datetime!(2026-01-31 09:30:00.25 UTC))),
            (
                "2026-01-31T09:30:00.123456789000Z",
                Value::DateTime(datetime!(2026-01-31 09:30:00.123456789 UTC)),
            ),
        ],
    );
    let moved = coerce_text(FieldType::Datetime, "2026-01-31T10:30:00+01:00").unwrap();
    let Value::DateTime(moved) = moved else { panic!("a moment") };
    assert!(moved.offset().is_utc());
    refused(
        FieldType::Datetime,
        &[
            "",
            "2026-01-31",
            "2026-01-31T09:30Z",
            "2026-01-31T24:00:00Z",
            "2026-01-31T09:60:00Z",
            "2026-01-31T23:59:60Z",
            "2026-02-30T09:30:00Z",
            "2026-01-31T09:30:00.Z",
            "2026-01-31T09:30:00.1234567891Z",
            "2026-01-31T09:30:00+0100",
            "2026-01-31T09:30:00+24:00",
            "2026-01-31T09:30:00+01:60",
            "2026-01-31T09:30:00 CET",
            "0001-01-01T00:00:00+01:00",
            "9999-12-31T23:59:59-01:00",
            "yesterday",
            "1769851800",
            "2026-01-31T09:30:0\u{661}Z",
        ],
    );
    let naive = coerce_text(FieldType::Datetime, "2026-01-31T09:30:00").unwrap_err();
    assert!(naive.0.contains("no offset") && naive.0.contains("09:30:00Z"), "{naive}");
}

#[test]
fn decimals_keep_their_digits() {
    for (text, kept) in [
        ("10.50", "10.50"),
        (" -0.001 ", "-0.001"),
        ("+7", "7"),
        ("79228162514264337593543950335", "79228162514264337593543950335"),
    ] {
        assert_eq!(coerce_text(FieldType::Decimal, text).unwrap().to_json(), json!(kept));
    }
    refused(
        FieldType::Decimal,
        &[
            "",
            ".",
            "+",
            "1_000",
            "1,5",
            "1e3",
            "1.2.3",
            "--1",
            "nan",
            "79228162514264337593543950336",
            "0.00000000000000000000000000001",
            "12a",
        ],
    );
}

#[test]
fn long_texts_are_quoted_in_part() {
    let why = coerce_text(FieldType::Int, &"\u{e9}".repeat(1000)).unwrap_err();
    assert_eq!(why.0, format!("`{}\u{2026}` is not an integer", "\u{e9}".repeat(40)));
    let why = coerce_text(FieldType::Int, &"x".repeat(40)).unwrap_err();
    assert_eq!(why.0, format!("`{}` is not an integer", "x".repeat(40)));
}

#[test]
fn parsed_values_are_taken_only_without_loss() {
    use FieldType::{Any, Bool, Date, Datetime, Decimal, Float, Int, Str};
    let day = Value::Date(date!(2026 - 01 - 31));
    for (ty, value, taken) in [
        (Int, Value::Float(7.0), Value::Int(7)),
        (Int, Value::Float(-0.0), Value::Int(0)),
        (Float, Value::Int(7), Value::Float(7.0)),
        (Float, Value::Float(0.5), Value::Float(0.5)),
        (Bool, Value::Int(0), Value::Bool(false)),
        (Bool, Value::Int(1), Value::Bool(true)),
        (Bool, Value::Bool(true), Value::Bool(true)),
        (Decimal, Value::Int(5), Value::Decimal(5.into())),
        (Str, day.clone(), Value::Str("2026-01-31".into())),
        (Date, day.clone(), day.clone()),
        (Any, Value::Float(7.5), Value::Float(7.5)),
    ] {
        assert_eq!(coerce_value(ty, value.clone()), Ok(taken), "{ty} {value:?}");
    }
    for ty in [Any, Bool, Date, Datetime, Decimal, Float, Int, Str] {
        assert_eq!(coerce_value(ty, Value::Null), Ok(Value::Null), "{ty}");
    }
    for (ty, value, part) in [
        (Int, Value::Float(7.5), "7.5 is not a whole number"),
        (Int, Value::Float(9_007_199_254_740_992.0), "2^53-1"),
        (Int, Value::Float(f64::INFINITY), "2^53-1"),
        (Int, Value::Bool(true), "of type bool"),
        (Float, Value::Bool(true), "of type bool"),
        (Float, Value::Float(f64::NAN), "not a finite number"),
        (Bool, Value::Int(2), "of type int"),
        (Bool, Value::Float(1.0), "of type float"),
        (Str, Value::Int(7), "of type int"),
        (Str, Value::Bool(true), "of type bool"),
        (Str, Value::List(Vec::new()), "of type list"),
        (Date, Value::Int(20_260_131), "of type int"),
        (Datetime, day, "of type date"),
        (Decimal, Value::Bool(false), "of type bool"),
        (Int, Value::Map([("a".into(), Value::Null)].into_iter().collect()), "of type map"),
        (Int, Value::Bytes([1].into()), "of type bytes"),
    ] {
        let why = coerce_value(ty, value.clone()).unwrap_err();
        assert!(why.0.contains(part), "{ty} {value:?}: {why}");
    }
}

#[test]
fn a_float_is_a_decimal_where_its_digits_leave_no_doubt() {
    for (float, text) in [
        (12.5, "12.5"),
        (0.1, "0.1"),
        (-1e-7, "-0.0000001"),
        (123_456_789_012.345, "123456789012.345"),
        (2500.0, "2500"),
    ] {
        assert_eq!(coerce_value(FieldType::Decimal, Value::Float(float)).unwrap().to_json(), json!(text));
    }
    for float in [0.1 + 0.2, 1.0 / 3.0, 1e300, 1e-300, f64::NAN] {
        let why = coerce_value(FieldType::Decimal, Value::Float(float)).unwrap_err();
        assert!(why.0.contains("as text"), "{why}");
    }
}

fn coercer(schema: serde_json::Value, names: &[&str]) -> Coercer {
    let contract = Contract::from_settings(&schema).expect("a schema");
    Coercer::new(&contract, Shape::new(names.iter().map(|n| (*n).into())))
}

#[test]
fn blank_cells_are_null_or_missing_and_stay_text_in_text_fields() {
    let schema = json!({"mode": "fixed", "fields": ["i: int?", "s: str", "o: str?", "a: any?"]});
    let coercer = coercer(schema, &["i", "s", "o", "a"]);
    for blank in ["", " ", "\t \u{a0}"] {
        let row = coercer.text_record([blank; 4].into_iter()).unwrap();
        let text = || Value::Str(blank.into());
        assert_eq!(row.values(), [Value::Null, text(), text(), Value::Null]);
    }
    for ty in ["int", "float", "bool", "any", "date", "datetime", "decimal"] {
        let coercer = self::coercer(json!({"mode": "fixed", "fields": [format!("x: {ty}")]}), &["x"]);
        let violation = coercer.text_record([" "].into_iter()).unwrap_err();
        assert_eq!(violation.to_string(), "required field `x` is missing", "{ty}");
    }
}

#[test]
fn columns_without_a_type_stay_text_in_the_order_of_the_source() {
    for schema in [json!({"mode": "observed"}), json!({"mode": "flexible", "fields": ["n: int"]})] {
        let declared = schema["mode"] == "flexible";
        let row = coercer(schema, &["b", "n", "a"]).text_record(["1", "2", ""].into_iter()).unwrap();
        let n = if declared { Value::Int(2) } else { Value::Str("2".into()) };
        assert_eq!(row.values(), [Value::Str("1".into()), n, Value::Str("".into())]);
        assert_eq!(row.shape().names(), ["b", "n", "a"]);
    }
}

#[test]
fn what_is_wrong_with_every_record_is_said_of_every_record() {
    let fixed = json!({"mode": "fixed", "fields": ["a: int", "b: int?"]});
    for (schema, names, message) in [
        (fixed.clone(), &["b"][..], "required field `a` is missing"),
        (fixed.clone(), &["a", "c"], "field `c` is not in the schema, which is fixed"),
        (json!({"mode": "observed", "required_fields": ["z"]}), &["a"], "required field `z` is missing"),
    ] {
        let coercer = coercer(schema, names);
        let cells = vec!["1"; names.len()];
        assert_eq!(coercer.text_record(cells.into_iter()).unwrap_err().to_string(), message);
    }
    assert!(coercer(fixed, &["a"]).text_record(["1"].into_iter()).is_ok(), "an optional column may lack");
}

#[test]
fn the_first_bad_cell_is_named() {
    let coercer =
        coercer(json!({"mode": "fixed", "fields": ["a: int", "b: float", "c: bool"]}), &["c", "b", "a"]);
    let violation = coercer.text_record(["yes", "nan", "x"].into_iter()).unwrap_err();
    assert_eq!(violation.to_string(), "field `b` must be float: `nan` is not a finite number");
}
