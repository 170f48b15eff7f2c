use elspeth_app::AppError;

use super::{OK, settings_choice};
use crate::args::ValidateArgs;
use crate::{diagnostics, output};

/// The settings are invalid.
const INVALID: u8 = 1;

pub(super) fn validate(args: &ValidateArgs) -> Result<u8, AppError> {
    let report = elspeth_app::validate(&settings_choice(&args.settings))?;
    if args.json.json {
        output::json(&report)?;
    } else {
        diagnostics::print_warnings(&report.warnings);
        if report.valid {
            output::text(&format!("{} is valid: {}\n", report.file(), report.outline()))?;
        } else {
            diagnostics::print_diagnostics(&report.diagnostics());
        }
    }
    Ok(if report.valid { OK } else { INVALID })
}
