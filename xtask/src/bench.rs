//! Whole pipelines measured against the floor that SQLite itself sets.
//!
//! Each pipeline runs as a child process, as a user would start it, several times for each number of rows; after each
//! run the `xtask-floor` program writes the same record through the raw C API. What is shown are medians. Generated
//! data, settings and databases are under `target/bench/`.

mod check;
mod concurrency;
mod counts;
mod data;
mod measure;
mod pipelines;
mod profile;
mod questions;
mod servers;
mod table;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::command;
use crate::error::Error;
use crate::metadata::Metadata;
use crate::workspace::Workspace;
use measure::Bench;
use pipelines::Pipeline;
use servers::Servers;
use table::Report;

#[derive(Args)]
pub(crate) struct Options {
    /// Numbers of rows, separated by commas; `k` and `M` are understood
    #[arg(
        long,
        value_delimiter = ',',
        value_parser = rows,
        default_value = "10k,200k,1M",
        default_value_if("questions", "true", "1M")
    )]
    rows: Vec<u64>,
    /// How often each measurement is taken; medians are shown
    #[arg(
        long,
        value_parser = clap::value_parser!(u32).range(1..),
        default_value = "5",
        default_value_if("questions", "true", "25")
    )]
    runs: u32,
    /// Pipelines, separated by commas
    #[arg(
        long,
        value_delimiter = ',',
        value_enum,
        default_value = "copy,route,transform,fork,batch",
        default_value_if("questions", "true", "route")
    )]
    pipelines: Vec<Pipeline>,
    /// Measure a program without proofs as well, which is built for it
    #[arg(long)]
    proofs: bool,
    /// Measure records on PostgreSQL beside those on SQLite instead, with a server made for it
    #[arg(long, conflicts_with_all = ["proofs", "json"])]
    postgres: bool,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
    /// Instead, show where the CPU time of a row goes, by a program that is built for it
    #[arg(long, conflicts_with_all = ["proofs", "json", "check", "postgres"])]
    profile: bool,
    /// Instead, run transforms that compute on one core and on two, and transforms that wait, many at once
    #[arg(long, conflicts_with_all = ["rows", "pipelines", "proofs", "json", "check", "profile", "postgres"])]
    concurrency: bool,
    /// Instead, run each pipeline once and time what is asked of its record; without more, `route` with 1M rows, 25 times each
    #[arg(long, conflicts_with_all = ["proofs", "json", "check", "profile", "postgres", "concurrency"])]
    questions: bool,
    /// Instead, compare the instructions of each pipeline with the figures in xtask/counts.toml
    #[arg(long, conflicts_with_all = ["rows", "runs", "pipelines", "proofs", "json", "postgres"])]
    check: bool,
    /// Write what was counted into that file
    #[arg(long, requires = "check")]
    accept: bool,
}

pub(crate) use check::run_in_ci as check_in_ci;

/// Where and how the program without proofs is built.
pub(crate) const UNPROVEN: &str = "unproven";
pub(crate) const UNPROVEN_FLAGS: &str = "--cfg elspeth_unproven";

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<(), Error> {
    if options.check {
        return check::run(workspace, options.accept);
    }
    if options.concurrency {
        return concurrency::run(workspace, options.runs);
    }
    let target = Metadata::load(workspace)?.target_directory;
    let looking = match options.profile {
        true => Some(profile::build(workspace, &target)?),
        false => None,
    };
    build(workspace)?;
    let folder = target.join("bench");
    fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
    if options.postgres {
        let Options { runs, rows, pipelines, .. } = options;
        let program = target.join("release/elspeth");
        println!("{}", Servers { program, folder, runs: *runs, rows, pipelines }.measure()?);
        return Ok(());
    }
    let unproven = match options.proofs {
        true => Some(build_unproven(workspace, &target.join(UNPROVEN))?),
        false => None,
    };
    let bench =
        Bench { binaries: target.join("release"), unproven, folder, runs: options.runs, profile: None };
    if let Some(program) = looking {
        return profile::run(&bench, &program, &options.rows, &options.pipelines);
    }
    if options.questions {
        return questions::run(&bench, &options.rows, &options.pipelines);
    }
    let mut report = Report { validate_seconds: bench.validate()?, cases: Vec::new() };
    for rows in &options.rows {
        data::write(&bench.input(*rows), *rows)?;
        for pipeline in &options.pipelines {
            report.cases.push(bench.case(*pipeline, *rows)?);
        }
    }
    println!("{}", if options.json { report.json() } else { report.markdown() });
    Ok(())
}

