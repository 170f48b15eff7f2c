//! Runs that are killed, resumed, and compared with twins that were left alone.
//!
//! Each *point* takes one of the [`pipelines`], kills its process with SIGKILL (at a named point of the program, or after a
//! random part of the twin's time), resumes the run, maybe kills that process too, and in the end compares everything that
//! the run left with what its twin left: sinks byte for byte, the record key by key, the explanation of a row. Which points
//! there are says `elspeth-faults`; the task fails when the pipelines do not reach one of them. Everything but the instants
//! of kills by time follows from the seed.

mod chance;
mod compare;
mod course;
mod data;
mod explain;
mod journal;
mod outputs;
mod pipelines;
mod point;
mod process;
mod record;
mod rehearsal;
#[cfg(test)]
mod sown;
mod tally;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::Args;
use elspeth_faults::Point;

use crate::command;
use crate::error::Error;
use crate::metadata::Metadata;
use crate::workspace::Workspace;
use point::{Failure, Points};
use rehearsal::Rehearsal;
use tally::Tally;

#[derive(Args)]
pub(crate) struct Options {
    /// How many times a run is killed, resumed and compared
    #[arg(long, default_value_t = IN_CI)]
    points: u64,
    /// What the choice of pipelines and kills follows from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only this one of the points, to see a failure again
    #[arg(long, value_name = "NUMBER")]
    only: Option<u64>,
    /// How many at once; as many as there are processors, if not given
    #[arg(long)]
    jobs: Option<usize>,
    /// Take this program, a development build, instead of building it
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Print the names of the points in the program and do nothing
    #[arg(long)]
    list: bool,
}

/// After so many failures there is no use in looking for more.
const ENOUGH: usize = 5;

/// How many points CI takes.
const IN_CI: u64 = 300;

/// With the program that CI has built already.
pub(crate) fn run_in_ci(workspace: &Workspace) -> Result<(), Error> {
    let binary = Metadata::load(workspace)?.target_directory.join("debug/elspeth");
    let options =
        Options { points: IN_CI, seed: 1, only: None, jobs: None, binary: Some(binary), list: false };
    run(workspace, &options)
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<(), Error> {
    if options.list {
        Point::all().for_each(|point| println!("{point}"));
        return Ok(());
    }
    let target = Metadata::load(workspace)?.target_directory;
    let program = match &options.binary {
        Some(binary) => binary.clone(),
        None => {
            command::run(command::cargo(workspace).args(["build", "--quiet", "-p", "elspeth-cli"]))?;
            target.join("debug/elspeth")
        }
    };
    let folder = target.join("kill-test").join(options.seed.to_string());
    clear(&folder)?;
    let binary = own_copy(&program, &folder)?;
    let started = Instant::now();
    let rehearsal = Rehearsal::hold(&binary, &folder)?;
    rehearsal.check_coverage()?;
    println!("{} pipelines rehearsed in {:.1} s", rehearsal.parts.len(), started.elapsed().as_secs_f64());
    let points = Points { rehearsal: &rehearsal, folder: &folder, seed: options.seed };
    let numbers = options.only.map_or(0..options.points, |only| only..only + 1);
    let (tally, failures) = all(&points, numbers, options.jobs.unwrap_or_else(processors));
    println!("{}", tally.table(started.elapsed()));
    match failures.as_slice() {
        [] => fs::remove_dir_all(&folder).map_err(Error::io(&folder)),
        some => Err(Error::Findings { check: "kill-test", count: some.len() }),
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The program as it is now, whatever is built while the test goes on.
fn own_copy(program: &Path, folder: &Path) -> Result<PathBuf, Error> {
    let copy = folder.join("elspeth");
    fs::copy(program, &copy).map_err(Error::io(program))?;
    Ok(copy)
}

fn clear(folder: &Path) -> Result<(), Error> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(Error::io(folder))?;
    }
    fs::create_dir_all(folder).map_err(Error::io(folder))
}

/// Takes the points in their order, several at once.
fn all(points: &Points<'_>, numbers: std::ops::Range<u64>, jobs: usize) -> (Tally, Vec<Failure>) {
    let next = AtomicU64::new(numbers.start);
    let kept = Mutex::new((Tally::default(), Vec::new()));
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= numbers.end {
                return;
            }
            let took = points.take(number);
            let (tally, failures) = &mut *kept.lock().expect("nobody panics while counting");
            match took {
                Ok(course) => tally.add(&course),
                Err(failure) => {
                    println!("{failure}");
                    failures.push(failure);
                }
            }
            if tally.points % 25 == 0 && tally.points > 0 {
                println!(
                    "{} points, {} processes killed, {} failures",
                    tally.points,
                    tally.kills(),
                    failures.len()
                );
            }
            if failures.len() >= ENOUGH {
                next.store(numbers.end, Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(work);
        }
    });
    kept.into_inner().expect("nobody panics while counting")
}
