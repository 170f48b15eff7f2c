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
    let skipped = match fs::read_to_string(&list) {
        Ok(names) => Some(remark(&names)),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Outcome::Failed(Error::io(&list)(error).to_string()),
    };
    let did = match PgCluster::is_possible().then(|| kill_test::run_in_ci_on_postgresql(workspace)) {
        Some(Ok(did)) => did,
        Some(Err(error)) => return Outcome::Failed(error.to_string()),
        None => "no kill-test without PostgreSQL".to_owned(),
    };
    match skipped {
        None => Outcome::Passed(format!("every test that needs a server had one; {did}")),
        Some(skipped) => Outcome::NotChecked(format!("{did}; {skipped}")),
    }
}

fn remark(names: &str) -> String {
    let mut names: Vec<&str> = names.lines().collect();
    names.sort_unstable();
    names.dedup();
    format!("{} tests were skipped: {}", names.len(), names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skipped_tests_are_named_once() {
        let said = remark("b (why)\na (why)\nb (why)\n");
        assert_eq!(said, "2 tests were skipped: a (why), b (why)");
    }
}
