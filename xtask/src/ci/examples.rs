//! Every pipeline under `examples/` runs in a scratch copy and must write exactly what its `expected/` folder holds.
//!
//! A pipeline writes to `out/` beside its settings; `expected/` mirrors that folder, with the tables of a database
//! `out/x.sqlite` as `x.sqlite/<table>.csv`. `expected/summary.json`, where it is there, holds the counters and
//! destinations that the run must report. Paths in the settings may be relative to their own folder or to the workspace
//! root (`examples/<name>/...`); the scratch copy has the same shape as the workspace, so that both work.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::tables;
use crate::command;
use crate::error::Error;
use crate::metadata::Metadata;
use crate::workspace::Workspace;

/// Not an output, but what the run reported about itself.
const SUMMARY: &str = "summary.json";

pub(super) fn run(workspace: &Workspace) -> Result<(), Error> {
    let binary = Metadata::load(workspace)?.target_directory.join("debug/elspeth");
    let mut findings = Vec::new();
    let names = names(workspace)?;
    for name in &names {
        match run_one(workspace, &binary, name) {
            Ok(found) => findings.extend(found),
            Err(error) => findings.push(format!("{name}: {error}")),
        }
    }
    println!("{} examples", names.len());
    crate::error::report("examples", &findings)
}

pub(super) fn names(workspace: &Workspace) -> Result<Vec<String>, Error> {
    let folder = workspace.path("examples");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).map_err(Error::io(&folder))? {
        let entry = entry.map_err(Error::io(&folder))?;
        if entry.path().join("settings.yaml").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    if names.is_empty() {
        Err(Error::format("examples", "no example has a settings.yaml"))
    } else {
        Ok(names)
    }
}

fn run_one(workspace: &Workspace, binary: &Path, name: &str) -> Result<Vec<String>, Error> {
    let scratch = tempfile::tempdir().map_err(Error::io(&std::env::temp_dir()))?;
    let place = format!("examples/{name}");
    let copy = scratch.path().join(&place);
    copy_folder(&workspace.path(&place), &copy)?;
    let settings = copy.join("settings.yaml");
    let text = fs::read_to_string(&settings).map_err(Error::io(&settings))?;
    let start = if text.contains(&format!("{place}/")) { scratch.path() } else { &copy };
    let mut elspeth = Command::new(binary);
    elspeth.current_dir(start).args(["run", "--execute", "--json", "--settings"]).arg(&settings);
    let events = command::output(&mut elspeth)?;
    let expected = workspace.path(&place).join("expected");
    let out = copy.join("out");
    for file in files(&out)?.iter().filter(|file| file.to_string_lossy().ends_with(tables::ENDING)) {
        tables::unfold(&out.join(file))?;
    }
    let mut findings = compare(name, &expected, &out)?;
    let summary = expected.join(SUMMARY);
    if summary.is_file() {
        let text = fs::read_to_string(&summary).map_err(Error::io(&summary))?;
        let wanted = serde_json::from_str(&text)
            .map_err(|error| Error::format(summary.display().to_string(), error))?;
        findings.extend(compare_summary(name, &wanted, &last_event(&events)?));
    }
    Ok(findings)
}

/// What the run reported when it was done.
pub(super) fn last_event(events: &[u8]) -> Result<Value, Error> {
    let text = String::from_utf8_lossy(events);
    let line = text.lines().last().unwrap_or_default();
    serde_json::from_str(line).map_err(|error| Error::format("the last line of `elspeth run --json`", error))
}

/// Everything that is expected must have been reported so; more may be reported.
fn compare_summary(name: &str, wanted: &Value, reported: &Value) -> Vec<String> {
    let Some(wanted) = wanted.as_object() else { return vec![format!("{name}: {SUMMARY} is no object")] };
    let differing = wanted.iter().filter(|(key, value)| reported.get(key.as_str()) != Some(value));
    let reported = |key: &str| reported.get(key).map_or("nothing".to_owned(), Value::to_string);
    differing.map(|(key, value)| format!("{name}: `{key}` is {}, expected {value}", reported(key))).collect()
}

/// Byte for byte, in both directions: nothing missing, nothing more.
fn compare(name: &str, expected: &Path, actual: &Path) -> Result<Vec<String>, Error> {
    let mut wanted = files(expected)?;
    wanted.remove(Path::new(SUMMARY));
    let found: BTreeSet<PathBuf> = files(actual)?.into_iter().filter(|file| !is_record(file)).collect();
    if wanted.is_empty() {
        return Ok(vec![format!("{name}: nothing is expected (`expected/` is empty)")]);
    }
    let mut findings = Vec::new();
    for file in wanted.union(&found) {
        let problem = match (wanted.contains(file), found.contains(file)) {
            (true, false) => Some("was not written".to_owned()),
            (false, _) => Some("was written, but `expected/` does not have it".to_owned()),
            (true, true) => difference(&expected.join(file), &actual.join(file))?,
        };
        findings.extend(problem.map(|problem| format!("{name}: out/{} {problem}", file.display())));
    }
    Ok(findings)
}

