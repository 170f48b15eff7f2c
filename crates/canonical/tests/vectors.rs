//! The vectors in `tests/vectors`: RFC 8785's own, and ours, which pin every hash version.

use elspeth_canonical::{CanonicalError, HashVersion, hash_of, to_canonical_vec, write_f64};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Numbers {
    numbers: Vec<Number>,
}

#[derive(Deserialize)]
struct Number {
    ieee754: String,
    json: Option<String>,
}

#[derive(Deserialize)]
struct Documents {
    documents: Vec<Document>,
}

#[derive(Deserialize)]
struct Document {
    section: String,
    input: String,
    utf8: Option<String>,
    order: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Golden {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    input: Value,
    canonical: String,
    #[serde(rename = "blake3-rfc8785-v1")]
    blake3: String,
    #[serde(rename = "sha256-rfc8785-v1")]
    sha256: String,
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("canonical JSON is UTF-8")
}

#[test]
fn numbers_of_the_rfc_print_as_in_its_table() {
    let table: Numbers = serde_json::from_str(include_str!("vectors/rfc8785_numbers.json")).unwrap();
    assert_eq!(table.numbers.len(), 26);
    for number in table.numbers {
        let float = f64::from_bits(u64::from_str_radix(&number.ieee754, 16).unwrap());
        let mut out = Vec::new();
        match (write_f64(&mut out, float), number.json) {
            (Ok(()), Some(json)) => assert_eq!(text(out), json, "{}", number.ieee754),
            (Err(CanonicalError::NonFinite(_)), None) => assert!(out.is_empty(), "nothing is written"),
            (result, json) => panic!("{}: {result:?} for {json:?}", number.ieee754),
        }
    }
}

#[test]
fn documents_of_the_rfc_give_its_bytes() {
    let file: Documents = serde_json::from_str(include_str!("vectors/rfc8785_documents.json")).unwrap();
    assert_eq!(file.documents.len(), 2);
    for document in file.documents {
        let input: Value = serde_json::from_str(&document.input).unwrap();
        let bytes = to_canonical_vec(&input).unwrap();
        if let Some(utf8) = document.utf8 {
            let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
            assert_eq!(hex, utf8, "{}", document.section);
        }
        if let Some(order) = document.order {
            // Parsed back in the order of the text, which `serde_json` keeps here.
            let back: serde_json::Map<String, Value> = serde_json::from_slice(&bytes).unwrap();
            let values: Vec<_> = back.values().map(|v| v.as_str().unwrap()).collect();
            assert_eq!(values, order, "{}", document.section);
        }
    }
}

#[test]
fn golden_vectors_pin_every_hash_version() {
    let file: Golden = serde_json::from_str(include_str!("vectors/golden.json")).unwrap();
    assert!(file.vectors.len() >= 19);
    for vector in file.vectors {
        let bytes = to_canonical_vec(&vector.input).unwrap();
        assert_eq!(text(bytes), vector.canonical, "{}", vector.name);
        for version in HashVersion::ALL {
            let expected = match version {
                HashVersion::Blake3V1 => &vector.blake3,
                HashVersion::Sha256V1 => &vector.sha256,
            };
            assert_eq!(hash_of(version, &vector.input).unwrap().to_string(), *expected, "{}", vector.name);
        }
    }
}
