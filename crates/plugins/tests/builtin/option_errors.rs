//! Options that are refused: every error at once, each with its path and advice.

use serde_json::{Value as Json, json};

use crate::driving::{refused, sink};

#[track_caller]
fn check(kind: &str, name: &str, options: Json, expected: &[&str]) {
    assert_eq!(refused(kind, name, &options), expected, "{kind} {name} {options}");
}

const PATH: &str = "path: the option `path` is missing (add `path:` to these options)";

#[test]
fn names_that_sources_cannot_give_are_told_before_a_header_is_read() {
    let mapping = json!({"a": "Foo Bar", "b": "x", "c": "2nd", "d": "x", "e": "Fine", "f": "x"});
    let expected = [
        "field_mapping.a: field_mapping renames `a` to `Foo Bar`, but names have letters, digits and `_`, and no digit first (no help)",
        "field_mapping.c: field_mapping renames `c` to `2nd`, but names have letters, digits and `_`, and no digit first (no help)",
        "field_mapping.d: field_mapping renames `d` to `x`, as it does `b` (no help)",
        "field_mapping.f: field_mapping renames `f` to `x`, as it does `b` (no help)",
    ];
    check("source", "csv", json!({"path": "a", "field_mapping": mapping}), &expected);
    let query =
        json!({"url": "sqlite:///a.db", "query": "SELECT id FROM t", "key": "id", "field_mapping": mapping});
    check("source", "database", query, &expected);
}

#[test]
fn sources_name_every_option_that_makes_no_sense() {
    check("source", "csv", json!({}), &[PATH.strip_prefix("path").unwrap()]);
    check("source", "json", json!(null), &[PATH.strip_prefix("path").unwrap()]);
    check(
        "source",
        "csv",
        json!({"path": "", "delimiter": ",,", "encoding": "x", "columns": [], "schema": {"mode": "fixed"}}),
        &[
            "path: the path is empty (name the file to read)",
            "schema: this mode needs `fields` (list the fields, or use mode: observed)",
            "delimiter: the delimiter must be one ASCII character, but is `,,` (write for example `,`, `;`, `|` or `\"\\t\"` for a tab)",
            "encoding: `x` is not a known text encoding (write for example `utf-8`, `latin-1`, `cp1252`, `utf-16` or `shift_jis`)",
            "columns: there are no columns (name them, or leave `columns` out)",
        ],
    );
    check(
        "source",
        "csv",
        json!({"path": "a", "columns": ["A", "a "]}),
        &["columns: several headers give the same field name: `A`, `a ` -> `a` (no help)"],
    );
    check(
        "source",
        "csv",
        json!({"path": "a", "columns": ["a"], "field_mapping": {"a": "two words", "x": "a", "y": "a"}}),
        &[
            "field_mapping.a: field_mapping renames `a` to `two words`, but names have letters, digits and `_`, and no digit first (no help)",
            "field_mapping.y: field_mapping renames `y` to `a`, as it does `x` (no help)",
        ],
    );
    for source in ["csv", "json"] {
        check(
            "source",
            source,
            json!({"path": "a.json", "schema": {"mode": "fixed", "fields": ["id: int", "Amount: float"]}}),
            &[
                "schema.fields.1: the source cannot have a field `Amount`: it normalises names (write `amount`)",
            ],
        );
    }
    check(
        "source",
        "csv",
        json!({"path": "a", "columns": ["a"], "field_mapping": {"b": "c"}}),
        &["field_mapping: field_mapping names `b`, which is not a field of the source (no help)"],
    );
    check(
        "source",
        "csv",
        json!({"path": "a", "skip_rows": "two"}),
        &["skip_rows: must be a whole number that is not negative, but is the text \"two\" (no help)"],
    );
    check(
        "source",
        "json",
        json!({"path": "a.jsonl", "data_key": "x"}),
        &[
            "data_key: lines of objects have no key around them (leave `data_key` out, or choose `format: json`)",
        ],
    );
    check(
        "source",
        "json",
        json!({"path": "a", "format": "jsonlines"}),
        &["format: `jsonlines` is not one of its values (did you mean `jsonl`? Values: `json`, `jsonl`)"],
    );
    check(
        "source",
        "null",
        json!({"path": "a"}),
        &["path: there is no option `path` (Options here: `schema`, `on_validation_failure`)"],
    );
}

#[test]
fn a_schema_that_is_wrong_names_its_field() {
    let options = json!({"path": "a", "schema": {"mode": "fixed", "fields": ["id: int", "name: text"]}});
    for (kind, name) in [("source", "csv"), ("sink", "json")] {
        let errors = refused(kind, name, &options);
        assert!(errors.len() == 1 && errors[0].starts_with("schema.fields.1: "), "{errors:?}");
    }
}

