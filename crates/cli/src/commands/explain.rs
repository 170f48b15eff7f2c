use elspeth_app::{AppError, Question};

use super::{OK, database_choice};
use crate::args::ExplainArgs;
use crate::output;

pub(super) fn explain(args: &ExplainArgs) -> Result<u8, AppError> {
    let question = match (args.subject.row, &args.subject.token) {
        (Some(row), _) => Question::Row(row),
        (None, Some(token)) => Question::Token(token.clone()),
        (None, None) => unreachable!("clap requires one of --row and --token"),
    };
    let lineage =
        elspeth_app::explain(&database_choice(&args.database), &args.run, &question, args.sink.as_deref())?;
    if args.json.json {
        output::json(&lineage)?;
    } else {
        output::text(&lineage.to_text())?;
    }
    Ok(OK)
}