/// The audit database may lie beside the outputs; times and ids differ in every run.
fn is_record(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    [".db", ".db-wal", ".db-shm"].iter().any(|ending| name.ends_with(ending))
}

fn difference(expected: &Path, actual: &Path) -> Result<Option<String>, Error> {
    let wanted = fs::read(expected).map_err(Error::io(expected))?;
    let found = fs::read(actual).map_err(Error::io(actual))?;
    if wanted == found {
        return Ok(None);
    }
    let (wanted, found) = (String::from_utf8_lossy(&wanted), String::from_utf8_lossy(&found));
    let (mut wanted, mut found) = (wanted.split('\n'), found.split('\n'));
    let mut line = 0;
    loop {
        line += 1;
        match (wanted.next(), found.next()) {
            (None, None) => return Ok(Some("differs".to_owned())),
            (left, right) if left == right => {}
            (left, right) => {
                let shown =
                    |text: Option<&str>| text.map_or("the end".to_owned(), |text| format!("`{text}`"));
                return Ok(Some(format!("line {line}: expected {}, found {}", shown(left), shown(right))));
            }
        }
    }
}

fn files(folder: &Path) -> Result<BTreeSet<PathBuf>, Error> {
    let mut found = BTreeSet::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(next) = open.pop().filter(|next| next.is_dir()) {
        for entry in fs::read_dir(&next).map_err(Error::io(&next))? {
            let path = entry.map_err(Error::io(&next))?.path();
            if path.is_dir() {
                open.push(path);
            } else {
                found
                    .insert(path.strip_prefix(folder).expect("the walk started at the folder").to_path_buf());
            }
        }
    }
    Ok(found)
}

/// Copies all but what an earlier run left behind.
pub(super) fn copy_folder(from: &Path, to: &Path) -> Result<(), Error> {
    fs::create_dir_all(to).map_err(Error::io(to))?;
    for file in files(from)? {
        if file.starts_with("out") || file.starts_with("state") || is_record(&file) {
            continue;
        }
        let target = to.join(&file);
        let parent = target.parent().expect("a file in a folder has a parent");
        fs::create_dir_all(parent).map_err(Error::io(parent))?;
        fs::copy(from.join(&file), &target).map_err(Error::io(&target))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    fn findings(expected: &[(&str, &str)], actual: &[(&str, &str)]) -> Vec<String> {
        let (expected, actual) = (folder(expected), folder(actual));
        compare("x", expected.path(), actual.path()).unwrap()
    }

    #[test]
    fn equal_outputs_pass_and_the_record_is_left_out() {
        let files = [("a.csv", "id\n1\n"), ("sub/b.json", "[]")];
        let with_record = [files[0], files[1], ("audit.db", "x"), ("audit.db-wal", "y")];
        assert_eq!(findings(&files, &with_record), [""; 0]);
    }

    #[test]
    fn every_kind_of_difference_is_named() {
        let expected = [("a.csv", "id\n1\n"), ("b.csv", "id\n"), ("c.csv", "id\n1")];
        let actual = [("a.csv", "id\n2\n"), ("c.csv", "id\n1\n"), ("d.csv", "")];
        assert_eq!(
            findings(&expected, &actual),
            [
                "x: out/a.csv line 2: expected `1`, found `2`",
                "x: out/b.csv was not written",
                "x: out/c.csv line 3: expected the end, found ``",
                "x: out/d.csv was written, but `expected/` does not have it",
            ]
        );
    }

    #[test]
    fn the_summary_must_be_reported_but_may_hold_more() {
        let wanted = serde_json::json!({ "rows": { "processed": 3 }, "destinations": { "a": 3 } });
        let events = b"{\"event\": \"run_started\"}\n{\"rows\": {\"processed\": 2}, \"destinations\": {\"a\": 3}, \"more\": 1}\n";
        let reported = last_event(events).unwrap();
        assert_eq!(
            compare_summary("x", &wanted, &reported),
            ["x: `rows` is {\"processed\":2}, expected {\"processed\":3}"]
        );
        assert_eq!(compare_summary("x", &reported, &reported), [""; 0]);
    }

    #[test]
    fn an_example_without_expectations_is_a_finding() {
        assert_eq!(findings(&[], &[("a.csv", "")]).len(), 1);
    }

    #[test]
    fn a_copy_has_everything_but_earlier_outputs() {
        let from =
            folder(&[("settings.yaml", ""), ("data/in.csv", ""), ("out/a.csv", ""), ("state/audit.db", "")]);
        let to = folder(&[]);
        copy_folder(from.path(), to.path()).unwrap();
        let copied: Vec<String> =
            files(to.path()).unwrap().iter().map(|file| file.display().to_string()).collect();
        assert_eq!(copied, ["data/in.csv", "settings.yaml"]);
    }
}
