//! The example programs of the crates (`crates/*/examples/*.rs`): each runs in an empty folder and must say what the file
//! beside it says (`<name>.stdout`).
//!
//! What differs from run to run has a placeholder there, which stands for a value of its kind and for nothing else: `<seconds>`,
//! `<number>`, `<id>`, `<hash>`, `<time>`.

use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;

use crate::command;
use crate::error::Error;
use crate::metadata::{Metadata, Target};
use crate::workspace::Workspace;

const PLACEHOLDERS: [(&str, &str); 5] = [
    ("<seconds>", r"[0-9]+\.[0-9]+"),
    ("<number>", "[0-9]+"),
    ("<id>", "[0-9A-HJKMNP-TV-Z]{26}"),
    ("<hash>", "[0-9a-f]{64}"),
    ("<time>", r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]+Z"),
];

pub(super) fn run(workspace: &Workspace) -> Result<(), Error> {
    let metadata = Metadata::load(workspace)?;
    let folder = metadata.target_directory.join("debug/examples");
    let programs: Vec<&Target> = metadata
        .packages
        .iter()
        .flat_map(|package| &package.targets)
        .filter(|target| is_example(target))
        .collect();
    if programs.is_empty() {
        return Err(Error::format("crates/*/examples", "there are no example programs"));
    }
    let mut findings = left_over(workspace)?;
    for program in &programs {
        let found = differences(&folder.join(&program.name), &program.src_path.with_extension("stdout"))?;
        findings.extend(found.into_iter().map(|found| format!("{}: {found}", program.name)));
    }
    println!("{} example programs", programs.len());
    crate::error::report("programs", &findings)
}

fn is_example(target: &Target) -> bool {
    target.kind.iter().any(|kind| kind == "example")
}

/// Texts whose programs are gone.
fn left_over(workspace: &Workspace) -> Result<Vec<String>, Error> {
    let files = workspace.files()?;
    let texts = files.iter().filter(|file| file.contains("/examples/") && file.ends_with(".stdout"));
    let lonely = texts.filter(|text| !workspace.path(text).with_extension("rs").is_file());
    Ok(lonely.map(|text| format!("{text}: there is no such program")).collect())
}

fn differences(program: &Path, expected: &PathBuf) -> Result<Vec<String>, Error> {
    let scratch = tempfile::tempdir().map_err(Error::io(&std::env::temp_dir()))?;
    let said = match command::output(Command::new(program).current_dir(scratch.path())) {
        Ok(said) => said,
        Err(error) => return Ok(vec![error.to_string()]),
    };
    match std::fs::read_to_string(expected) {
        Ok(expected) => Ok(compare(&expected, &String::from_utf8_lossy(&said))),
        Err(_) => Ok(vec![format!("{} does not say what it should print", expected.display())]),
    }
}

/// Line by line, in both directions.
fn compare(expected: &str, said: &str) -> Vec<String> {
    let (mut wanted, mut found) = (expected.lines(), said.lines());
    let mut findings = Vec::new();
    for number in 1.. {
        match (wanted.next(), found.next()) {
            (None, None) => break,
            (Some(wanted), Some(found)) if pattern(wanted).is_match(found) => {}
            (wanted, found) => {
                let shown =
                    |line: Option<&str>| line.map_or("the end".to_owned(), |line| format!("`{line}`"));
                findings.push(format!("line {number}: expected {}, found {}", shown(wanted), shown(found)));
            }
        }
    }
    findings
}

/// A line with its placeholders.
fn pattern(line: &str) -> Regex {
    let escaped = PLACEHOLDERS
        .iter()
        .fold(regex::escape(line), |text, (name, pattern)| text.replace(&regex::escape(name), pattern));
    Regex::new(&format!("^{escaped}$")).expect("texts are escaped, and the placeholders are valid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_run_to_run_may_differ_within_its_kind() {
        let expected = "run <id> at <time>\n<number> rows in <seconds> s (a+b)\n<hash>\n";
        let hash = "0f".repeat(32);
        let said = format!(
            "run 01M7Y4CF9F2Q9XNHTEN4SRQ9GA at 2026-11-22T16:00:05.123456Z\n10 rows in 0.012 s (a+b)\n{hash}\n"
        );
        assert_eq!(compare(expected, &said), [""; 0]);
        for (from, to) in
            [("01M", "01U"), ("T16", " 16"), ("10 rows", "ten rows"), ("0.012", "0"), ("0f", "0F")]
        {
            assert_eq!(compare(expected, &said.replacen(from, to, 1)).len(), 1, "{from} -> {to}");
        }
        assert_eq!(compare(expected, &said.replace("(a+b)", "(aab)")).len(), 1);
    }

    #[test]
    fn lines_too_many_and_too_few_are_findings() {
        assert_eq!(compare("a\nb\n", "a\n"), ["line 2: expected `b`, found the end"]);
        assert_eq!(compare("a\n", "a\nb\n"), ["line 2: expected the end, found `b`"]);
    }
}
