//! What Python has no literal for, what differs from Python on purpose, and the texts and truths of values.

mod fixture;

use elspeth_expr::{EvalError, Expr, Root, Scope};
use elspeth_value::{Map, Row, Shape, Value};
use rust_decimal::Decimal;
use serde_json::json;
use time::macros::{date, datetime};

use fixture::row_of;

fn decimal(text: &str) -> Decimal {
    text.parse().expect("a decimal")
}

fn special_row() -> Row {
    let fields = [
        ("price", Value::Decimal(decimal("19.90"))),
        ("tenth", Value::Decimal(decimal("0.1"))),
        ("zero", Value::Decimal(decimal("0.00"))),
        ("day", Value::Date(date!(2024 - 01 - 31))),
        ("later", Value::Date(date!(2024 - 02 - 01))),
        ("at", Value::DateTime(datetime!(2024-01-31 12:00 UTC))),
        ("there", Value::DateTime(datetime!(2024-01-31 13:00 +1))),
        ("bytes", Value::Bytes((*b"a'\x00\xff").into())),
    ];
    let shape = Shape::new(fields.iter().map(|(name, _)| (*name).into()));
    Row::new(shape, fields.into_iter().map(|(_, value)| value).collect())
}

fn eval(text: &str) -> Result<Value, EvalError> {
    Expr::parse(text, Root::Row)
        .unwrap_or_else(|error| panic!("{text}: {error:?}"))
        .eval(Scope::Row(&special_row()))
}

fn all_true(texts: &[&str]) {
    for text in texts {
        assert_eq!(eval(text), Ok(Value::Bool(true)), "{text}");
    }
}

fn fails(text: &str, message: &str) {
    assert_eq!(eval(text).expect_err(text).message, message, "{text}");
}

#[test]
fn decimals_compare_by_what_is_written() {
    all_true(&[
        "row['price'] == 19.9",
        "row['price'] > 19",
        "row['price'] < 20 and 19.89 < row['price'] < 19.91",
        "row['tenth'] == 0.1",
        "row['tenth'] in [0.1]",
        "row['tenth'] >= 0.1",
        "row['tenth'] < 0.10000000000000002",
        "row['zero'] == 0 == row['zero'] and row['zero'] == False and row['zero'] == 0.0",
        "row['price'] < 1e300",
        "row['tenth'] > 1e-300",
        "row['price'] > -1e300",
        "row['price'] != '19.90'",
    ]);
}

#[test]
fn decimals_calculate_among_themselves_and_with_whole_numbers() {
    all_true(&[
        "str(row['price'] + row['tenth']) == '20.00'",
        "str(row['price'] * 2) == '39.80'",
        "str(2 * row['price'] - 1) == '38.80'",
        "str(row['price'] // 5) == '3'",
        "str(-row['price'] // 5) == '-3'",
        "str(row['price'] % 5) == '4.90'",
        "str(abs(-row['price'])) == '19.90'",
        "str(+row['price']) == '19.90'",
        "int(row['price']) == 19 and int(-row['price']) == -19",
        "float(row['price']) * 2 == 39.8",
        "bool(row['price']) and not row['zero']",
        "str([row['price']]) == \"[Decimal('19.90')]\"",
    ]);
    fails("row['price'] * 1.5", "`*` does not work on decimal and float; convert the decimal with float()");
    fails("1.5 / row['price']", "`/` does not work on float and decimal; convert the decimal with float()");
    fails("row['price'] / 0", "`/` by zero");
    fails("row['price'] % row['zero']", "`%` by zero");
    fails("row['price'] < '20'", "`<` cannot order decimal and str");
}