/// The product and the floor in one build, so that both link the same SQLite.
fn build(workspace: &Workspace) -> Result<(), Error> {
    let arguments = ["build", "--quiet", "--release", "-p", "elspeth-cli", "-p", "xtask-floor"];
    command::output(command::cargo(workspace).args(arguments)).map(drop)
}

/// The product without proofs, in a folder of its own: every crate is compiled with another flag.
fn build_unproven(workspace: &Workspace, target: &Path) -> Result<PathBuf, Error> {
    let mut cargo = command::cargo(workspace);
    cargo
        .args(["build", "--quiet", "--release", "-p", "elspeth-cli", "--target-dir"])
        .arg(target)
        .env("RUSTFLAGS", UNPROVEN_FLAGS);
    command::output(&mut cargo).map(drop)?;
    Ok(target.join("release/elspeth"))
}

fn rows(text: &str) -> Result<u64, String> {
    let (digits, factor) = match text.strip_suffix('k') {
        Some(digits) => (digits, 1_000),
        None => text.strip_suffix('M').map_or((text, 1), |digits| (digits, 1_000_000)),
    };
    let number: u64 =
        digits.parse().map_err(|_| format!("`{text}` is no number of rows; write 500, 10k or 1M"))?;
    number
        .checked_mul(factor)
        .filter(|rows| *rows > 0)
        .ok_or_else(|| format!("`{text}` rows cannot be measured"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use clap::error::ErrorKind;

    use super::{Options, Pipeline, rows};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn parsed(line: &str) -> Result<Options, ErrorKind> {
        let words = std::iter::once("bench").chain(line.split_whitespace());
        Line::try_parse_from(words).map(|line| line.options).map_err(|error| error.kind())
    }

    #[test]
    fn numbers_of_rows_may_be_abbreviated() {
        assert_eq!([rows("500"), rows("10k"), rows("1M")], [Ok(500), Ok(10_000), Ok(1_000_000)]);
        for text in ["", "k", "0", "-1", "1G", "99999999999999999M"] {
            assert!(rows(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_option_that_would_do_nothing_is_refused() {
        let useless = [
            (
                "--check",
                "--rows 10k|--runs 3|--pipelines route|--proofs|--postgres|--json|--profile|--concurrency",
            ),
            ("--concurrency", "--rows 10k|--pipelines route|--proofs|--postgres|--json|--profile"),
            ("--profile", "--proofs|--postgres|--json"),
            ("--questions", "--proofs|--postgres|--json|--check|--profile|--concurrency"),
            ("--postgres", "--proofs|--json"),
        ];
        for (what, others) in useless {
            for other in others.split('|') {
                let refused = parsed(&format!("{what} {other}")).err();
                assert_eq!(refused, Some(ErrorKind::ArgumentConflict), "{what} {other}");
            }
        }
        assert_eq!(parsed("--accept").err(), Some(ErrorKind::MissingRequiredArgument));
    }

    #[test]
    fn what_is_not_given_conflicts_with_nothing() {
        for line in ["", "--check", "--check --accept", "--concurrency --runs 3", "--proofs --json"] {
            assert!(parsed(line).is_ok(), "{line}");
        }
        for what in ["--profile", "--postgres", "--questions"] {
            assert!(parsed(&format!("{what} --rows 10k --runs 3 --pipelines route")).is_ok(), "{what}");
        }
        let options = parsed("").unwrap_or_else(|kind| panic!("{kind}"));
        assert_eq!((options.rows.as_slice(), options.runs), ([10_000, 200_000, 1_000_000].as_slice(), 5));
        assert_eq!(options.pipelines.len(), 5);
    }

    #[test]
    fn questions_are_asked_of_one_large_record_unless_others_are_given() {
        let options = parsed("--questions").unwrap_or_else(|kind| panic!("{kind}"));
        assert_eq!((options.rows.as_slice(), options.runs), ([1_000_000].as_slice(), 25));
        assert_eq!(options.pipelines, [Pipeline::Route]);
        let options = parsed("--questions --rows 10k --runs 3 --pipelines copy")
            .unwrap_or_else(|kind| panic!("{kind}"));
        assert_eq!((options.rows.as_slice(), options.runs), ([10_000].as_slice(), 3));
        assert_eq!(options.pipelines, [Pipeline::Copy]);
    }
}
