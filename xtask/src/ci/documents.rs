//! What the documents show of the program is what the program makes: pictures of the examples' graphs, and whole settings files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::examples;
use crate::command;
use crate::error::{Error, report};
use crate::metadata::Metadata;
use crate::workspace::Workspace;

/// A picture is called as its example, without the example's number.
const PICTURES: &str = "docs/pictures";
/// Says how they are made, and shows them.
const GUIDE: &str = "docs/graphs.md";
/// Documents that show whole settings files.
const WITH_SETTINGS: [&str; 2] = ["README.md", "docs/settings.md"];

pub(super) fn run(workspace: &Workspace) -> Result<(), Error> {
    let elspeth = Metadata::load(workspace)?.target_directory.join("debug/elspeth");
    let mut findings = pictures(workspace, &elspeth)?;
    findings.extend(settings(workspace, &elspeth)?);
    report("documents", &findings)
}

fn pictures(workspace: &Workspace, elspeth: &Path) -> Result<Vec<String>, Error> {
    let folder = workspace.path(PICTURES);
    let (examples, guide) = (examples::names(workspace)?, workspace.read(GUIDE)?);
    let (mut findings, mut count) = (Vec::new(), 0);
    for entry in fs::read_dir(&folder).map_err(Error::io(&folder))? {
        let file = entry.map_err(Error::io(&folder))?.path();
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let stored = fs::read(&file).map_err(Error::io(&file))?;
        count += 1;
        findings.extend(match example_of(&name, &examples) {
            None => Some(format!("{PICTURES}/{name}.svg: there is no such example")),
            Some(_) if !named(&guide).contains(name.as_str()) => {
                Some(format!("{GUIDE}: does not say how {PICTURES}/{name}.svg is made"))
            }
            Some(example) => (picture(workspace, elspeth, example)? != stored).then(|| {
                format!("{PICTURES}/{name}.svg: not what `elspeth graph` draws; {GUIDE} says how to make it")
            }),
        });
    }
    println!("{count} pictures");
    if count == 0 { Err(Error::format(PICTURES, "it has no pictures")) } else { Ok(findings) }
}

fn example_of<'e>(picture: &str, examples: &'e [String]) -> Option<&'e str> {
    examples
        .iter()
        .map(String::as_str)
        .find(|name| name.split_once('-').is_some_and(|(_, name)| name == picture))
}

/// The words of the loop that makes the pictures.
fn named(guide: &str) -> BTreeSet<&str> {
    let list = guide.split_once("for example in ").and_then(|(_, rest)| rest.split_once(';'));
    list.map_or_else(BTreeSet::new, |(list, _)| list.split([' ', '\n', '\\']).collect())
}

fn picture(workspace: &Workspace, elspeth: &Path, example: &str) -> Result<Vec<u8>, Error> {
    let mut graph = Command::new(elspeth);
    graph.current_dir(workspace.root()).args(["graph", "--format", "svg", "-s"]);
    command::output(graph.arg(format!("examples/{example}/settings.yaml")))
}

fn settings(workspace: &Workspace, elspeth: &Path) -> Result<Vec<String>, Error> {
    let scratch = tempfile::tempdir().map_err(Error::io(&std::env::temp_dir()))?;
    let file = scratch.path().join("settings.yaml");
    let (mut findings, mut count) = (Vec::new(), 0);
    for document in WITH_SETTINGS {
        let text = workspace.read(document)?;
        let files = whole_files(&text);
        if files.is_empty() {
            findings.push(format!("{document}: shows no whole settings file any more"));
        }
        for Shown { line, text } in files {
            count += 1;
            fs::write(&file, text).map_err(Error::io(&file))?;
            findings.extend(refused(elspeth, &file)?.map(|why| format!("{document}:{line}: {why}")));
        }
    }
    println!("{count} settings files in documents");
    Ok(findings)
}

/// What `elspeth validate` says against a settings file, if it does.
fn refused(elspeth: &Path, file: &PathBuf) -> Result<Option<String>, Error> {
    let folder = file.parent().expect("a file in a folder has a parent");
    let mut validate = Command::new(elspeth);
    validate.current_dir(folder).args(["validate", "-s"]).arg(file);
    let said =
        validate.output().map_err(|source| Error::Start { command: command::shown(&validate), source })?;
    let why = || format!("`elspeth validate` refuses it: {}", String::from_utf8_lossy(&said.stderr).trim());
    Ok((!said.status.success()).then(why))
}

/// A settings file in a document.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    /// Where its text begins, counted from 1.
    line: usize,
    text: String,
}

/// Blocks of YAML that begin with `source:` and have sinks.
fn whole_files(document: &str) -> Vec<Shown> {
    let mut found = Vec::new();
    let mut open: Option<Shown> = None;
    for (number, line) in document.lines().enumerate() {
        match open.take() {
            Some(block) if line.starts_with("```") => found.push(block),
            Some(Shown { line: first, text }) => open = Some(Shown { line: first, text: text + line + "\n" }),
            None if line == "```yaml" => open = Some(Shown { line: number + 2, text: String::new() }),
            None => {}
        }
    }
    found.retain(|block| block.text.starts_with("source:") && block.text.contains("\nsinks:"));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_settings_files_are_found_with_their_lines() {
        let document = "text\n```yaml\nsource:\n  a: 1\nsinks: {}\n```\n```yaml\ngates: []\n```\n\
                        ```yaml\nsource: {}\n```\n```sh\nsource: x\nsinks:\n```\n";
        let shown = Shown { line: 3, text: "source:\n  a: 1\nsinks: {}\n".to_owned() };
        assert_eq!(whole_files(document), [shown]);
    }

    #[test]
    fn a_picture_is_of_the_example_of_its_name() {
        let examples = ["05-loan-triage", "15-benefit-decisions"].map(str::to_owned);
        assert_eq!(example_of("loan-triage", &examples), Some("05-loan-triage"));
        assert_eq!(example_of("triage", &examples), None);
    }

    #[test]
    fn the_guide_names_the_pictures_over_several_lines() {
        let guide = "```sh\nfor example in loan-triage \\\n    hearing-notices; do\n  x\ndone\n```";
        let named = named(guide);
        assert!(named.contains("loan-triage") && named.contains("hearing-notices") && !named.contains("x"));
    }
}
