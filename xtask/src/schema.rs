//! `docs/settings.schema.json`: the JSON Schema of settings files, as the program itself prints it.

use std::fs;
use std::process::Command;

use clap::Args;

use crate::command;
use crate::error::Error;
use crate::metadata::Metadata;
use crate::workspace::Workspace;

const FILE: &str = "docs/settings.schema.json";

#[derive(Args)]
pub(crate) struct Options {
    /// Change nothing; fail when the file is not what the program prints
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<(), Error> {
    let mut cargo = command::cargo(workspace);
    command::run(cargo.args(["build", "--quiet", "--workspace", "--bin", "elspeth"]))?;
    let printed = printed(workspace)?;
    if options.check { compare(workspace, &printed) } else { write(workspace, &printed) }
}

/// Checks the file with the binary that is already built.
pub(crate) fn check(workspace: &Workspace) -> Result<(), Error> {
    compare(workspace, &printed(workspace)?)
}

fn printed(workspace: &Workspace) -> Result<Vec<u8>, Error> {
    let binary = Metadata::load(workspace)?.target_directory.join("debug/elspeth");
    let schema = command::output(Command::new(&binary).arg("schema").current_dir(workspace.root()))?;
    serde_json::from_slice::<serde_json::Value>(&schema)
        .map_err(|error| Error::format("the output of `elspeth schema`", error))?;
    Ok(schema)
}

fn compare(workspace: &Workspace, printed: &[u8]) -> Result<(), Error> {
    let path = workspace.path(FILE);
    let stored = fs::read(&path).map_err(Error::io(&path))?;
    if stored == printed {
        println!("{FILE} is up to date");
        return Ok(());
    }
    Err(Error::Stale(format!("{FILE} is not what `elspeth schema` prints; run `cargo xtask schema`")))
}

fn write(workspace: &Workspace, printed: &[u8]) -> Result<(), Error> {
    let path = workspace.path(FILE);
    fs::write(&path, printed).map_err(Error::io(&path))?;
    println!("{FILE} written ({} bytes)", printed.len());
    Ok(())
}
