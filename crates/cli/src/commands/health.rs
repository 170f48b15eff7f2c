use elspeth_app::AppError;

use super::{OK, database_choice};
use crate::args::HealthArgs;
use crate::output;

/// Something that the program needs does not work.
const UNHEALTHY: u8 = 1;

pub(super) fn health(args: &HealthArgs) -> Result<u8, AppError> {
    let report = elspeth_app::health(&database_choice(&args.database));
    if args.json.json {
        output::json(&report)?;
    } else {
        let rows: Vec<_> =
            report.checks.iter().map(|c| vec![c.name.clone(), c.status.clone(), c.detail.clone()]).collect();
        output::text(&output::table(&rows))?;
    }
    Ok(if report.healthy { OK } else { UNHEALTHY })
}
