//! The example programs of the crates (`crates/*/examples/*.rs`): each runs in an empty folder and must say what the file
//! beside it says (`<name>.stdout`).
//!
//! What differs from run to run has a placeholder there, which stands for a value of its kind and for nothing else: `<seconds>`,
//! `<number>`, `<id>`, `<hash>`, `<time>`. The record of a program that keeps one by itself must be one that `elspeth verify`
//! believes.

use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;

use crate::command;
use crate::error::Error;
use crate::metadata::{Metadata, Target};
use crate::workspace::Workspace;

/// Records its decisions in the database that it is given.
const RECORDING: &str = "record_decisions";

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
    let elspeth = metadata.target_directory.join("debug/elspeth");
    findings.extend(unbelieved(&folder.join(RECORDING), &elspeth)?.map(|why| format!("{RECORDING}: {why}")));
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

/// What `elspeth verify` says against the record that the program makes in a new database, if it does.
fn unbelieved(program: &Path, elspeth: &Path) -> Result<Option<String>, Error> {
    let scratch = tempfile::tempdir().map_err(Error::io(&std::env::temp_dir()))?;
    let database = scratch.path().join("audit.db");
    command::output(Command::new(program).arg(&database).current_dir(scratch.path()))?;
    let mut verify = Command::new(elspeth);
    verify.args(["verify", "latest", "-d"]).arg(&database).current_dir(scratch.path());
    let verified =
        verify.output().map_err(|source| Error::Start { command: command::shown(&verify), source })?;
    Ok(against(verified.status.success(), &String::from_utf8_lossy(&verified.stdout)))
}

/// The last line is the verdict.
fn against(succeeded: bool, said: &str) -> Option<String> {
    let verdict = said.lines().last().unwrap_or("nothing");
    let believed = succeeded && verdict.starts_with("ok:");
    (!believed).then(|| format!("`elspeth verify` says of its record: {verdict}"))
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
    fn a_record_is_believed_when_the_verdict_is_ok_and_nothing_else() {
        assert_eq!(against(true, "  run  ok\nok: the record is what was written\n"), None);
        assert!(against(false, "ok: the record is what was written\n").is_some());
        assert!(against(true, "").is_some());
        let why = against(false, "  run  tampered\nTAMPERED: runs 01M\n").unwrap();
        assert_eq!(why, "`elspeth verify` says of its record: TAMPERED: runs 01M");
    }

    #[test]
    fn lines_too_many_and_too_few_are_findings() {
        assert_eq!(compare("a\nb\n", "a\n"), ["line 2: expected `b`, found the end"]);
        assert_eq!(compare("a\n", "a\nb\n"), ["line 2: expected the end, found `b`"]);
    }
}