#[test]
fn dates_compare_with_each_other_and_with_their_text() {
    all_true(&[
        "row['day'] == '2024-01-31' and '2024-01-31' == row['day']",
        "row['day'] < '2024-02-01' and '2024-02-01' > row['day']",
        "row['day'] < row['later'] and row['later'] >= row['later']",
        "row['day'] in ['2024-01-30', '2024-01-31']",
        "row['day'] != 'x' and not row['day'] == 'x'",
        "row['at'] == '2024-01-31T12:00:00Z' and row['at'] == '2024-01-31T13:00:00+01:00'",
        "row['at'] == '2024-01-31T12:00:00' and row['at'] == '2024-01-31T12:00:00.000'",
        "row['at'] > '2024-01-31' and '2024-02-01' > row['at']",
        "row['at'] == row['there']",
        "row['at'] != row['day']",
        "bool(row['day']) and bool(row['at'])",
        "str(row['day']) == '2024-01-31'",
        "str(row['there']) == '2024-01-31T12:00:00Z'",
        "str([row['day'], row['at']]) == \"['2024-01-31', '2024-01-31T12:00:00Z']\"",
    ]);
    fails(
        "row['day'] < 'soon'",
        "`<` cannot order date and str; a date compares with text like '2024-01-31'",
    );
    fails(
        "'31.01.2024' <= row['at']",
        "`<=` cannot order str and datetime; a datetime compares with text like '2024-01-31T12:00:00Z'",
    );
    fails("row['day'] < row['at']", "`<` cannot order date and datetime");
    fails("row['day'] < 5", "`<` cannot order date and int");
    fails("row['later'] - row['day']", "`-` does not work on date and date");
    fails("int(row['day'])", "int() does not take date");
}

#[test]
fn bytes_have_length_items_and_text() {
    all_true(&[
        "len(row['bytes']) == 4",
        "row['bytes'][0] == 97 and row['bytes'][-1] == 255",
        "row['bytes'] == row['bytes'] and row['bytes'] <= row['bytes'] and row['bytes'] != 'a'",
        "str(row['bytes']) == 'b\"a\\'\\\\x00\\\\xff\"'",
    ]);
    fails("97 in row['bytes']", "`in` needs a str, list, tuple, set or dict on its right, not bytes");
}

#[test]
fn differs_from_python_as_documented() {
    fails(
        "'%d items' % 5",
        "`%` does not work on str and int; formatting of text is not available, join with `+` and str()",
    );
    fails("{1: 2}", "a dict that is a result has str keys only, this one has a key of type int");
    fails("9007199254740991 + 1 - 1", "the whole number is beyond +-(2^53-1)");
    fails("1e300 * 1e300", "the float is infinite or not a number");
    fails("int('\u{663}')", "int() cannot read '\u{663}' as a whole number");
    all_true(&["str({'b', 'a', 'b'}) == \"{'b', 'a'}\""]);
    assert_eq!(eval("(1, {2})"), Ok(Value::List(vec![Value::Int(1), Value::List(vec![Value::Int(2)])])));
}

#[test]
fn missing_names_are_named_with_those_that_exist() {
    let row = row_of(&json!({"amount": 1, "category": {"main": "x"}}));
    let message = |text: &str| Expr::parse(text, Root::Row).unwrap().eval(Scope::Row(&row)).unwrap_err();
    let error = message("1 + row['amuont']");
    assert_eq!(
        error.message,
        "the row has no field 'amuont', did you mean 'amount'?; there are: amount, category"
    );
    assert_eq!((error.span.start, error.span.end), (4, 17));
    let error = message("row['category']['sub']");
    assert_eq!(error.message, "the dict has no key 'sub'; there are: main");
    let error = message("row[row['category']['main']]");
    assert_eq!(error.message, "the row has no field 'x'; there are: amount, category");
    assert_eq!(message("row[5]").message, "the row has no field 5");
    let none = Expr::parse("row['a']", Root::Row).unwrap().eval(Scope::Names(&[]));
    assert_eq!(none.unwrap_err().message, "the row has no field 'a'; there are none");
}

#[test]
fn failures_point_at_the_smallest_part() {
    let spans = [
        ("1 < 2 < 'a' + 'b'", 4, 17),
        ("1 + 2 + 'a'", 0, 11),
        ("True and 1 / 0", 9, 14),
        ("[1, len(5)]", 4, 10),
        ("-'a'", 0, 4),
        ("[1][7]", 0, 6),
        ("{'a': {[]}}", 6, 10),
    ];
    for (text, start, end) in spans {
        let span = eval(text).expect_err(text).span;
        assert_eq!((span.start, span.end), (start, end), "{text}");
    }
}

