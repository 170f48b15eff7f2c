use elspeth_app::AppError;

use super::{OK, database_choice};
use crate::args::ErrorsArgs;
use crate::output;

/// Rows that a person gets to read at once.
const SHOWN: u64 = 100;

pub(super) fn errors(args: &ErrorsArgs) -> Result<u8, AppError> {
    let limit = args.limit.unwrap_or(if args.json.json { u64::MAX } else { SHOWN });
    let report = elspeth_app::errors(&database_choice(&args.database), &args.run, limit)?;
    if args.json.json {
        output::json(&report)?;
    } else {
        output::text(&report.to_text())?;
    }
    Ok(OK)
}
