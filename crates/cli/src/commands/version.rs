use elspeth_app::AppError;

use super::OK;
use crate::args::JsonArgs;
use crate::output;

pub(super) fn version(args: &JsonArgs) -> Result<u8, AppError> {
    let version = elspeth_app::version();
    if args.json {
        output::json(&version)?;
    } else {
        output::text(&format!("elspeth {}", version.version))?;
    }
    Ok(OK)
}
