//! Field names from headers.

use std::collections::BTreeMap;

use elspeth_value::{NormaliseError, normalise_header, resolve_headers};
use serde::Deserialize;

#[derive(Deserialize)]
struct Headers {
    headers: Vec<(String, Option<String>)>,
}

fn resolve(headers: &[&str], mapping: &[(&str, &str)]) -> Result<Vec<String>, NormaliseError> {
    let headers: Vec<String> = headers.iter().map(|h| (*h).to_owned()).collect();
    let mapping: BTreeMap<String, String> =
        mapping.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    resolve_headers(&headers, &mapping).map(|r| r.fields.into_iter().map(|(_, name)| name.into()).collect())
}

#[test]
fn headers_get_the_names_that_python_gives_them() {
    let file: Headers = serde_json::from_str(include_str!("../vectors/headers.json")).unwrap();
    assert!(file.headers.len() > 350);
    for (header, name) in file.headers {
        assert_eq!(normalise_header(&header).as_deref(), name.as_deref(), "{header:?}");
        if let Some(name) = name {
            assert_eq!(normalise_header(&name).as_deref(), Some(name.as_str()), "a name stays as it is");
        }
    }
}

#[test]
fn a_number_that_is_no_digit_cannot_begin_a_name_either() {
    assert_eq!(normalise_header("\u{bd} cup").as_deref(), Some("_\u{bd}_cup"));
}

#[test]
fn a_mapping_renames_after_normalisation() {
    assert_eq!(resolve(&["Full Name", "AGE"], &[("full_name", "name")]).unwrap(), ["name", "age"]);
    assert_eq!(resolve(&["a", "b"], &[("a", "b"), ("b", "a")]).unwrap(), ["b", "a"]);
    assert_eq!(resolve(&["a"], &[("a", "CustomerID")]).unwrap(), ["CustomerID"]);
}

#[test]
fn headers_that_cannot_be_fields_are_refused_with_their_place() {
    let error = resolve(&["id", " -- "], &[]).unwrap_err();
    assert_eq!(error, NormaliseError::Empty { header: " -- ".to_owned(), position: 2 });
    assert!(error.to_string().contains("header 2"), "{error}");
    assert_eq!(
        resolve(&["Full Name"], &[("Full Name", "name")]).unwrap_err(),
        NormaliseError::UnknownMapping("Full Name".to_owned())
    );
    assert_eq!(
        resolve(&["a"], &[("a", "two words")]).unwrap_err(),
        NormaliseError::MappingTarget { field: "a".to_owned(), target: "two words".to_owned() }
    );
}

#[test]
fn a_mapping_gives_a_name_once() {
    assert_eq!(
        resolve(&["a", "b"], &[("a", "x"), ("b", "x")]).unwrap_err(),
        NormaliseError::SharedTarget { field: "b".to_owned(), other: "a".to_owned(), target: "x".to_owned() }
    );
}

#[test]
fn a_collision_lists_every_header_of_every_name() {
    let error = resolve(&["A b", "a-b", "C", "x", "X ", "x"], &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "several headers give the same field name: `A b`, `a-b` -> `a_b`; `x`, `X `, `x` -> `x`"
    );
    let error = resolve(&["a", "b"], &[("a", "b")]).unwrap_err();
    assert_eq!(error.to_string(), "several headers give the same field name: `a`, `b` -> `b`");
}
