use elspeth_app::{AppError, RunListing};

use super::{OK, database_choice};
use crate::args::RunsArgs;
use crate::output;

pub(super) fn runs(args: &RunsArgs) -> Result<u8, AppError> {
    let runs = elspeth_app::runs(&database_choice(&args.database))?;
    if args.json.json {
        output::json(&runs)?;
    } else if runs.is_empty() {
        output::text("no runs yet; `elspeth run -s FILE -x` makes one")?;
    } else {
        output::text(&output::table(&lines(&runs)))?;
    }
    Ok(OK)
}

fn lines(runs: &[RunListing]) -> Vec<Vec<String>> {
    let head = ["RUN", "STATUS", "STARTED", "SECONDS", "ROWS", "SETTINGS"].map(str::to_owned).to_vec();
    let line = |run: &RunListing| {
        vec![
            run.run_id.to_string(),
            run.status.to_string(),
            run.started_at.clone(),
            run.duration_seconds.map_or_else(|| "-".to_owned(), |s| format!("{s:.2}")),
            output::grouped(run.rows),
            run.settings_path.clone(),
        ]
    };
    std::iter::once(head).chain(runs.iter().map(line)).collect()
}
