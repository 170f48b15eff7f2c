use clap::CommandFactory;
use elspeth_app::AppError;

use super::OK;
use crate::args::{Args, ManArgs};
use crate::output;

pub(super) fn man(args: &ManArgs) -> Result<u8, AppError> {
    let failed = |e: std::io::Error| AppError::Output(format!("{}: {e}", args.out.display()));
    std::fs::create_dir_all(&args.out).map_err(failed)?;
    clap_mangen::generate_to(Args::command(), &args.out).map_err(failed)?;
    output::text(&format!("manual pages are in {}", args.out.display()))?;
    Ok(OK)
}
