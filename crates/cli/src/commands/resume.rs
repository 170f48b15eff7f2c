use elspeth_app::{AppError, DatabaseChoice, ResumeChoice, RunObserver, SettingsChoice};

use super::run::perform;
use super::{OK, env_choice};
use crate::args::ResumeArgs;
use crate::{output, summary};

pub(super) fn resume(args: &ResumeArgs) -> Result<u8, AppError> {
    let env = env_choice(&args.env);
    let settings = args.settings.clone().map(|path| SettingsChoice { path, env: env.clone() });
    let database = match (&args.database, &settings) {
        (Some(location), _) => DatabaseChoice::Location(location.clone()),
        (None, Some(settings)) => DatabaseChoice::Settings(settings.clone()),
        (None, None) => DatabaseChoice::Environment(env.clone()),
    };
    let accept_changed_source = args.accept_changed_source;
    let choice = ResumeChoice { run: args.run.clone(), settings, database, env, accept_changed_source };
    let resumable = elspeth_app::resumable(&choice)?;
    if args.execute {
        let act = |stop, observer: &mut dyn RunObserver| elspeth_app::resume(resumable, stop, observer);
        return perform((args.json.json, args.strict), &[], act);
    }
    if args.json.json {
        output::json(&resumable.view)?;
    } else {
        output::text(&summary::of_resumable(&resumable.view))?;
    }
    Ok(OK)
}
