//! No text makes loading panic, hang or point outside of the text.

mod settings;

use elspeth_config::{Diagnostic, load_text};
use proptest::prelude::*;
use settings::{GATE, JOINED, load};

fn check(text: &str, diagnostics: &[Diagnostic]) {
    assert!(!diagnostics.is_empty(), "a refusal without a reason");
    for d in diagnostics {
        assert!(!d.message.is_empty());
        assert_ne!(d.code, "unexplained", "{text}");
        if let Some(span) = d.span {
            assert!(text.get(span.offset..span.offset + span.len).is_some(), "{d:?}");
        }
    }
}

fn try_load(text: &str) {
    if let Err(diagnostics) = load(text) {
        check(text.strip_prefix('\u{feff}').unwrap_or(text), &diagnostics);
    }
}

/// Pieces that mean something in YAML, in settings or in expressions.
fn piece() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ":",
        ": ",
        "- ",
        "&a",
        "*a",
        "<<: *a",
        "!!str ",
        "|",
        ">",
        "'",
        "\"",
        "#",
        "---\n",
        "...\n",
        "\t",
        "\r\n",
        "\u{feff}",
        "\u{0}",
        "\u{85}",
        "ü",
        "💥",
        "${",
        "${X}",
        "${X:-y}",
        "null",
        "~",
        "true",
        ".nan",
        "1e999",
        "99999999999999999999",
        "-0",
        "0x10",
        "discard",
        "fork",
        "continue",
        "source",
        "row['",
        "(((((",
        "{}",
        "[]",
        "? a",
        "? [a]\n: b",
        "on_error",
        "options",
    ]);
    prop_oneof![known.prop_map(str::to_owned), "\\PC{0,6}"]
}

/// Names of [`JOINED`], and words that stand where names do.
const NAMES: [&str; 18] = [
    "rows",
    "split",
    "fast",
    "checked",
    "archive",
    "check",
    "was_checked",
    "joined",
    "big",
    "small",
    "totals",
    "last",
    "sums",
    "errors",
    "fork",
    "discard",
    "require_all",
    "passthrough",
];

fn base() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![GATE, JOINED])
}

/// Where a word begins and ends that is one of the names.
fn names_in(text: &str) -> Vec<(usize, usize)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut places = Vec::new();
    let mut start = 0;
    for (end, c) in text.char_indices().chain([(text.len(), ' ')]) {
        if !is_part(c) {
            if NAMES.contains(&&text[start..end]) {
                places.push((start, end));
            }
            start = end + c.len_utf8();
        }
    }
    places
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_file_with_names_exchanged_is_refused_or_taken(
        edits in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(NAMES.to_vec())), 1..6)
    ) {
        let mut text = JOINED.to_owned();
        for (at, name) in edits {
            let places = names_in(&text);
            let (start, end) = places[at.index(places.len())];
            text.replace_range(start..end, name);
        }
        try_load(&text);
    }

    #[test]
    fn a_mutated_file_is_refused_or_taken(
        base in base(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0usize..12, piece()), 1..5)
    ) {
        let mut text = base.to_owned();
        for (at, remove, insert) in edits {
            let places: Vec<usize> = text.char_indices().map(|(i, _)| i).chain([text.len()]).collect();
            let start = at.index(places.len());
            let end = (start + remove).min(places.len() - 1);
            text.replace_range(places[start]..places[end], &insert);
        }
        try_load(&text);
    }

    #[test]
    fn a_file_without_some_lines_is_refused_or_taken(
        base in base(),
        keep in prop::collection::vec(prop::bool::weighted(0.9), 48),
    ) {
        let lines: Vec<&str> = base.lines().zip(&keep).filter(|(_, keep)| **keep).map(|(line, _)| line).collect();
        try_load(&lines.join("\n"));
    }

    #[test]
    fn any_text_is_refused_or_taken(text in "\\PC{0,200}") {
        try_load(&text);
    }

    #[test]
    fn any_value_anywhere_is_refused_or_taken(
        base in base(),
        line in 0usize..48,
        value in prop::sample::select(vec!["[]", "{}", "3", "text", "", "{a: [b]}", "true", "[1, x]", "-1.5", "''"]),
    ) {
        let mut lines: Vec<String> = base.lines().map(str::to_owned).collect();
        if let Some(place) = lines.get_mut(line)
            && let Some((key, _)) = place.clone().split_once(": ")
        {
            *place = format!("{key}: {value}");
        }
        try_load(&lines.join("\n"));
    }
}

#[test]
fn deep_nesting_and_size_are_refused() {
    for text in
        ["[".repeat(5000), "{a: ".repeat(5000), "- ".repeat(5000), format!("a: {}", "x".repeat(100_000))]
    {
        try_load(&text);
    }
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned()
        + &(0..40)
            .map(|i| {
                format!(
                    "b{i}: &b{i} [{}]\n",
                    if i == 0 { "*a,*a,*a".to_owned() } else { format!("*b{0},*b{0},*b{0}", i - 1) }
                )
            })
            .collect::<String>();
    assert_eq!(load(&bomb).unwrap_err()[0].code, "yaml");
}

#[test]
fn a_folder_or_a_file_of_bytes_is_no_settings_file() {
    let folder = tempfile::tempdir().unwrap();
    let environment = elspeth_config::Environment::new(std::collections::BTreeMap::new(), folder.path());
    let registry = elspeth_plugins::builtin();
    let code = |name: &str| {
        elspeth_config::load(std::path::Path::new(name), &environment, &registry).unwrap_err()[0].code
    };
    std::fs::write(folder.path().join("bytes.yaml"), [0xff, 0xfe, 0x00]).unwrap();
    std::fs::write(folder.path().join("large.yaml"), vec![b'#'; 2 << 20]).unwrap();
    assert_eq!(code("missing.yaml"), "unreadable-file");
    assert_eq!(code("."), "unreadable-file");
    assert_eq!(code("bytes.yaml"), "not-utf8");
    assert_eq!(code("large.yaml"), "file-too-large");
    assert!(load_text("", "x", &environment, &registry).is_err());
}
