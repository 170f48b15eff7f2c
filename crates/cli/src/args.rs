//! The command line, as clap sees it.

mod proving;

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum, ValueHint};

pub(crate) use proving::{
    ConsistencyArgs, HeadArgs, KeysAction, KeysArgs, ProofArgs, ProveAction, ProveArgs, RowArgs,
};

/// Auditable decision pipelines: run a settings file, ask of every output "why?".
#[derive(Debug, Parser)]
#[command(name = "elspeth", version, propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a pipeline; without --execute, say what it would do
    #[command(after_help = "Example:\n  elspeth run -s pipeline.yaml -x")]
    Run(RunArgs),
    /// Go on with a run that was interrupted, failed or crashed; without --execute, say where
    #[command(after_help = "Example:\n  elspeth resume latest -d state/audit.db -x")]
    Resume(ResumeArgs),
    /// Find every error in a settings file, without side effects
    #[command(after_help = "Example:\n  elspeth validate -s pipeline.yaml")]
    Validate(ValidateArgs),
    /// Show the compiled graph with the schema on each edge
    #[command(after_help = "Example:\n  elspeth graph -s pipeline.yaml --format svg > pipeline.svg")]
    Graph(GraphArgs),
    /// List the runs of an audit database, newest first
    #[command(after_help = "Example:\n  elspeth runs -d state/audit.db")]
    Runs(RunsArgs),
    /// Show one run's counters, destinations, durations and failures
    #[command(after_help = "Example:\n  elspeth status latest -d state/audit.db")]
    Status(StatusArgs),
    /// Show why a row went where it went: the whole lineage
    #[command(after_help = "Examples:\n  elspeth explain -r latest --row 3 -d state/audit.db\n  \
        elspeth explain -r latest --row 3 -d state/audit.db --tui")]
    Explain(ExplainArgs),
    /// List the rows of a run that were quarantined, failed or diverted
    #[command(after_help = "Example:\n  elspeth errors latest -d state/audit.db")]
    Errors(ErrorsArgs),
    /// Hash the whole record of a run again and say whether it is what was written
    #[command(after_help = "Example:\n  elspeth verify latest -d state/audit.db")]
    Verify(VerifyArgs),
    /// Write the whole record of a run to files: JSON lines, or a CSV file for each kind of record
    #[command(after_help = "Examples:\n  elspeth export latest -o export/ -d state/audit.db\n  \
        elspeth export latest -o prov.json --format prov -d state/audit.db")]
    Export(ExportArgs),
    /// Take an exported run into an audit database
    #[command(
        after_help = "Example:\n  elspeth import export/ -d other.db && elspeth verify latest -d other.db"
    )]
    Import(ImportArgs),
    /// Copy a run from one audit database into another, as `export` and `import` do
    #[command(
        after_help = "Example:\n  elspeth copy latest --from state/audit.db --to postgresql://elspeth@db.example/audit"
    )]
    Copy(CopyArgs),
    /// Print the head of the registry: whoever keeps it sees later whether anything was taken away
    #[command(after_help = "Example:\n  elspeth head -d state/audit.db -o 2026-01-31.head")]
    Head(HeadArgs),
    /// Make keys, and manage those that sign the registry of a database
    #[command(
        after_help = "Example:\n  elspeth keys generate example.org/audit -o audit.key && elspeth keys show audit.key"
    )]
    Keys(KeysArgs),
    /// Prove something to somebody who has no access to the database
    #[command(
        after_help = "Example:\n  elspeth prove consistency january.head february.head -d state/audit.db -o proof.json"
    )]
    Prove(ProveArgs),
    /// Delete row bodies of old runs; hashes, lineage and decisions stay
    #[command(after_help = "Example:\n  elspeth purge --older-than 90 --dry-run -d state/audit.db")]
    Purge(PurgeArgs),
    /// List the plugins, or show one with its options
    #[command(after_help = "Example:\n  elspeth plugins show csv")]
    Plugins(PluginsArgs),
    /// Print the JSON Schema of settings files, for editors
    #[command(after_help = "Example:\n  elspeth schema > settings.schema.json")]
    Schema(SchemaArgs),
    /// Say whether this program can work here, for probes
    #[command(after_help = "Example:\n  elspeth health --json")]
    Health(HealthArgs),
    /// Print the version
    #[command(after_help = "Example:\n  elspeth version --json")]
    Version(JsonArgs),
    /// Print a completion script for a shell
    #[command(after_help = "Example:\n  elspeth completions bash > /etc/bash_completion.d/elspeth")]
    Completions(CompletionsArgs),
    /// Write the manual pages into a folder
    #[command(after_help = "Example:\n  elspeth man --out man/man1")]
    Man(ManArgs),
}

