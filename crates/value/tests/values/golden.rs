//! Vectors made by CPython: floats, and whole rows with their hashes.

use elspeth_canonical::HashVersion;
use elspeth_value::{FieldType, Row, Value, coerce_text, write_python_float};
use serde::Deserialize;

#[derive(Deserialize)]
struct Floats {
    floats: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct Rows {
    rows: Vec<Golden>,
}

#[derive(Deserialize)]
struct Golden {
    name: String,
    fields: Vec<(String, String, String)>,
    canonical: String,
    json: String,
    #[serde(rename = "blake3-rfc8785-v1")]
    blake3: String,
    #[serde(rename = "sha256-rfc8785-v1")]
    sha256: String,
}

fn value(ty: &str, text: &str) -> Value {
    let hex = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hex digits");
    let ty = match ty {
        "null" => return Value::Null,
        "bytes" => return Value::Bytes((0..text.len()).step_by(2).map(hex).collect()),
        "str" => FieldType::Str,
        "int" => FieldType::Int,
        "float" => FieldType::Float,
        "bool" => FieldType::Bool,
        "decimal" => FieldType::Decimal,
        "date" => FieldType::Date,
        "datetime" => FieldType::Datetime,
        other => panic!("no type {other}"),
    };
    coerce_text(ty, text).expect("of its type")
}

#[test]
fn floats_are_written_as_python_writes_them() {
    let file: Floats = serde_json::from_str(include_str!("../vectors/python_floats.json")).unwrap();
    assert_eq!(file.floats.len(), 400);
    for (bits, repr) in file.floats {
        let float = f64::from_bits(u64::from_str_radix(&bits, 16).unwrap());
        let mut out = b"=".to_vec();
        write_python_float(&mut out, float);
        assert_eq!(String::from_utf8(out).unwrap(), format!("={repr}"), "{bits}");
    }
}

#[test]
fn golden_rows_pin_canonical_bytes_typed_json_and_both_hashes() {
    let file: Rows = serde_json::from_str(include_str!("../vectors/rows.json")).unwrap();
    assert_eq!(file.rows.len(), 5);
    for golden in file.rows {
        let row =
            Row::from_pairs(golden.fields.iter().map(|(name, ty, text)| (name.into(), value(ty, text))));
        let (mut canonical, mut json) = (Vec::new(), Vec::new());
        row.write_canonical(&mut canonical).unwrap();
        row.write_json(&mut json);
        assert_eq!(String::from_utf8(canonical).unwrap(), golden.canonical, "{}", golden.name);
        assert_eq!(String::from_utf8(json).unwrap(), golden.json, "{}", golden.name);
        for version in HashVersion::ALL {
            let expected = match version {
                HashVersion::Blake3V1 => &golden.blake3,
                HashVersion::Sha256V1 => &golden.sha256,
            };
            let hash = row.content_hash(version, &mut b"left from before".to_vec()).unwrap();
            assert_eq!(hash.to_string(), *expected, "{} {version}", golden.name);
        }
    }
}
