//! Nothing that a text can say is unbounded.

mod fixture;

use elspeth_expr::{EvalError, Expr, Root, Scope};
use elspeth_value::Value;
use serde_json::json;

use fixture::{row_of, value_of};

fn eval(text: &str) -> Result<Value, EvalError> {
    let row = row_of(&json!({"text": "x".repeat(100_000), "list": vec![1; 1000], "count": 1_000_000_000}));
    Expr::parse(text, Root::Row).unwrap_or_else(|error| panic!("{text}: {error:?}")).eval(Scope::Row(&row))
}

fn is_too_large(text: &str) {
    let error = eval(text).expect_err(text);
    assert!(error.message.starts_with("the result is too large"), "{text}: {error:?}");
}

#[test]
fn text_may_have_four_kibibytes() {
    let fits = format!("{:4096}", "1");
    assert!(Expr::parse(&fits, Root::Row).is_ok());
    let error = Expr::parse(&format!("{fits} "), Root::Row).expect_err("one byte more");
    assert_eq!(error.message, "the expression has 4097 bytes; at most 4096 are allowed");
    assert_eq!((error.span.start, error.span.end), (4096, 4097));
}

#[test]
fn a_long_text_is_refused_at_a_character() {
    let error = Expr::parse(&"é".repeat(4000), Root::Row).expect_err("8000 bytes");
    assert_eq!(error.span.start, 4096);
    let odd = format!("'{}'", "é".repeat(4000));
    let error = Expr::parse(&odd, Root::Row).expect_err("8002 bytes");
    assert!(odd.is_char_boundary(error.span.start));
}

#[test]
fn nesting_may_have_sixty_four_levels() {
    let shapes: [(&str, &str, &str); 9] = [
        ("(", "1", ")"),
        ("[", "1", "]"),
        ("{'a': ", "1", "}"),
        ("str(", "1", ")"),
        ("- ", "1", ""),
        ("not ", "1", ""),
        ("1 if row else ", "2", ""),
        ("", "row", "['a']"),
        ("", "row", ".get('a')"),
    ];
    for (open, core, close) in shapes {
        let nested = |levels: usize| format!("{}{core}{}", open.repeat(levels), close.repeat(levels));
        assert!(Expr::parse(&nested(64), Root::Row).is_ok(), "{}", nested(64));
        let error = Expr::parse(&nested(65), Root::Row).expect_err("a level too many");
        assert_eq!(error.message, "the expression is nested more than 64 levels deep");
    }
}

#[test]
fn the_deepest_and_widest_trees_are_evaluated() {
    let deep = format!("{}1{}", "(1 if row['count'] and not -".repeat(15), " in [row] else 2)".repeat(15));
    assert_eq!(eval(&deep), Ok(Value::Int(1)));
    let wide = vec!["row['count']"; 250].join(" + ");
    assert_eq!(eval(&wide), Ok(Value::Int(250_000_000_000)));
    let wide = vec!["row['count']<2"; 200].join(" or ");
    assert_eq!(eval(&wide), Ok(Value::Bool(false)));
    let wide = vec!["1"; 2000].join("+");
    assert_eq!(eval(&wide), Ok(Value::Int(2000)));
}

#[test]
fn results_are_bounded() {
    is_too_large("'x' * 10000000000");
    is_too_large("'x' * row['count']");
    is_too_large("row['count'] * 'x'");
    is_too_large("row['text'] * 11");
    is_too_large("[1] * row['count']");
    is_too_large("(1,) * row['count']");
    is_too_large("row['list'] * 1000");
    is_too_large("[row['text']] * 20");
    is_too_large("['x' * 100000] * 20");
    is_too_large("[['x' * 1000] * 100] * 100");
    is_too_large("'x' * 1000000 + 'x' * 1000000");
    is_too_large(&["row['text']"; 12].join(" + "));
    is_too_large(&format!("[{}]", ["'x' * 100000"; 12].join(", ")));
    is_too_large(&format!("[{}]", ["row['text']"; 12].join(", ")));
    is_too_large(&format!("{{'a': [{}]}}", ["row['text']"; 12].join(", ")));
    is_too_large("str([row['text'], row['text']] * 10)");
    is_too_large("str(['\\x00' * 300000])");
}

#[test]
fn what_fits_is_built() {
    let length = |text: &str| eval(&format!("len({text})"));
    assert_eq!(length("'x' * 1000000"), Ok(Value::Int(1_000_000)));
    assert_eq!(length("row['text'] * 10"), Ok(Value::Int(1_000_000)));
    assert_eq!(length("row['text'] + '!'"), Ok(Value::Int(100_001)));
    assert_eq!(length("row['list'] * 10"), Ok(Value::Int(10_000)));
    assert_eq!(length("'x' * -5"), Ok(Value::Int(0)));
}

#[test]
fn a_field_is_given_whatever_its_size() {
    let long = "x".repeat(3 << 20);
    let row = row_of(&json!({"long": long, "list": [long]}));
    let value = |text: &str| Expr::parse(text, Root::Row).unwrap().eval(Scope::Row(&row));
    assert_eq!(value("row['long']"), Ok(value_of(&json!(long))));
    assert_eq!(value("row['list']"), Ok(value_of(&json!([long]))));
    assert_eq!(value("row['missing'] if 0 else row['long'] == row['list'][0]"), Ok(Value::Bool(true)));
}

#[test]
fn one_failure_does_not_weigh_on_the_next_evaluation() {
    let expr = Expr::parse("row['text'] * row['count']", Root::Row).unwrap();
    let with_count = |count: i64| row_of(&json!({"text": "x".repeat(1000), "count": count}));
    assert!(expr.eval(Scope::Row(&with_count(1_000_000))).is_err());
    for _ in 0..5 {
        let value = expr.eval(Scope::Row(&with_count(1000)));
        assert_eq!(value, Ok(Value::Str("x".repeat(1_000_000).into())));
    }
}
