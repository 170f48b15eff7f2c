use std::path::Path;
use std::sync::Arc;

use elspeth_app::{AppError, Question, shell_word};

use super::{OK, database_choice};
use crate::args::{DatabaseArgs, EnvArgs, ExplainArgs};
use crate::explorer::{self, Ask};
use crate::output;

pub(super) fn explain(args: &ExplainArgs) -> Result<u8, AppError> {
    let question = match (args.subject.row, &args.subject.token, args.members_from) {
        (Some(row), _, _) => Question::Row(row),
        (None, Some(token), None) => Question::Token(token.clone()),
        (None, Some(token), Some(from)) => Question::Members { token: token.clone(), from },
        (None, None, _) => unreachable!("clap requires one of --row and --token"),
    };
    if args.tui {
        explorer::needs_a_terminal()?;
    }
    let database = database_choice(&args.database);
    let lineage = elspeth_app::explain(&database, &args.run, &question, args.sink.as_deref())?;
    if args.tui {
        let run = lineage.run_id.to_string();
        let ask: Ask = Arc::new(move |question| elspeth_app::explain(&database, &run, question, None));
        return explorer::explore((question, lineage), args.sink.as_deref(), &ask);
    }
    if args.json.json {
        output::json(&lineage)?;
    } else {
        let command = format!("elspeth explain -r {}{}", lineage.run_id, where_asked(&args.database));
        output::text(&lineage.to_text_with(&command))?;
    }
    Ok(OK)
}

/// The arguments that name the same database again.
fn where_asked(args: &DatabaseArgs) -> String {
    match (&args.database, &args.settings) {
        (Some(location), _) => format!(" -d {}", shell_word(location)),
        (None, Some(settings)) => format!(" -s {}{}", word(settings), environment(&args.env)),
        (None, None) => environment(&args.env),
    }
}

fn environment(args: &EnvArgs) -> String {
    match (&args.env_file, args.no_dotenv) {
        (Some(file), _) => format!(" --env-file {}", word(file)),
        (None, true) => " --no-dotenv".to_owned(),
        (None, false) => String::new(),
    }
}

fn word(path: &Path) -> String {
    shell_word(&path.to_string_lossy()).into_owned()
}
