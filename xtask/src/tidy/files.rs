//! Rules about all files: their names, and no path of somebody's machine in them.

use regex::Regex;

use crate::error::Error;
use crate::workspace::Workspace;

/// Names that say nothing about what a file holds.
const VAGUE: [&str; 7] = ["util", "utils", "helper", "helpers", "common", "misc", "stuff"];

/// Files whose text is not ours.
const FOREIGN_TEXT: [&str; 1] = ["Cargo.lock"];

pub(crate) fn check(workspace: &Workspace, files: &[String]) -> Result<Vec<String>, Error> {
    let mut findings: Vec<String> = files.iter().filter_map(|path| vague(path)).collect();
    let machine = machine_path();
    for path in files.iter().filter(|path| !FOREIGN_TEXT.contains(&path.as_str())) {
        let full = workspace.path(path);
        let bytes = std::fs::read(&full).map_err(Error::io(&full))?;
        if let Ok(text) = std::str::from_utf8(&bytes) {
            findings.extend(machine_paths(&machine, path, text));
        }
    }
    Ok(findings)
}

fn vague(path: &str) -> Option<String> {
    if !(path.starts_with("crates/") || path.starts_with("xtask/")) {
        return None;
    }
    let part = path.split('/').find(|part| VAGUE.contains(&part.split('.').next().unwrap_or(part)))?;
    Some(format!("{path}: `{part}` says nothing; name it after what it holds"))
}

/// Absolute folders of one machine. Written in pieces, so that this file is no finding itself.
fn machine_path() -> Regex {
    let folders = ["work", "root", "tmp", "farm", "Users", r"home/[a-z]\w*"].join("|");
    Regex::new(&format!(r"(?:^|[^\w./$}}*)-]|//)/(?:{folders})/")).expect("the pattern is fixed and valid")
}

fn machine_paths(pattern: &Regex, path: &str, text: &str) -> Vec<String> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| pattern.is_match(line))
        .map(|(number, _)| format!("{path}:{}: an absolute path of one machine", number + 1))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vague_names_are_found_wherever_they_stand() {
        for path in ["crates/x/src/util.rs", "crates/common/src/lib.rs", "xtask/src/helpers/mod.rs"] {
            assert!(vague(path).is_some(), "{path}");
        }
        for path in ["crates/x/src/utility_bill.rs", "docs/common.md", "crates/x/src/miscount.rs"] {
            assert_eq!(vague(path), None, "{path}");
        }
    }

    #[test]
    fn machine_paths_are_absolute_folders_of_one_machine() {
        let pattern = machine_path();
        let found = |line: &str| !machine_paths(&pattern, "a.md", line).is_empty();
        let folder = |name: &str| format!("/{name}/");
        for name in ["work", "root", "tmp", "home/jane"] {
            assert!(found(&folder(name)), "{name}");
            assert!(found(&format!("see \"{}x\"", folder(name))), "{name}");
            assert!(found(&format!("sqlite:///{}x", folder(name))), "{name}");
        }
        assert!(!found("examples/work/input.csv"));
        assert!(!found("$HOME/tmp/x and ${dir}/tmp/x"));
        assert!(!found("https://example.org/work/x"));
    }
}
