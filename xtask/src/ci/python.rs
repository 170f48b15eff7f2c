//! The verifier in Python must come to the same answers as `elspeth-verify`, where there is a Python.

use std::process::Command;

use super::Outcome;
use crate::command;
use crate::workspace::Workspace;

pub(super) fn run(workspace: &Workspace) -> Outcome {
    let Ok(version) = command::output(Command::new("python3").arg("--version")) else {
        return Outcome::NotChecked("there is no python3".to_owned());
    };
    let mut cargo = command::cargo(workspace);
    cargo.args(["test", "--package", "elspeth-verify", "--test", "python", "--", "--ignored"]);
    match command::run(&mut cargo) {
        Ok(()) => Outcome::Passed(String::from_utf8_lossy(&version).trim().to_owned()),
        Err(error) => Outcome::Failed(error.to_string()),
    }
}
