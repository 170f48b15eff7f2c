//! Tests that need a PostgreSQL server say by name that they did nothing, where the machine has none.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use super::Outcome;
use crate::error::Error;
use crate::kill_test;
use crate::metadata::Metadata;
use crate::workspace::Workspace;

/// The list that `elspeth-testkit` writes while tests run.
fn list(workspace: &Workspace) -> Result<PathBuf, Error> {
    Ok(Metadata::load(workspace)?.target_directory.join("debug/skipped-postgresql.txt"))
}

/// Before the tests: nothing is skipped yet.
pub(super) fn forget(workspace: &Workspace) -> Result<(), Error> {
    let list = list(workspace)?;
    match fs::remove_file(&list) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io(&list)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// After the tests: which of them did nothing; and some points of the kill-test with records on servers.
pub(super) fn run(workspace: &Workspace) -> Outcome {
    let list = match list(workspace) {
        Ok(list) => list,
        Err(error) => return Outcome::Failed(error.to_string()),
    };
    match fs::read_to_string(&list) {
        Ok(names) => Outcome::NotChecked(remark(&names)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            match kill_test::run_in_ci_on_postgresql(workspace) {
                Ok(did) => Outcome::Passed(format!("every test that needs a server had one; {did}")),
                Err(error) => Outcome::Failed(error.to_string()),
            }
        }
        Err(error) => Outcome::Failed(Error::io(&list)(error).to_string()),
    }
}

fn remark(names: &str) -> String {
    let mut names: Vec<&str> = names.lines().collect();
    names.sort_unstable();
    names.dedup();
    format!("this machine has no PostgreSQL; {} tests were skipped: {}", names.len(), names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skipped_tests_are_named_once() {
        let said = remark("b\na\nb\n");
        assert_eq!(said, "this machine has no PostgreSQL; 2 tests were skipped: a, b");
    }
}
