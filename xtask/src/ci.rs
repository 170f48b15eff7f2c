//! Every check that a change must pass, in one run.
//!
//! A failing step does not stop the others; only steps that need what it builds are left out, by name. Everything is
//! built with the dev profile and with the features of the whole workspace, so that nothing is compiled twice.

mod deny;
mod examples;
mod postgresql;
mod programs;
mod python;
mod steps;
mod summary;
mod tables;

use std::time::Instant;

use clap::Args;

use crate::error::Error;
use crate::workspace::Workspace;
use steps::{Step, steps};
use summary::{Record, Summary};

#[derive(Args)]
pub(crate) struct Options {
    /// Run only these steps, by title, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "TITLE")]
    only: Vec<String>,
}

/// What became of a step.
pub(crate) enum Outcome {
    /// It holds; with a remark for the summary.
    Passed(String),
    Failed(String),
    /// It could not be checked here, for the reason given. No failure.
    NotChecked(String),
}

impl From<Result<(), Error>> for Outcome {
    fn from(result: Result<(), Error>) -> Self {
        match result {
            Ok(()) => Self::Passed(String::new()),
            Err(error) => Self::Failed(error.to_string()),
        }
    }
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<(), Error> {
    let chosen = chosen(options)?;
    let mut summary = Summary::default();
    for (number, step) in chosen.iter().enumerate() {
        println!("\n==> [{}/{}] {}", number + 1, chosen.len(), step.title);
        let start = Instant::now();
        let outcome = match step.needs.filter(|needed| summary.has_failed(needed)) {
            Some(needed) => Outcome::Failed(format!("needs `{needed}`, which failed")),
            None => (step.run)(workspace),
        };
        summary.add(Record { title: step.title, outcome, elapsed: start.elapsed() });
    }
    summary.print();
    summary.result()
}

fn chosen(options: &Options) -> Result<Vec<Step>, Error> {
    let mut all = steps();
    if let Some(unknown) = options.only.iter().find(|title| !all.iter().any(|step| step.title == **title)) {
        let titles: Vec<&str> = all.iter().map(|step| step.title).collect();
        return Err(Error::format(
            format!("--only {unknown}"),
            format!("the steps are {}", titles.join(", ")),
        ));
    }
    if !options.only.is_empty() {
        all.retain(|step| options.only.iter().any(|title| title == step.title));
    }
    Ok(all)
}