#[test]
fn transforms_name_every_option_that_makes_no_sense() {
    check(
        "transform",
        "field_mapper",
        json!({"mapping": {"a": "x", "b": "x", "c..d": "y", "e": " "}, "computed": {"x": "1", "z": "row['a'] +"}}),
        &[
            "mapping.b: `x` is made twice: by mapping.a and by mapping.b (give one of them another name)",
            "mapping.e: the new field has no name (no help)",
            "computed.x: `x` is made twice: by mapping.a and by computed.x (give one of them another name)",
            "mapping.c..d: `c..d` is no field: a part of its path is empty (no help)",
            "computed.z: the expression ends where a value is expected (at character 11 of `row['a'] +`) (no help)",
        ],
    );
    check(
        "transform",
        "field_mapper",
        json!({"select_only": true}),
        &[
            "select_only: nothing is selected: every row would become empty (name fields in `mapping` or `computed`)",
        ],
    );
    check(
        "transform",
        "truncate",
        json!({"fields": {"a": 0, "b": 3, "c": 4}, "suffix": "..."}),
        &[
            "fields.a: the limit must be at least 1 (no help)",
            "fields.b: the suffix has 3 characters, which leaves nothing of 3 (raise the limit or shorten `suffix`)",
        ],
    );
    check(
        "transform",
        "truncate",
        json!({"fields": {"a": -1}}),
        &["fields.a: must be a whole number that is not negative, but is the number `-1` (no help)"],
    );
    check(
        "transform",
        "keyword_filter",
        json!({"fields": [], "blocked_patterns": []}),
        &[
            "blocked_patterns: there must be at least one pattern (no help)",
            "fields: there must be at least one field (or write `all`)",
        ],
    );
    check(
        "transform",
        "keyword_filter",
        json!({"fields": 3, "blocked_patterns": ["x"]}),
        &["fields: must be a list of field names, one name, or `all` (no help)"],
    );
}

#[test]
fn patterns_that_cannot_be_searched_in_linear_time_are_refused() {
    let errors = refused(
        "transform",
        "keyword_filter",
        &json!({"fields": "all", "blocked_patterns": ["ok", "(a", "(?=x)", "(a)\\1", "\\w{1000}{1000}"]}),
    );
    let paths: Vec<_> = errors.iter().map(|e| e.split(':').next().unwrap()).collect();
    assert_eq!(
        paths,
        ["blocked_patterns.1", "blocked_patterns.2", "blocked_patterns.3", "blocked_patterns.4"]
    );
    assert!(errors[0].contains("unclosed group"), "{}", errors[0]);
    assert!(errors[1].contains("look-around") && errors[2].contains("back"), "{errors:?}");
    assert!(errors[3].contains("needs more than"), "{}", errors[3]);
}

#[test]
fn sinks_name_every_option_that_makes_no_sense() {
    check(
        "sink",
        "csv",
        json!({"path": "out/", "delimiter": "\"", "encoding": "utf-9", "headers": {"a": "x", "b": "x"}}),
        &[
            "path: `out/` is a folder (name a file inside of it)",
            "delimiter: quotes, line ends and NUL cannot be the delimiter (write for example `,`, `;`, `|` or `\"\\t\"` for a tab)",
            "encoding: `utf-9` is not a known text encoding (write for example `utf-8`, `latin-1`, `cp1252`, `utf-16` or `shift_jis`)",
            "headers.b: `a` and `b` would both be called `x` (no help)",
        ],
    );
    check(
        "sink",
        "csv",
        json!({"path": "a", "headers": "orignal"}),
        &[
            "headers: `orignal` is not one of its values (did you mean `original`? Values: `normalized`, `original`)",
        ],
    );
    check(
        "sink",
        "csv",
        json!({"path": "a", "headers": {"a": 1}}),
        &["headers.a: must be text (the header of `a`; write it in quotes), but is the number `1` (no help)"],
    );
    let fixed = json!({"mode": "fixed", "fields": ["id: int", "name: str"]});
    let strange = "headers.nosuch: there is no field `nosuch` in the schema, which is fixed (the names before the colons are those of fields: `id`, `name`)";
    let headers = json!({"id": "The Id", "nosuch": "X"});
    check("sink", "csv", json!({"path": "a", "schema": fixed, "headers": headers}), &[strange]);
    let json = json!({"path": "a", "schema": fixed, "headers": headers, "validate_input": true});
    check("sink", "json", json, &[strange]);
    // Rows may have other fields here.
    sink("json", &json!({"path": "a", "schema": fixed, "headers": headers}));
    let open = json!({"mode": "flexible", "fields": ["id: int"]});
    sink("csv", &json!({"path": "a", "schema": open, "headers": headers}));
    check(
        "sink",
        "csv",
        json!({"path": "a", "mode": "apend"}),
        &["mode: `apend` is not one of its values (did you mean `append`? Values: `write`, `append`)"],
    );
    check(
        "sink",
        "json",
        json!({"path": "a.jsonl", "indent": 2}),
        &["indent: one object a line cannot be indented (leave `indent` out, or choose `format: json`)"],
    );
    check(
        "sink",
        "json",
        json!({"path": "a", "indent": 17}),
        &["indent: at most 16 blanks, not 17 (no help)"],
    );
    check(
        "sink",
        "json",
        json!({"path": "a.json", "mode": "append"}),
        &["mode: an array cannot be appended to (choose `format: jsonl`)"],
    );
}
