//! Where the CPU time of a row goes, by phase.
//!
//! The product is built once more, with the threads of `elspeth-phases` that look what the others are at. What is left when all phases
//! are taken from the time of the process is the rest: starting, settings, threads, and the looking itself.

use std::fs;
use std::path::{Path, PathBuf};

use super::data;
use super::measure::Bench;
use super::pipelines::Pipeline;
use super::table::median;
use crate::command;
use crate::error::Error;
use crate::workspace::Workspace;

/// What one run told.
struct Profile {
    /// Phase -> seconds of CPU time.
    phases: Vec<(String, f64)>,
    cpu_seconds: f64,
}

/// The product that looks. The one that does not, which cargo puts in the same place, has to be built after it.
pub(super) fn build(workspace: &Workspace, target: &Path) -> Result<PathBuf, Error> {
    let mut cargo = command::cargo(workspace);
    cargo.args(["build", "--quiet", "--release", "-p", "elspeth-cli", "-p", "xtask-floor"]);
    cargo.args(["--features", "elspeth-cli/profile"]);
    command::run(&mut cargo)?;
    let folder = target.join("profile");
    fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
    let program = folder.join("elspeth");
    fs::copy(target.join("release/elspeth"), &program).map_err(Error::io(&program))?;
    Ok(program)
}

/// Prints a line for each pipeline and number of rows.
pub(super) fn run(bench: &Bench, program: &Path, rows: &[u64], pipelines: &[Pipeline]) -> Result<(), Error> {
    let mut headed = false;
    for rows in rows {
        data::write(&bench.input(*rows), *rows)?;
        for pipeline in pipelines {
            let runs = (0..bench.runs).map(|_| profile(bench, program, *pipeline, *rows));
            let runs = runs.collect::<Result<Vec<_>, _>>()?;
            if !std::mem::replace(&mut headed, true) {
                println!("{}", head(&runs[0]));
            }
            println!("{}", line(*pipeline, *rows, &runs));
        }
    }
    Ok(())
}

fn profile(bench: &Bench, program: &Path, pipeline: Pipeline, rows: u64) -> Result<Profile, Error> {
    let folder = bench.folder.join("profiled");
    let report = bench.folder.join("profile");
    let cpu_seconds = bench.run_profiled(program, pipeline, rows, (&folder, &report))?;
    fs::remove_dir_all(&folder).map_err(Error::io(&folder))?;
    let text = fs::read_to_string(&report).map_err(Error::io(&report))?;
    Ok(Profile { phases: parse(&text)?, cpu_seconds })
}

/// Lines of a name and nanoseconds.
fn parse(text: &str) -> Result<Vec<(String, f64)>, Error> {
    let parsed = text.lines().map(|line| {
        let (name, ns) = line.split_once(' ')?;
        Some((name.to_owned(), ns.parse::<f64>().ok()? / 1e9))
    });
    parsed.collect::<Option<_>>().ok_or_else(|| Error::format("the profile", text))
}

fn head(profile: &Profile) -> String {
    let names: Vec<&str> = profile.phases.iter().map(|(name, _)| name.as_str()).collect();
    format!(
        "µs of CPU time for a row\n\n| pipeline | rows | all | {} | rest |\n|---|--:|--:|{}--:|",
        names.join(" | "),
        "--:|".repeat(names.len())
    )
}

#[expect(clippy::cast_precision_loss, reason = "numbers of rows are far below 2^53")]
fn line(pipeline: Pipeline, rows: u64, runs: &[Profile]) -> String {
    let us = |seconds: f64| seconds / rows as f64 * 1e6;
    let all = us(median(runs.iter().map(|run| run.cpu_seconds)));
    let phase = |at: usize| us(median(runs.iter().map(|run| run.phases[at].1)));
    let phases: Vec<f64> = (0..runs[0].phases.len()).map(phase).collect();
    let rest = all - phases.iter().sum::<f64>();
    let shown: Vec<String> = phases.iter().map(|us| format!("{us:.2}")).collect();
    format!("| {} | {rows} | {all:.2} | {} | {rest:.2} |", pipeline.shape(), shown.join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_phase_took_is_the_rest() {
        let phases = parse("sense 1000000\nact 3000000\n").unwrap();
        let run = Profile { phases, cpu_seconds: 0.006 };
        assert!(
            head(&run).ends_with("| pipeline | rows | all | sense | act | rest |\n|---|--:|--:|--:|--:|--:|")
        );
        assert_eq!(line(Pipeline::Copy, 1000, &[run]), "| csv → csv | 1000 | 6.00 | 1.00 | 3.00 | 2.00 |");
    }

    #[test]
    fn something_else_is_no_profile() {
        assert!(parse("sense").is_err());
        assert!(parse("sense much").is_err());
    }
}
