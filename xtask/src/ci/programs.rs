//! The example programs of the crates (`crates/*/examples/*.rs`): each must run to its end in an empty folder.

use std::process::Command;

use crate::command;
use crate::error::Error;
use crate::metadata::{Metadata, Target};
use crate::workspace::Workspace;

pub(super) fn run(workspace: &Workspace) -> Result<(), Error> {
    let metadata = Metadata::load(workspace)?;
    let folder = metadata.target_directory.join("debug/examples");
    let mut findings = Vec::new();
    let mut count = 0;
    for package in &metadata.packages {
        for target in package.targets.iter().filter(|target| is_example(target)) {
            count += 1;
            let scratch = tempfile::tempdir().map_err(Error::io(&std::env::temp_dir()))?;
            let mut program = Command::new(folder.join(&target.name));
            if let Err(error) = command::output(program.current_dir(scratch.path())) {
                findings.push(format!("{}: {error}", package.name));
            }
        }
    }
    println!("{count} example programs");
    crate::error::report("programs", &findings)
}

fn is_example(target: &Target) -> bool {
    target.kind.iter().any(|kind| kind == "example")
}
