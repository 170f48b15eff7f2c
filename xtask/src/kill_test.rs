//! Runs that are killed, resumed, and compared with twins that were left alone.
//!
//! Each *point* takes one of the [`pipelines`], kills its process with SIGKILL (at a named point of the program, or after a
//! random part of the twin's time), resumes the run, maybe kills that process too, and in the end compares everything that
//! the run left with what its twin left: sinks byte for byte, the record key by key, the explanation of a row. Which points
//! there are says `elspeth-faults`; the task fails when the pipelines do not reach one of them. Everything but the instants
//! of kills by time follows from the seed.
//!
//! With the record on PostgreSQL half of the kills are the server's: it crashes (`pg_ctl stop -m immediate`) while the process
//! stands still at a named point or at any time, with or without the process, or loses the process that serves the run to
//! SIGKILL. Whoever runs points has a cluster of its own, as durable as in production.

mod chance;
mod compare;
mod course;
mod data;
mod explain;
mod journal;
mod kept;
mod mirror;
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

use clap::{Args, ValueEnum};
use elspeth_faults::Point;
use elspeth_testkit::{PgCluster, PgDurability};

use crate::command;
use crate::error::Error;
use crate::metadata::Metadata;
use crate::workspace::Workspace;
use kept::{Keeping, Kept, Server};
use point::{Failure, Points};
use process::Place;
use rehearsal::Rehearsal;
use tally::Tally;

/// Where the record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Store {
    /// In an SQLite file
    Sqlite,
    /// On servers that are made for this, from the binaries on the machine
    Postgresql,
}

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
    /// Where the record is
    #[arg(long, value_enum, default_value = "sqlite")]
    database: Store,
    /// Take this program, a development build, instead of building it
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Print the names of the points in the program and do nothing
    #[arg(long)]
    list: bool,
}

/// After so many failures there is no use in looking for more.
const ENOUGH: usize = 5;

/// How many points CI takes, and how many of them with servers, which need more time.
const IN_CI: u64 = 300;
const IN_CI_ON_SERVERS: u64 = 20;

/// With the program that CI has built already.
pub(crate) fn run_in_ci(workspace: &Workspace) -> Result<(), Error> {
    in_ci(workspace, (IN_CI, Store::Sqlite))
}

/// The same with records on PostgreSQL, which the machine must have.
pub(crate) fn run_in_ci_on_postgresql(workspace: &Workspace) -> Result<String, Error> {
    in_ci(workspace, (IN_CI_ON_SERVERS, Store::Postgresql))?;
    Ok(format!("{IN_CI_ON_SERVERS} points of kill-test"))
}

fn in_ci(workspace: &Workspace, (points, database): (u64, Store)) -> Result<(), Error> {
    let binary = Metadata::load(workspace)?.target_directory.join("debug/elspeth");
    let options =
        Options { points, seed: 1, only: None, jobs: None, database, binary: Some(binary), list: false };
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
    match options.database {
        Store::Sqlite => hold(options, (&binary, &folder), Keeping::InFiles),
        Store::Postgresql => {
            let cluster = cluster()?;
            let pattern = pattern(&binary, &folder)?;
            let server = Server { cluster: &cluster, pattern: &pattern };
            hold(options, (&binary, &folder), Keeping::InServer(server))
        }
    }
}

/// Rehearses with records that are kept like that, and takes the points.
fn hold(options: &Options, (binary, folder): (&Path, &Path), keeping: Keeping<'_>) -> Result<(), Error> {
    let started = Instant::now();
    let rehearsal = Rehearsal::hold(binary, folder, keeping)?;
    rehearsal.check_coverage()?;
    println!("{} pipelines rehearsed in {:.1} s", rehearsal.parts.len(), started.elapsed().as_secs_f64());
    let points = Points { rehearsal: &rehearsal, folder, seed: options.seed };
    let numbers = options.only.map_or(0..options.points, |only| only..only + 1);
    let (tally, failures) = all(&points, numbers, options.jobs.unwrap_or_else(processors));
    println!("{}", tally.table(started.elapsed()));
    match failures.as_slice() {
        [] => fs::remove_dir_all(folder).map_err(Error::io(folder)),
        some => Err(Error::Findings { check: "kill-test", count: some.len() }),
    }
}

fn cluster() -> Result<PgCluster, Error> {
    // This one does not crash.
    let cluster = PgCluster::start(PgDurability::None);
    cluster.ok_or_else(|| Error::format("the machine", "it has no PostgreSQL"))
}

/// What makes the tables of a record in an SQLite file, from a run that makes one.
fn pattern(binary: &Path, folder: &Path) -> Result<String, Error> {
    let folder = folder.join("pattern");
    data::write_inputs(&folder.join("../input"))?;
    let pipeline = pipelines::ALL.iter().find(|pipeline| pipeline.name == "nothing");
    let folder = folder.join("nothing");
    pipeline.expect("it is in the list").prepare(&folder)?;
    let place = Place { binary, folder: &folder, kept: Kept::InFile, with_settings: false };
    place.go_on(None)?;
    mirror::pattern(&folder.join("audit.db"))
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
        // A server that crashes must be nobody else's.
        let keeping = points.rehearsal.keeping;
        let own = keeping.has_server().then(|| PgCluster::start(PgDurability::Full)).flatten();
        let keeping = keeping.on(own.as_ref());
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= numbers.end {
                return;
            }
            let took = points.take(number, keeping);
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
