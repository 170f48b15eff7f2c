//! Tests that need a PostgreSQL server say by name that they did nothing, where the machine has none.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use elspeth_testkit::PgCluster;

use super::Outcome;
use crate::error::Error;
use crate::kill_test;
use crate::metadata::Metadata;
use crate::workspace::Workspace;

/// The list to which `elspeth-testkit` adds while tests run. Without one no tests have run.
fn list(workspace: &Workspace) -> Result<PathBuf, Error> {
    Ok(Metadata::load(workspace)?.target_directory.join("debug/skipped-postgresql.txt"))
}

/// Before the tests: nothing is skipped yet.
pub(super) fn forget(workspace: &Workspace) -> Result<(), Error> {
    let list = list(workspace)?;
    let folder = list.parent().expect("it is in the build's folder");
    fs::create_dir_all(folder).map_err(Error::io(folder))?;
    fs::write(&list, "").map_err(Error::io(&list))
}

/// After the tests: which of them did nothing; and some points of the kill-test with records on servers.
pub(super) fn run(workspace: &Workspace) -> Outcome {
    let list = match list(workspace) {
        Ok(list) => list,
        Err(error) => return Outcome::Failed(error.to_string()),
    };
    let skipped = match fs::read_to_string(&list) {
        Ok(names) => Skipped::listed(&names),
        Err(error) if error.kind() == ErrorKind::NotFound => Skipped::Unknown,
        Err(error) => return Outcome::Failed(Error::io(&list)(error).to_string()),
    };
    let did = match PgCluster::is_possible().then(|| kill_test::run_in_ci_on_postgresql(workspace)) {
        Some(Ok(did)) => did,
        Some(Err(error)) => return Outcome::Failed(error.to_string()),
        None => "no kill-test without PostgreSQL".to_owned(),
    };
    skipped.outcome(&did)
}

/// What the list says of tests that did nothing.
#[derive(Debug, PartialEq, Eq)]
enum Skipped {
    /// No tests have run.
    Unknown,
    None,
    Some(String),
}

impl Skipped {
    fn listed(names: &str) -> Self {
        let mut names: Vec<&str> = names.lines().collect();
        names.sort_unstable();
        names.dedup();
        match names.len() {
            0 => Self::None,
            count => Self::Some(format!("{count} tests were skipped: {}", names.join(", "))),
        }
    }

    fn outcome(self, did: &str) -> Outcome {
        match self {
            Self::Unknown => Outcome::NotChecked(format!(
                "{did}; whether tests were skipped is not known, since the step `tests` has not run"
            )),
            Self::None => Outcome::Passed(format!("every test that needs a server had one; {did}")),
            Self::Some(skipped) => Outcome::NotChecked(format!("{did}; {skipped}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skipped_tests_are_named_once() {
        let said = "2 tests were skipped: a (why), b (why)".to_owned();
        assert_eq!(Skipped::listed("b (why)\na (why)\nb (why)\n"), Skipped::Some(said));
    }

    #[test]
    fn only_an_empty_list_says_that_no_test_was_skipped() {
        let passed = |skipped: Skipped| matches!(skipped.outcome("x"), Outcome::Passed(_));
        assert!(passed(Skipped::listed("")));
        assert!(!passed(Skipped::listed("a (why)\n")));
        assert!(!passed(Skipped::Unknown));
    }
}
