//! Each pipeline once without disturbance: the twin that all others are compared with. And once resumed, to see what a
//! process that resumes comes to.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use elspeth_faults::{Act, Point};

use super::compare::Snapshot;
use super::course::Kill;
use super::data;
use super::explain::Explained;
use super::kept::Keeping;
use super::pipelines::{self, Pipeline};
use super::process::{Ended, Place};
use crate::error::{Error, report};

/// Pipelines that are rehearsed beside each other on a server.
const AT_ONCE: usize = 3;

/// All pipelines, rehearsed.
pub(super) struct Rehearsal<'a> {
    pub(super) binary: PathBuf,
    pub(super) parts: Vec<Part<'a>>,
    pub(super) keeping: Keeping<'a>,
}

/// One pipeline, and what is known of its undisturbed run.
pub(super) struct Part<'a> {
    pub(super) pipeline: Pipeline,
    /// What a run comes to.
    pub(super) run: Counts,
    /// What a process comes to that resumes the run about in its middle.
    pub(super) resume: Counts,
    pub(super) took: Duration,
    pub(super) rows: u64,
    pub(super) left: Snapshot,
    pub(super) explained: Explained<'a>,
}

/// How often points are reached.
#[derive(Default)]
pub(super) struct Counts(BTreeMap<Point, u64>);

impl Counts {
    pub(super) fn of(&self, point: Point) -> u64 {
        self.0.get(&point).copied().unwrap_or_default()
    }

    pub(super) fn reached(&self) -> Vec<Point> {
        self.0.keys().copied().collect()
    }

    fn read(log: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(log).map_err(Error::io(log))?;
        let mut counts = Self::default();
        for name in text.lines().filter_map(|line| line.strip_prefix("point ")) {
            let point = Point::named(name)
                .ok_or_else(|| Error::format("the log of points", format!("there is no point `{name}`")))?;
            *counts.0.entry(point).or_default() += 1;
        }
        Ok(counts)
    }
}

impl<'a> Rehearsal<'a> {
    /// Runs every pipeline in a folder below `folder`.
    pub(super) fn hold(binary: &Path, folder: &Path, keeping: Keeping<'a>) -> Result<Self, Error> {
        data::write_inputs(&folder.join("input"))?;
        let one = |pipeline: &Pipeline| rehearse((binary, folder), keeping, *pipeline);
        // A server has enough to do for several.
        let at_once = if keeping.has_server() { AT_ONCE } else { 1 };
        let parts = std::thread::scope(|scope| {
            let some = pipelines::ALL.chunks(pipelines::ALL.len().div_ceil(at_once));
            let some = some.map(|some| scope.spawn(move || some.iter().map(one).collect::<Vec<_>>()));
            let threads: Vec<_> = some.collect();
            threads
                .into_iter()
                .flat_map(|some| some.join().expect("errors are told"))
                .collect::<Result<_, _>>()
        });
        Ok(Self { binary: binary.to_owned(), parts: parts?, keeping })
    }

    /// Every point is reached by some pipeline, or there is a hole in this test.
    pub(super) fn check_coverage(&self) -> Result<(), Error> {
        let reached =
            |point: Point| self.parts.iter().any(|part| part.run.of(point) + part.resume.of(point) > 0);
        let missing: Vec<String> = self
            .points()
            .filter(|point| !reached(*point))
            .map(|point| format!("no pipeline comes to the point `{point}`"))
            .collect();
        report("kill-test", &missing)
    }

    /// Those that runs with such a record come to.
    pub(super) fn points(&self) -> impl Iterator<Item = Point> {
        let keeping = self.keeping;
        Point::all().filter(move |point| keeping.comes_to(*point))
    }
}

fn rehearse<'a>(
    (binary, folder): (&Path, &Path),
    keeping: Keeping<'a>,
    pipeline: Pipeline,
) -> Result<Part<'a>, Error> {
    let twin = folder.join("twins").join(pipeline.name);
    pipeline.prepare(&twin)?;
    let kept = keeping.one();
    let of_twin = Place { binary, folder: &twin, kept: kept.clone(), with_settings: false };
    well(&pipeline, of_twin.count("points.log")?)?;
    let run = Counts::read(&twin.join("points.log"))?;

    let timed = folder.join("timed").join(pipeline.name);
    pipeline.prepare(&timed)?;
    let started = Instant::now();
    let of_timed = Place { binary, folder: &timed, kept: keeping.one(), with_settings: false };
    well(&pipeline, of_timed.go_on(None)?)?;
    let took = started.elapsed();
    of_timed.kept.forget();

    let resumed = folder.join("resumed").join(pipeline.name);
    pipeline.prepare(&resumed)?;
    let of_resumed = Place { binary, folder: &resumed, kept: keeping.one(), with_settings: false };
    of_resumed.go_on(Some(&middle(&run)))?;
    well(&pipeline, of_resumed.count("points.log")?)?;
    let resume = Counts::read(&resumed.join("points.log"))?;

    of_resumed.kept.forget();
    let left = Snapshot::of(&twin, &kept)?;
    let rows = left.rows();
    Ok(Part { pipeline, run, resume, took, rows, left, explained: Explained::new(&twin, kept) })
}

/// A kill after sinks acted on about half of the epochs; before the publication when there are none.
fn middle(run: &Counts) -> Kill {
    let point = Point::After(Act::ActOnEpoch);
    match run.of(point) {
        0 => Kill::At { point: Point::Before(Act::Publish), nth: 1 },
        epochs => Kill::At { point, nth: epochs.div_ceil(2) },
    }
}

fn well(pipeline: &Pipeline, ended: Ended) -> Result<(), Error> {
    match ended {
        Ended::Well => Ok(()),
        Ended::Killed | Ended::LivedOn | Ended::GaveUp => {
            Err(Error::format(pipeline.name, "somebody else killed it"))
        }
        Ended::Badly(said) => Err(Error::format(pipeline.name, said)),
    }
}
