use elspeth_app::AppError;

use super::OK;
use crate::args::SchemaArgs;
use crate::output;

pub(super) fn schema(args: &SchemaArgs) -> Result<u8, AppError> {
    let schema = elspeth_app::schema();
    if args.json {
        output::json(&schema)?;
    } else {
        let text = serde_json::to_string_pretty(&schema).map_err(|e| AppError::Output(e.to_string()))?;
        output::text(&text)?;
    }
    Ok(OK)
}
