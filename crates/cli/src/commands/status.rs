use elspeth_app::AppError;

use super::{OK, database_choice};
use crate::args::StatusArgs;
use crate::{output, summary};

pub(super) fn status(args: &StatusArgs) -> Result<u8, AppError> {
    let report = elspeth_app::status(&database_choice(&args.database), &args.run)?;
    if args.json.json {
        output::json(&report)?;
    } else {
        output::text(&summary::of_run(&report))?;
    }
    Ok(OK)
}
