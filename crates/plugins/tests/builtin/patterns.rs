//! What CPython finds, pattern by pattern; `data/generate_patterns.py` says how the expectations were made.

use serde::Deserialize;
use serde_json::json;

use crate::driving::{process, refused, row, text, transform};

#[derive(Deserialize)]
struct Cases {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    pattern: String,
    texts: Vec<Text>,
}

#[derive(Deserialize)]
struct Text {
    text: String,
    at: Option<u64>,
}

/// The character at which the pattern is found.
fn found(pattern: &str, searched: &str) -> Option<u64> {
    let filter = transform("keyword_filter", &json!({"fields": ["t"], "blocked_patterns": [pattern]}));
    let reason = process(filter.as_ref(), row(&[("t", text(searched))])).err()?;
    assert!(reason.message.contains(&format!("(`{pattern}`)")), "{}", reason.message);
    reason.message.rsplit(' ').next().and_then(|number| number.parse().ok())
}

#[test]
fn patterns_are_found_where_python_finds_them() {
    let cases: Cases = serde_json::from_str(include_str!("../data/patterns.json")).unwrap();
    let mut wrong = Vec::new();
    for Case { pattern, texts } in &cases.cases {
        for Text { text, at } in texts {
            let found = found(pattern, text);
            if found != *at {
                wrong.push(format!("{pattern:?} in {text:?}: {found:?}, for Python {at:?}"));
            }
        }
    }
    assert_eq!(wrong.join("\n"), "");
}

#[test]
fn patterns_that_mean_something_else_or_nothing_are_refused_with_the_cause() {
    let cases = [
        ("[a&&b]", "`&&`, `--` or `~~` stands in a class (put a backslash before it"),
        ("[a--c]", "`&&`, `--` or `~~` stands in a class"),
        ("[a~~b]", "`&&`, `--` or `~~` stands in a class"),
        ("x[[:alpha:]]", "a class stands in a class (put a backslash before it"),
        ("[a[b]]", "a class stands in a class"),
        ("(?=a)", "`(?=` is a look ahead (patterns are searched in linear time"),
        ("(?<!a)b", "`(?<!` is a look behind (patterns"),
        ("(a)\\1", "`\\1` is a back-reference, or no character (patterns"),
        ("(?P<n>a)(?P=n)", "`(?P=` is a back-reference (patterns"),
        ("(a)?(?(1)b|c)", "`(?(` is a condition (patterns"),
        ("(?>a)b", "`(?>` is an atomic group (patterns"),
        ("a++a", "`+` stands behind a repetition (patterns"),
        ("a{2}+", "`+` stands behind a repetition (patterns"),
        ("a$\\n", "what follows `$` could take the newline before it (end the pattern with `$`"),
        ("(foo|bar$)\\s", "what follows `$` could take the newline before it"),
        ("(a$|\\n){2}", "what follows `$` could take the newline before it"),
        (
            "\\b(foo|bar$)\\b",
            "what follows `$` looks at the place before the newline (end the pattern with `$`",
        ),
        ("(?a)\\w", "the flag `a` is not available (leave it out"),
        ("\\N{BULLET}", "`\\N{...}` is not available (write the character itself"),
        ("\\q", "`\\q` means nothing here (write the letter"),
        ("[\\Z]", "`\\Z` means nothing here"),
        ("\\x4", "`\\x` wants 2 hexadecimal digits (write leading zeros)"),
        ("\\", "a backslash ends the pattern (write two"),
        ("[a", "a class is not closed (write `\\[`"),
        ("[z-a]", "the start must be <= the end"),
        ("[\\d-z]", "a range ends in what is many characters"),
        ("*a", "repetition operator missing expression (put a backslash"),
        ("{2}", "repetition operator missing expression"),
        ("(a", "unclosed group (put a backslash"),
        ("a)", "unopened group"),
    ];
    for (pattern, why) in cases {
        let told =
            refused("transform", "keyword_filter", &json!({"fields": ["t"], "blocked_patterns": [pattern]}));
        let begin = format!("blocked_patterns.0: `{pattern}` is not a usable regular expression: ");
        assert!(told.join("").starts_with(&begin) && told.join("").contains(why), "{told:?}");
    }
    let large = refused(
        "transform",
        "keyword_filter",
        &json!({"fields": ["t"], "blocked_patterns": ["(\\w{500}){50}"]}),
    );
    assert!(large.join("").contains("bytes once compiled (make its repetitions smaller)"), "{large:?}");
}

#[test]
fn properties_are_ours() {
    for (pattern, text) in [
        ("\\p{Lu}b", "Ab"),
        ("\\pLb", "\u{e9}b"),
        ("[\\p{Greek}1]x", "\u{3b1}x"),
        ("\\x{41}", "A"),
        ("a\\z", "a"),
    ] {
        assert_eq!(found(pattern, text), Some(1), "{pattern}");
    }
}
