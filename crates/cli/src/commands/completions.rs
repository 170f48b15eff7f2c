use clap::CommandFactory;
use elspeth_app::AppError;

use super::OK;
use crate::args::{Args, CompletionsArgs};
use crate::output;

pub(super) fn completions(args: &CompletionsArgs) -> Result<u8, AppError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "elspeth", &mut script);
    output::text(&String::from_utf8_lossy(&script))?;
    Ok(OK)
}
