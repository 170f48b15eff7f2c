//! One file per command. Each returns the exit code, or the error to be shown.

mod completions;
mod copy;
mod errors;
mod explain;
mod export;
mod graph;
mod head;
mod health;
mod import;
mod keys;
mod man;
mod plugins;
mod prove;
mod purge;
mod resume;
mod run;
mod runs;
mod schema;
mod status;
mod validate;
mod verify;
mod version;

use elspeth_app::{AppError, DatabaseChoice, EnvChoice, SettingsChoice};

use crate::args::{Command, DatabaseArgs, EnvArgs, SettingsArgs};

/// Exit code of a command that did what it was asked.
pub(crate) const OK: u8 = 0;

/// Runs the command that was given.
pub(crate) fn dispatch(command: Command) -> Result<u8, AppError> {
    match command {
        Command::Run(args) => run::run(&args),
        Command::Resume(args) => resume::resume(&args),
        Command::Validate(args) => validate::validate(&args),
        Command::Graph(args) => graph::graph(&args),
        Command::Runs(args) => runs::runs(&args),
        Command::Status(args) => status::status(&args),
        Command::Explain(args) => explain::explain(&args),
        Command::Errors(args) => errors::errors(&args),
        Command::Verify(args) => verify::verify(&args),
        Command::Export(args) => export::export(&args),
        Command::Import(args) => import::import(&args),
        Command::Copy(args) => copy::copy(&args),
        Command::Head(args) => head::head(&args),
        Command::Keys(args) => keys::keys(&args),
        Command::Prove(args) => prove::prove(&args),
        Command::Purge(args) => purge::purge(&args),
        Command::Plugins(args) => plugins::plugins(&args),
        Command::Schema(args) => schema::schema(&args),
        Command::Health(args) => health::health(&args),
        Command::Version(args) => version::version(&args),
        Command::Completions(args) => completions::completions(&args),
        Command::Man(args) => man::man(&args),
    }
}

fn env_choice(args: &EnvArgs) -> EnvChoice {
    match (&args.env_file, args.no_dotenv) {
        (Some(path), _) => EnvChoice::File(path.clone()),
        (None, true) => EnvChoice::NoDotenv,
        (None, false) => EnvChoice::Search,
    }
}

fn settings_choice(args: &SettingsArgs) -> SettingsChoice {
    SettingsChoice { path: args.settings.clone(), env: env_choice(&args.env) }
}

fn database_choice(args: &DatabaseArgs) -> DatabaseChoice {
    match (&args.database, &args.settings) {
        (Some(location), _) => DatabaseChoice::Location(location.clone()),
        (None, Some(path)) => {
            DatabaseChoice::Settings(SettingsChoice { path: path.clone(), env: env_choice(&args.env) })
        }
        (None, None) => DatabaseChoice::Environment(env_choice(&args.env)),
    }
}
