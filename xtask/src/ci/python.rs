//! The verifier in Python must come to the same answers as `elspeth-verify`, where there is a Python: about receipts that are
//! kept, sound and wrong ones, and about those of the examples' runs.

mod examples;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Outcome;
use crate::command;
use crate::error::{Error, report};
use crate::metadata::Metadata;
use crate::workspace::Workspace;

const SCRIPT: &str = "crates/verifier/python/verify_receipt.py";
/// Writes receipts from which something is left out.
const LESS: &str = "crates/verifier/tests/python/leave_out.py";
const FLIPS: &str = "crates/verifier/tests/python/flip_bits.py";
/// Receipts that are sound, receipts that are not, and the keys of those who signed.
const SOUND: &str = "crates/proof/tests/receipts";
const BROKEN: &str = "crates/proof/tests/refused";
const KEYS: &str = "crates/proof/tests/keys.txt";

/// What both end with when all is proven, and when something is wrong.
const OK: i32 = 0;
const REFUSED: i32 = 5;

/// Every so manieth bit of each receipt is flipped for Python; the tests of `elspeth-proof` flip all of them.
const STRIDE: &str = "101";

pub(super) fn run(workspace: &Workspace) -> Outcome {
    let Ok(version) = command::output(python(workspace).arg("--version")) else {
        return Outcome::NotChecked("there is no python3".to_owned());
    };
    match checked(workspace) {
        Ok(said) => Outcome::Passed(format!("{}: {said}", String::from_utf8_lossy(&version).trim())),
        Err(error) => Outcome::Failed(error.to_string()),
    }
}

fn checked(workspace: &Workspace) -> Result<String, Error> {
    let keys = workspace.path(KEYS);
    let keys = fs::read_to_string(&keys).map_err(Error::io(&keys))?;
    let mut files = files(workspace, SOUND)?;
    files.extend(self::files(workspace, BROKEN)?);
    let kept = agreement(workspace, &files, &keys)?;
    let scratch = tempfile::tempdir().map_err(Error::io(&std::env::temp_dir()))?;
    let (receipts, key) = examples::receipts(workspace, scratch.path())?;
    let real = agreement(workspace, &receipts, &key)?;
    if real.refused > 0 || real.ok < 40 {
        return Err(Error::format(
            "receipts of the examples",
            format!("{} ok, {} refused", real.ok, real.refused),
        ));
    }
    let less = agreement(workspace, &less(workspace, &receipts, &scratch.path().join("less"))?, &key)?;
    if less.ok > 0 || less.refused < receipts.len() {
        let found = format!("{} ok, {} refused", less.ok, less.refused);
        return Err(Error::format("receipts of the examples from which something is left out", found));
    }
    let flipped = flips(workspace)?;
    Ok(format!(
        "same answers, {} ok and {} refused; {} of examples, and {} with less refused; {flipped}",
        kept.ok, kept.refused, real.ok, less.refused
    ))
}

/// How often both said so.
struct Answers {
    ok: usize,
    refused: usize,
}

/// Leaves nothing behind.
fn python(workspace: &Workspace) -> Command {
    let mut python = Command::new("python3");
    python.current_dir(workspace.root()).env("PYTHONDONTWRITEBYTECODE", "1");
    python
}

/// Both say the same of every receipt; but the standard library of Python has no BLAKE3, and the script says so.
fn agreement(workspace: &Workspace, receipts: &[PathBuf], keys: &str) -> Result<Answers, Error> {
    let program = Metadata::load(workspace)?.target_directory.join("debug/elspeth-verify");
    let named: Vec<&str> = keys.lines().flat_map(|key| ["--key", key]).collect();
    let (mut findings, mut answers) = (Vec::new(), Answers { ok: 0, refused: 0 });
    for file in receipts {
        let answer = code(Command::new(&program).arg("receipt").arg(file).args(&named))?;
        let of_script = code(python(workspace).arg(SCRIPT).arg(file).args(keys.lines()))?;
        let expected = if is_of_blake3(file) { 1 } else { answer };
        if of_script != expected || ![OK, REFUSED].contains(&answer) {
            findings
                .push(format!("{}: {of_script} from Python, {answer} from elspeth-verify", file.display()));
        }
        answers.ok += usize::from(answer == OK);
        answers.refused += usize::from(answer == REFUSED);
    }
    report("python", &findings)?;
    Ok(answers)
}

/// What the receipts are without each of their parts, releases and acts, in a new folder.
fn less(workspace: &Workspace, receipts: &[PathBuf], folder: &Path) -> Result<Vec<PathBuf>, Error> {
    fs::create_dir(folder).map_err(Error::io(folder))?;
    command::output(python(workspace).arg(LESS).arg(folder).args(receipts))?;
    files(workspace, &folder.display().to_string())
}

fn flips(workspace: &Workspace) -> Result<String, Error> {
    let mut script = python(workspace);
    script.args([FLIPS, STRIDE, KEYS]);
    script.args(files(workspace, SOUND)?.iter().filter(|file| !is_of_blake3(file)));
    let mut said = Vec::new();
    command::run_keeping(&mut script, |_| true, &mut said)?;
    Ok(said.pop().unwrap_or_default())
}

fn files(workspace: &Workspace, folder: &str) -> Result<Vec<PathBuf>, Error> {
    let folder = workspace.path(folder);
    let entries = fs::read_dir(&folder).map_err(Error::io(&folder))?;
    let mut files = Vec::new();
    for entry in entries {
        files.push(entry.map_err(Error::io(&folder))?.path());
    }
    files.sort();
    if files.is_empty() { Err(Error::format(folder.display().to_string(), "it is empty")) } else { Ok(files) }
}

fn is_of_blake3(file: &Path) -> bool {
    file.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("-blake3"))
}

/// -1 where a signal ended it.
fn code(command: &mut Command) -> Result<i32, Error> {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let status =
        command.status().map_err(|source| Error::Start { command: command::shown(command), source })?;
    Ok(status.code().unwrap_or(-1))
}