/// Which settings file, and in which environment.
#[derive(Debug, ClapArgs)]
pub(crate) struct SettingsArgs {
    /// The settings file
    #[arg(short = 's', long = "settings", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) settings: PathBuf,
    #[command(flatten)]
    pub(crate) env: EnvArgs,
}

/// Where `${VAR}` comes from besides the environment.
#[derive(Debug, ClapArgs)]
pub(crate) struct EnvArgs {
    /// Read variables from this file instead of looking for `.env` upward from here
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) env_file: Option<PathBuf>,
    /// Do not read any `.env`
    #[arg(long, conflicts_with = "env_file")]
    pub(crate) no_dotenv: bool,
}

/// Which audit database.
#[derive(Debug, ClapArgs)]
pub(crate) struct DatabaseArgs {
    /// The audit database: a path or a URL [default: landscape.url of -s, else ELSPETH_LANDSCAPE__URL, else
    /// ./state/audit.db]
    #[arg(short = 'd', long = "database", value_name = "DB", value_hint = ValueHint::AnyPath)]
    pub(crate) database: Option<String>,
    /// Take the database from this settings file
    #[arg(short = 's', long = "settings", value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "database")]
    pub(crate) settings: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) env: EnvArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct JsonArgs {
    /// Print JSON on stdout, and nothing else there
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
    /// Execute the pipeline
    #[arg(short = 'x', long, conflicts_with = "dry_run")]
    pub(crate) execute: bool,
    /// Only say what it would do
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
    /// Exit with 6 when the run completes but rows failed
    #[arg(long)]
    pub(crate) strict: bool,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
    /// Another way to ask for JSON
    #[arg(long, value_enum, value_name = "FORMAT", conflicts_with = "json")]
    pub(crate) format: Option<RunFormat>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RunFormat {
    /// For people
    Console,
    /// One JSON event a line
    Json,
}

impl RunArgs {
    pub(crate) fn wants_json(&self) -> bool {
        self.json.json || self.format == Some(RunFormat::Json)
    }
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ResumeArgs {
    /// A run id, a unique prefix of one, or `latest`
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
    /// Go on with these settings instead of those that the run recorded
    #[arg(short = 's', long = "settings", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) settings: Option<PathBuf>,
    /// The audit database: a path or a URL [default: landscape.url of -s, else ELSPETH_LANDSCAPE__URL, else
    /// ./state/audit.db]
    #[arg(short = 'd', long = "database", value_name = "DB", value_hint = ValueHint::AnyPath)]
    pub(crate) database: Option<String>,
    #[command(flatten)]
    pub(crate) env: EnvArgs,
    /// Go on
    #[arg(short = 'x', long)]
    pub(crate) execute: bool,
    /// Read on although the source has changed since; this is recorded
    #[arg(long)]
    pub(crate) accept_changed_source: bool,
    /// Exit with 6 when the run completes but rows failed
    #[arg(long)]
    pub(crate) strict: bool,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ValidateArgs {
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct GraphArgs {
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
    /// The form
    #[arg(long, value_enum, default_value_t = GraphFormat::Mermaid)]
    pub(crate) format: GraphFormat,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// A mermaid flowchart
    Mermaid,
    /// Graphviz
    Dot,
    /// A drawing
    Svg,
    /// Nodes and edges
    Json,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RunsArgs {
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct StatusArgs {
    /// A run id, a unique prefix of one, or `latest`
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ExplainArgs {
    /// A run id, a unique prefix of one, or `latest`
    #[arg(short = 'r', long, value_name = "RUN", default_value = "latest")]
    pub(crate) run: String,
    #[command(flatten)]
    pub(crate) subject: SubjectArgs,
    /// Show only tokens that reached this sink; of a row also what batches made of it
    #[arg(long, value_name = "NAME")]
    pub(crate) sink: Option<String>,
    /// Of the batch that made the token, list the members from this position on, 1,000 at a time
    #[arg(long, value_name = "N", requires = "token")]
    pub(crate) members_from: Option<u32>,
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
    /// Look through it on the terminal; `?` there tells the keys
    #[arg(long, conflicts_with = "json")]
    pub(crate) tui: bool,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}

#[derive(Debug, ClapArgs)]
#[group(required = true, multiple = false)]
pub(crate) struct SubjectArgs {
    /// The row at this position in the source, from 0
    #[arg(long, value_name = "N")]
    pub(crate) row: Option<u64>,
    /// The token with this id
    #[arg(long, value_name = "ID")]
    pub(crate) token: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ErrorsArgs {
    /// A run id, a unique prefix of one, or `latest`
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
    /// List at most this many rows; without it 100, with --json all
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct VerifyArgs {
    /// A run id, a unique prefix of one, or `latest`
    #[arg(value_name = "RUN", required_unless_present = "all", conflicts_with = "all")]
    pub(crate) run: Option<String>,
    /// Every run of the database
    #[arg(long)]
    pub(crate) all: bool,
    /// Trust this public key (its text or a file), and those that took its place; may be given several times [default: the keys
    /// that the registry names]
    #[arg(long = "key", value_name = "KEY")]
    pub(crate) keys: Vec<String>,
    /// Check that the registry still contains this head, which `elspeth head` wrote
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) since: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ExportArgs {
    /// A run id, a unique prefix of one, or `latest`
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
    /// Where to: a folder, or a file whose name ends as those of its form do (`.jsonl`; of `prov` `.json`); nothing that is there
    /// is replaced
    #[arg(short = 'o', long, value_name = "DIR|FILE", value_hint = ValueHint::AnyPath)]
    pub(crate) output: PathBuf,
    /// The form
    #[arg(long, value_enum, default_value_t = ExportFormatArg::Json)]
    pub(crate) format: ExportFormatArg,
    /// With the bodies of rows, not their hashes alone
    #[arg(long)]
    pub(crate) bodies: bool,
    /// Sign it, with the key of the settings or the environment
    #[arg(long)]
    pub(crate) sign: bool,
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormatArg {
    /// A line of JSON for each record
    Json,
    /// A CSV file for each kind of record
    Csv,
    /// A document of W3C PROV, as PROV-JSON: rows, tokens and artifacts, and what became of them
    Prov,
    /// Events of OpenLineage 2-0-2, a line of JSON for each: what the run read and wrote
    #[value(name = "openlineage")]
    OpenLineage,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ImportArgs {
    /// The export: its folder, or its `.jsonl` file
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) path: PathBuf,
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CopyArgs {
    /// A run id, a unique prefix of one, or `latest`
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
    /// The database that has the run: a path or a URL
    #[arg(long, value_name = "DB", value_hint = ValueHint::AnyPath)]
    pub(crate) from: String,
    /// The database that is to have it too; made where it does not exist
    #[arg(long, value_name = "DB", value_hint = ValueHint::AnyPath)]
    pub(crate) to: String,
    #[command(flatten)]
    pub(crate) env: EnvArgs,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct PurgeArgs {
    /// Only runs that ended at least so many days ago [default: each run's own payload_store.retention_days; with --run any
    /// age]
    #[arg(long, value_name = "DAYS")]
    pub(crate) older_than: Option<u32>,
    /// Only this run: an id, a unique prefix of one, or `latest`; also one that could still be resumed
    #[arg(long, value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// Only say what would be deleted
    #[arg(short = 'n', long, conflicts_with = "yes")]
    pub(crate) dry_run: bool,
    /// Delete without asking
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}

#[derive(Debug, ClapArgs)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct PluginsArgs {
    #[command(subcommand)]
    pub(crate) action: Option<PluginsAction>,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PluginsAction {
    /// List all plugins
    List(JsonArgs),
    /// Show the plugins of one name with their options
    Show {
        /// The plugin's name
        name: String,
        #[command(flatten)]
        json: JsonArgs,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct SchemaArgs {
    /// On one line, without indentation
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct HealthArgs {
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ManArgs {
    /// The folder; made when missing
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) out: PathBuf,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Args;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example_in_its_help() {
        for command in Args::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("elspeth "), "`{}` has no example", command.get_name());
        }
    }
}
