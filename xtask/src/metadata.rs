//! The part of `cargo metadata` that the tasks need.

use std::path::PathBuf;

use serde::Deserialize;

use crate::command;
use crate::error::Error;
use crate::workspace::Workspace;

/// The members of the workspace and where they are built.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) target_directory: PathBuf,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) targets: Vec<Target>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `None` for a normal dependency, else `dev` or `build`.
    pub(crate) kind: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kind: Vec<String>,
    pub(crate) src_path: PathBuf,
}

impl Metadata {
    /// Asks cargo about the workspace; needs neither network nor a lock file.
    pub(crate) fn load(workspace: &Workspace) -> Result<Self, Error> {
        let mut cargo = command::cargo(workspace);
        let json = command::output(cargo.args(["metadata", "--format-version", "1", "--no-deps"]))?;
        serde_json::from_slice(&json).map_err(|error| Error::format("cargo metadata", error))
    }
}
