//! Every check that a change must pass, in one run.
//!
//! A failing step does not stop the others; only steps that need what it builds are left out, by name. A step that is chosen
//! by `--only` brings along what it needs, so that it never looks at what was built of other sources. Everything is built
//! with the dev profile and with the features of the whole workspace, so that nothing is compiled twice.

mod deny;
mod documents;
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
    /// Run only these steps and those that they need, by title, separated by commas
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
        let wanted = with_needed(&all, &options.only);
        all.retain(|step| wanted.contains(&step.title));
    }
    Ok(all)
}

/// The titles, and those of all steps without which they cannot say anything.
fn with_needed<'t>(all: &[Step], titles: &'t [String]) -> Vec<&'t str> {
    let mut wanted: Vec<&str> = titles.iter().map(String::as_str).collect();
    // From the last: a step needs only steps before it.
    for step in all.iter().rev() {
        if wanted.contains(&step.title) {
            wanted.extend(step.needs);
        }
    }
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titles(only: &[&str]) -> Vec<&'static str> {
        let only = only.iter().map(|title| (*title).to_owned()).collect();
        chosen(&Options { only }).unwrap().iter().map(|step| step.title).collect()
    }

    #[test]
    fn a_step_brings_along_what_it_needs() {
        for title in ["schema", "documents", "examples", "programs", "python", "kill-test"] {
            assert_eq!(titles(&[title]), ["build", title]);
        }
        assert_eq!(titles(&["postgresql"]), ["build", "tests", "postgresql"]);
        assert_eq!(titles(&["examples", "format"]), ["format", "build", "examples"]);
        assert_eq!(titles(&["tidy"]), ["tidy"]);
    }

    #[test]
    fn a_step_that_is_not_there_is_refused() {
        let refused = chosen(&Options { only: vec!["speed".to_owned()] }).map(|_| ());
        assert!(refused.unwrap_err().to_string().contains("the steps are format, layers"));
    }
}
