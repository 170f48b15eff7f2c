//! Every file in `invalid/` is refused with exactly the diagnostics beside it: `line:column code message | help`.
//!
//! `UPDATE_EXPECTED=1 cargo test -p elspeth-config --test invalid_settings` writes them anew; read what it wrote.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use elspeth_config::{Diagnostic, Environment, load_text};

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/invalid");
    let entries = std::fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> = entries.filter(|p| p.extension().is_some_and(|e| e == "yaml")).collect();
    files.sort();
    files
}

fn shown(diagnostics: &[Diagnostic]) -> String {
    let mut out = String::new();
    for d in diagnostics {
        let place = match (d.line, d.column) {
            (Some(line), Some(column)) => format!("{line}:{column}"),
            _ => "-".to_owned(),
        };
        let help = d.help.as_ref().map(|help| format!(" | {help}")).unwrap_or_default();
        writeln!(out, "{place} {} {}{help}", d.code, d.message).expect("text can be written to");
    }
    out
}

#[test]
fn every_broken_file_is_refused_with_all_of_its_errors() {
    let update = std::env::var_os("UPDATE_EXPECTED").is_some();
    let working_directory = tempfile::tempdir().unwrap();
    let environment = Environment::new(BTreeMap::new(), working_directory.path());
    let registry = elspeth_plugins::builtin();
    let mut wrong = Vec::new();
    let files = files();
    assert!(files.len() > 40, "the folder of broken settings is there");
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let found = match load_text(&text, "settings.yaml", &environment, &registry) {
            Ok(_) => "accepted\n".to_owned(),
            Err(diagnostics) => shown(&diagnostics),
        };
        let expected = file.with_extension("expected.txt");
        if update {
            std::fs::write(&expected, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&expected).unwrap_or_default();
        if found != expected || found.is_empty() || found == "accepted\n" {
            wrong.push(format!("{}\nexpected:\n{expected}found:\n{found}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_diagnostic_points_into_the_file() {
    let environment = Environment::new(BTreeMap::new(), "/");
    let registry = elspeth_plugins::builtin();
    for file in files() {
        let text = std::fs::read_to_string(&file).unwrap();
        for d in load_text(&text, "settings.yaml", &environment, &registry).unwrap_err() {
            let span = d.span.unwrap_or_else(|| panic!("{}: {d} has no place", file.display()));
            assert!(text.get(span.offset..span.offset + span.len).is_some(), "{}: {d}", file.display());
            let before = &text[..span.offset];
            assert_eq!(d.line, Some(before.matches('\n').count() + 1), "{}: {d}", file.display());
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            assert_eq!(d.column, Some(column), "{}: {d}", file.display());
        }
    }
}