#[test]
fn one_expression_serves_rows_of_many_shapes_and_many_threads() {
    let expr = Expr::parse("row['b'] >= 2 and row['c'] == 'x'", Root::Row).unwrap();
    let rows = [
        row_of(&json!({"a": 1, "b": 2, "c": "x"})),
        row_of(&json!({"c": "x", "b": 2})),
        row_of(&json!({"b": 2, "z": 0, "y": 0, "c": "x"})),
        row_of(&json!({"b": 2})),
    ];
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                for round in 0..1000 {
                    let result = expr.clone().eval(Scope::Row(&rows[round % 4]));
                    assert_eq!(result.ok(), (round % 4 != 3).then_some(Value::Bool(true)));
                }
            });
        }
    });
}

#[test]
fn names_of_commencement_gates_are_given() {
    let text = "dependency_runs['load']['status'] == 'completed' and env.get('CI', 'no') == 'yes'";
    let expr = Expr::parse(text, Root::Commencement).unwrap();
    let map = |key: &str, value: Value| Value::Map([(key.into(), value)].into_iter().collect::<Map>());
    let runs = map("load", map("status", Value::Str("completed".into())));
    let names = [("dependency_runs", runs), ("env", map("CI", Value::Str("yes".into())))];
    assert_eq!(expr.eval(Scope::Names(&names)), Ok(Value::Bool(true)));
    let expr = Expr::parse("len(collections) > 0", Root::Commencement).unwrap();
    assert_eq!(expr.eval(Scope::Names(&names)).unwrap_err().message, "`collections` has no value here");
}

#[test]
fn triggers_ask_for_count_and_age() {
    let expr =
        Expr::parse("row['batch_count'] >= 100 or row['batch_age_seconds'] > 2.5", Root::Trigger).unwrap();
    let row = row_of(&json!({"batch_count": 5, "batch_age_seconds": {"__float__": "2.6"}}));
    assert_eq!(expr.eval(Scope::Row(&row)), Ok(Value::Bool(true)));
}

#[test]
fn fields_are_listed_once_in_order() {
    let fields = |text: &str| {
        let expr = Expr::parse(text, Root::Row).unwrap();
        expr.fields().into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(fields("row['b'] + row['a'] * row['b']"), ["b", "a"]);
    assert_eq!(fields("row.get('a', row['c'])['x'] if row['b'] else 1"), ["a", "c", "b"]);
    assert_eq!(fields("'a' in row and 'b' not in row and 'c' in row['d']"), ["a", "b", "d"]);
    assert_eq!(fields("str({'k': [row['x'], (row['y'],)]}) < row['z'][row['i']]"), ["x", "y", "z", "i"]);
    assert_eq!(fields("row['a' 'b']"), ["ab"]);
    assert_eq!(fields("1 + 1"), Vec::<String>::new());
}

#[test]
fn labels_are_texts() {
    let labels = [
        (Value::Bool(true), "true"),
        (Value::Bool(false), "false"),
        (Value::Null, "None"),
        (Value::Int(-7), "-7"),
        (Value::Float(2500.0), "2500.0"),
        (Value::Float(1e16), "1e+16"),
        (Value::Str("a 'b'".into()), "a 'b'"),
        (Value::Decimal(decimal("1.50")), "1.50"),
        (Value::Date(date!(2024 - 01 - 31)), "2024-01-31"),
        (Value::DateTime(datetime!(2024-01-31 13:00:00.5 +1)), "2024-01-31T12:00:00.5Z"),
        (Value::List(vec![Value::Bool(true), Value::Str("a".into())]), "[True, 'a']"),
    ];
    for (value, label) in labels {
        assert_eq!(Expr::label(&value), label);
    }
}

#[test]
fn truth_is_python_s() {
    let truths = [
        (Value::Null, false),
        (Value::Bool(true), true),
        (Value::Int(0), false),
        (Value::Float(-0.0), false),
        (Value::Float(0.1), true),
        (Value::Str("".into()), false),
        (Value::Str("0".into()), true),
        (Value::Decimal(decimal("0.00")), false),
        (Value::Date(date!(2024 - 01 - 31)), true),
        (Value::Bytes([].into()), false),
        (Value::List(vec![]), false),
        (Value::List(vec![Value::Null]), true),
        (Value::Map(Map::new()), false),
    ];
    for (value, truth) in truths {
        assert_eq!(Expr::truth(&value), truth, "{value:?}");
    }
}
