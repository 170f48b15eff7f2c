use elspeth_app::AppError;

use super::{OK, database_choice};
use crate::args::ErrorsArgs;
use crate::output;

pub(super) fn errors(args: &ErrorsArgs) -> Result<u8, AppError> {
    let report = elspeth_app::errors(&database_choice(&args.database), &args.run, args.limit)?;
    if args.json.json {
        output::json(&report)?;
    } else {
        output::text(&report.to_text())?;
    }
    Ok(OK)
}
