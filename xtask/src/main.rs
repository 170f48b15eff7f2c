//! Development tasks of the workspace, started as `cargo xtask <task>`.
//!
//! Each task lives in a file of its own: [`ci`] runs every check that a change must pass, [`layers`] and [`tidy`]
//! prove the rules that the compiler does not know, [`docs`] and [`schema`] build what is generated.
//! Invariant: a task ends with exit code 0 only if everything it names was really checked or is reported as not
//! checked. The tasks know the workspace through `cargo metadata` and the file tree. Of its crates they use `elspeth-faults`
//! alone: the list of points at which [`kill_test`] ends processes.

mod bench;
mod ci;
mod command;
mod docs;
mod error;
mod kill_test;
mod layers;
mod metadata;
mod schema;
mod static_build;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::Error;
use crate::workspace::Workspace;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Development tasks of the Elspeth workspace")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run every check that a change must pass
    Ci(ci::Options),
    /// Prove that each crate uses only crates of a strictly lower level (layers.toml)
    Layers,
    /// Check the house rules that neither the compiler nor clippy knows
    Tidy,
    /// Build the API documentation with warnings denied
    Docs,
    /// Write docs/settings.schema.json from the `elspeth schema` command
    Schema(schema::Options),
    /// Build `elspeth-verify` as one static file, and check that it needs no library
    Static,
    /// Measure whole pipelines against the floor that SQLite itself sets
    Bench(bench::Options),
    /// Kill runs at points of the program and at random times, resume them, and compare them with undisturbed ones
    KillTest(kill_test::Options),
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<(), Error> {
    let workspace = Workspace::find()?;
    match task {
        Task::Ci(options) => ci::run(&workspace, &options),
        Task::Layers => layers::run(&workspace),
        Task::Tidy => tidy::run(&workspace),
        Task::Docs => docs::run(&workspace),
        Task::Schema(options) => schema::run(&workspace, &options),
        Task::Static => static_build::run(&workspace),
        Task::Bench(options) => bench::run(&workspace, &options),
        Task::KillTest(options) => kill_test::run(&workspace, &options),
    }
}
