//! Whole pipelines measured against the floor that SQLite itself sets.

use clap::Args;

use crate::error::Error;
use crate::workspace::Workspace;

#[derive(Args)]
pub(crate) struct Options {}

pub(crate) fn run(_workspace: &Workspace, _options: &Options) -> Result<(), Error> {
    Err(Error::Stale("not built yet".into()))
}
