//! Random texts and random trees.

mod fixture;

use elspeth_expr::{Expr, Root, Scope};
use elspeth_value::{Contract, Row, Value};
use proptest::prelude::*;
use serde_json::json;

use fixture::row_of;

/// A tree of whole numbers, with a plain model of what it means.
#[derive(Debug, Clone)]
enum Tree {
    Number(i64),
    Field(usize),
    Minus(Box<Tree>),
    Arithmetic(&'static str, Box<Tree>, Box<Tree>),
    Compare(Box<Tree>, Vec<(&'static str, Tree)>),
    And(Box<Tree>, Box<Tree>),
    Or(Box<Tree>, Box<Tree>),
    Not(Box<Tree>),
    Choice(Box<Tree>, Box<Tree>, Box<Tree>),
}

const FIELDS: [(&str, i64); 3] = [("zero", 0), ("seven", 7), ("minus", -13)];
const LIMIT: i128 = (1 << 53) - 1;

fn row() -> Row {
    row_of(&json!({"zero": 0, "other": "x", "seven": 7, "minus": -13}))
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Plain {
    Int(i128),
    Bool(bool),
}

impl Plain {
    fn number(self) -> i128 {
        match self {
            Self::Int(value) => value,
            Self::Bool(value) => i128::from(value),
        }
    }
}

fn int(value: i128) -> Option<Plain> {
    (value.abs() <= LIMIT).then_some(Plain::Int(value))
}

/// `None` is a failure.
fn meaning(tree: &Tree) -> Option<Plain> {
    match tree {
        Tree::Number(value) => int(i128::from(*value)),
        Tree::Field(index) => int(i128::from(FIELDS[*index].1)),
        Tree::Minus(of) => int(-meaning(of)?.number()),
        Tree::Not(of) => Some(Plain::Bool(meaning(of)?.number() == 0)),
        Tree::Arithmetic(op, left, right) => calculate(op, meaning(left)?.number(), meaning(right)?.number()),
        Tree::Compare(first, rest) => chain(meaning(first)?.number(), rest),
        Tree::And(left, right) => match meaning(left)? {
            left if left.number() == 0 => Some(left),
            _ => meaning(right),
        },
        Tree::Or(left, right) => match meaning(left)? {
            left if left.number() != 0 => Some(left),
            _ => meaning(right),
        },
        Tree::Choice(condition, then, otherwise) => {
            if meaning(condition)?.number() != 0 {
                meaning(then)
            } else {
                meaning(otherwise)
            }
        }
    }
}

fn calculate(op: &str, left: i128, right: i128) -> Option<Plain> {
    match op {
        "+" => int(left + right),
        "-" => int(left - right),
        "*" => int(left * right),
        "//" if right != 0 => int(floor(left, right)),
        "%" if right != 0 => int(left - right * floor(left, right)),
        _ => None,
    }
}

fn floor(left: i128, right: i128) -> i128 {
    let (left, right) = if right < 0 { (-left, -right) } else { (left, right) };
    left.div_euclid(right)
}

fn chain(mut left: i128, rest: &[(&'static str, Tree)]) -> Option<Plain> {
    for (op, right) in rest {
        let right = meaning(right)?.number();
        let holds = match *op {
            "<" => left < right,
            "<=" => left <= right,
            ">" => left > right,
            ">=" => left >= right,
            "==" => left == right,
            _ => left != right,
        };
        if !holds {
            return Some(Plain::Bool(false));
        }
        left = right;
    }
    Some(Plain::Bool(true))
}

/// How tightly a tree binds; its parts are put in parentheses only where they bind less tightly.
fn level(tree: &Tree) -> u8 {
    match tree {
        Tree::Choice(..) => 0,
        Tree::Or(..) => 1,
        Tree::And(..) => 2,
        Tree::Not(_) => 3,
        Tree::Compare(..) => 4,
        Tree::Arithmetic("+" | "-", ..) => 5,
        Tree::Arithmetic(..) => 6,
        Tree::Minus(_) => 7,
        Tree::Number(value) if *value < 0 => 7,
        Tree::Number(_) | Tree::Field(_) => 8,
    }
}

fn print(tree: &Tree, at_least: u8, out: &mut String) {
    if level(tree) < at_least {
        out.push('(');
        print(tree, 0, out);
        return out.push(')');
    }
    let own = level(tree);
    match tree {
        Tree::Number(value) => out.push_str(&value.to_string()),
        Tree::Field(index) => out.push_str(&format!("row['{}']", FIELDS[*index].0)),
        Tree::Minus(of) => {
            out.push('-');
            print(of, own, out);
        }
        Tree::Not(of) => {
            out.push_str("not ");
            print(of, own, out);
        }
        Tree::Arithmetic(op, left, right) => between(left, own, op, (right, own + 1), out),
        Tree::And(left, right) => between(left, own, "and", (right, own + 1), out),
        Tree::Or(left, right) => between(left, own, "or", (right, own + 1), out),
        Tree::Compare(first, rest) => {
            print(first, own + 1, out);
            for (op, right) in rest {
                out.push_str(&format!(" {op} "));
                print(right, own + 1, out);
            }
        }
        Tree::Choice(condition, then, otherwise) => {
            between(then, own + 1, "if", (condition, own + 1), out);
            out.push_str(" else ");
            print(otherwise, own, out);
        }
    }
}

fn between(left: &Tree, level: u8, op: &str, right: (&Tree, u8), out: &mut String) {
    print(left, level, out);
    out.push_str(&format!(" {op} "));
    print(right.0, right.1, out);
}

fn trees() -> impl Strategy<Value = Tree> {
    let number = prop_oneof![-9_i64..10, -1_000_000..1_000_000_i64, Just((1 << 53) - 1), Just(1 - (1 << 53))];
    let leaf = prop_oneof![3 => number.prop_map(Tree::Number), 2 => (0..3_usize).prop_map(Tree::Field)];
    leaf.prop_recursive(6, 40, 3, |part| {
        let boxed = part.clone().prop_map(Box::new);
        let pair = (boxed.clone(), boxed.clone());
        let arithmetic = prop_oneof![Just("+"), Just("-"), Just("*"), Just("//"), Just("%")];
        let comparison = prop_oneof![Just("<"), Just("<="), Just(">"), Just(">="), Just("=="), Just("!=")];
        prop_oneof![
            4 => (arithmetic, pair.clone()).prop_map(|(op, (left, right))| Tree::Arithmetic(op, left, right)),
            2 => (boxed.clone(), prop::collection::vec((comparison, part), 1..3))
                .prop_map(|(first, rest)| Tree::Compare(first, rest)),
            1 => boxed.clone().prop_map(Tree::Minus),
            1 => boxed.clone().prop_map(Tree::Not),
            1 => pair.clone().prop_map(|(left, right)| Tree::And(left, right)),
            1 => pair.prop_map(|(left, right)| Tree::Or(left, right)),
            1 => (boxed.clone(), boxed.clone(), boxed).prop_map(|(a, b, c)| Tree::Choice(a, b, c)),
        ]
    })
}

/// Words of the language and its neighbours in any order.
fn word_salad() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "row",
        "[",
        "]",
        "(",
        ")",
        "{",
        "}",
        "'a'",
        "\"",
        "'",
        ".get(",
        ".",
        ",",
        ":",
        "=",
        "==",
        "!=",
        "<",
        "in ",
        "not ",
        "and ",
        "or ",
        "is ",
        "None",
        "True",
        "if ",
        "else ",
        "1",
        "0x",
        "1e",
        "_",
        "**",
        "*",
        "//",
        "-",
        "%",
        "str(",
        "len",
        "lambda ",
        "for ",
        "\\",
        "\\x",
        "\n",
        "#",
        "é",
        "\u{2028}",
        "...",
        "0",
        "9999999999999999999",
        "f'",
        "env",
    ]);
    prop::collection::vec(words, 0..40).prop_map(|words| words.concat())
}

fn survives(text: &str) {
    for root in [Root::Row, Root::Trigger, Root::Commencement] {
        match Expr::parse(text, root) {
            Err(error) => {
                assert!(error.span.start <= error.span.end && error.span.end <= text.len(), "{error:?}");
                assert!(text.is_char_boundary(error.span.start) && text.is_char_boundary(error.span.end));
            }
            Ok(expr) => {
                let _: Vec<&str> = expr.fields();
                let _ = expr.check(&Contract::observed());
                let _ = expr.eval(Scope::Row(&row()));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_text_breaks_the_parser(text in any::<String>()) {
        survives(&text);
    }

    #[test]
    fn no_arrangement_of_words_breaks_the_parser(text in word_salad()) {
        survives(&text);
    }

    #[test]
    fn trees_mean_what_the_model_says(tree in trees()) {
        let mut text = String::new();
        print(&tree, 0, &mut text);
        prop_assume!(text.len() <= 4096);
        let expr = Expr::parse(&text, Root::Row);
        prop_assert!(expr.is_ok(), "{}: {:?}", text, expr);
        let result = expr.unwrap().eval(Scope::Row(&row()));
        let expected = meaning(&tree).map(|plain| match plain {
            Plain::Int(value) => Value::Int(i64::try_from(value).unwrap()),
            Plain::Bool(value) => Value::Bool(value),
        });
        prop_assert_eq!(result.clone().ok(), expected, "{} gives {:?}", text, result);
    }
}
