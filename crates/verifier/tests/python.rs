//! The verifier in Python, on the same receipts: it must come to the same answers as this program.
#![expect(clippy::unwrap_used, reason = "what fails here fails its test, with the place")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use elspeth_proof::{Field, Form, Kind};
use serde_json::{Map, Value, json};

/// Every so manieth bit is flipped here; the tests of `elspeth-proof` flip all of them.
const STRIDE: &str = "101";

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn kept(folder: &str) -> Vec<PathBuf> {
    let folder = here("../proof/tests").join(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn code(command: &mut Command) -> i32 {
    command.output().unwrap().status.code().unwrap()
}

/// Leaves nothing behind.
fn python() -> Command {
    let mut python = Command::new("python3");
    python.env("PYTHONDONTWRITEBYTECODE", "1");
    python
}

fn of_blake3(file: &Path) -> bool {
    file.file_stem().unwrap().to_str().unwrap().ends_with("-blake3")
}

#[test]
#[ignore = "needs python3; `cargo xtask ci` runs it where there is one"]
fn both_verifiers_come_to_the_same_answers() {
    let keys = here("../proof/tests/keys.txt");
    let mut answers: BTreeMap<i32, usize> = BTreeMap::new();
    for file in kept("receipts").into_iter().chain(kept("refused")) {
        let mut program = Command::new(env!("CARGO_BIN_EXE_elspeth-verify"));
        let answer = code(program.arg("receipt").arg(&file).arg("--key").arg(&keys));
        let mut script = python();
        script.arg(here("python/verify_receipt.py")).arg(&file);
        for key in fs::read_to_string(&keys).unwrap().lines() {
            script.args(["--key", key]);
        }
        // Its standard library has no BLAKE3, and it says so.
        let expected = if of_blake3(&file) { 1 } else { answer };
        assert_eq!(code(&mut script), expected, "{}", file.display());
        *answers.entry(answer).or_default() += 1;
    }
    assert!(answers[&0] >= 20 && answers[&5] >= 20, "{answers:?}");
    let receipt = kept("receipts").into_iter().find(|file| !of_blake3(file)).unwrap();
    let mut script = python();
    assert_eq!(code(script.arg(here("python/verify_receipt.py")).arg(&receipt)), 1, "nobody stands for it");
    assert_eq!(code(script.args(["--key", "no key"])), 2);
}

#[test]
#[ignore = "needs python3; `cargo xtask ci` runs it where there is one"]
fn python_refuses_receipts_with_a_bit_flipped() {
    let mut script = python();
    script.arg(here("tests/python/flip_bits.py")).arg(STRIDE).arg(here("../proof/tests/keys.txt"));
    script.args(kept("receipts").iter().filter(|file| !of_blake3(file)));
    let output = script.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

fn form(form: Form) -> Value {
    match form {
        Form::Number(width) => json!(format!("u{}", width * 8)),
        Form::Flag => json!("flag"),
        Form::Code(names) => json!(names),
        Form::Hash => json!("hash"),
        Form::Text => json!("text"),
        Form::Token => json!("token_key"),
        Form::Reason => json!("reason"),
        Form::At => json!("error_at"),
    }
}

fn fields(kind: Kind) -> Map<String, Value> {
    let name = |field: &Field| format!("{}{}", field.name, if field.optional { "?" } else { "" });
    let tag = ("record".to_owned(), json!(format!("={}", kind.tag())));
    std::iter::once(tag).chain(kind.fields().iter().map(|field| (name(field), form(field.form)))).collect()
}

#[test]
fn the_table_of_records_is_that_of_elspeth_proof() {
    let text = fs::read_to_string(here("python/records.json")).unwrap();
    let table: Map<String, Value> = serde_json::from_str(&text).unwrap();
    let objects = ["reason", "error_at"];
    let kinds = Kind::ALL.iter().filter(|kind| kind.is_in_leaves());
    let known: Vec<&str> = kinds.clone().map(|kind| kind.name()).chain(objects).collect();
    assert_eq!(table.keys().collect::<Vec<_>>(), known);
    for kind in kinds {
        let (found, expected) = (table[kind.name()].as_object().unwrap(), fields(*kind));
        // In order, too: it is that of the bytes.
        assert!(found.iter().eq(expected.iter()), "{}: {found:?} is not {expected:?}", kind.name());
    }
}

#[test]
fn the_script_has_fewer_than_a_hundred_lines() {
    let script = fs::read_to_string(here("python/verify_receipt.py")).unwrap();
    assert!(script.lines().count() < 100 && script.lines().all(|line| line.chars().count() <= 120));
}
