//! Rules about all files: their names, and no path of somebody's machine in them.

use crate::error::Error;
use crate::workspace::Workspace;

/// Names that say nothing about what a file holds.
const VAGUE: [&str; 7] = ["util", "utils", "helper", "helpers", "common", "misc", "stuff"];

/// Files whose text is not ours.
const FOREIGN_TEXT: [&str; 1] = ["Cargo.lock"];

pub(crate) fn check(workspace: &Workspace, files: &[String]) -> Result<Vec<String>, Error> {
    let mut findings: Vec<String> = files.iter().filter_map(|path| vague(path)).collect();
    for path in files.iter().filter(|path| !FOREIGN_TEXT.contains(&path.as_str())) {
        let full = workspace.path(path);
        let bytes = std::fs::read(&full).map_err(Error::io(&full))?;
        if let Ok(text) = std::str::from_utf8(&bytes) {
            findings.extend(machine_paths(path, text));
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

/// Top folders whose absolute paths are those of one machine.
const MACHINE: [&str; 6] = ["work", "root", "tmp", "farm", "home", "Users"];

fn machine_paths(path: &str, text: &str) -> Vec<String> {
    let mut places: Vec<usize> = MACHINE
        .iter()
        .map(|folder| format!("/{folder}/"))
        .flat_map(|folder| text.match_indices(&folder).map(|(at, _)| at).collect::<Vec<_>>())
        .filter(|at| starts_a_path(&text[..*at]))
        .collect();
    places.sort_unstable();
    let line = |at: usize| text[..at].matches('\n').count() + 1;
    places.iter().map(|at| format!("{path}:{}: an absolute path of one machine", line(*at))).collect()
}

/// Whether a `/` after `before` begins an absolute path: not in the middle of a relative one, of a web address, or after a
/// variable. After another `/` it does, as in `sqlite:////...`.
fn starts_a_path(before: &str) -> bool {
    match before.chars().next_back() {
        None | Some('/') => true,
        Some(last) => !(last.is_alphanumeric() || "_.-*)}$".contains(last)),
    }
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
        let found = |line: &str| !machine_paths("a.md", line).is_empty();
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
