//! The API documentation, with every warning an error.

use crate::command;
use crate::error::Error;
use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace) -> Result<(), Error> {
    let mut cargo = command::cargo(workspace);
    cargo.env("RUSTDOCFLAGS", "-D warnings");
    command::run(cargo.args(["doc", "--workspace", "--no-deps"]))
}
