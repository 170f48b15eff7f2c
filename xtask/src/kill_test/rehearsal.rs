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
use super::pipelines::{self, Pipeline};
use super::process::{Ended, Place};
use crate::error::{Error, report};

/// All pipelines, rehearsed.
pub(super) struct Rehearsal {
    pub(super) binary: PathBuf,
    pub(super) parts: Vec<Part>,
}

/// One pipeline, and what is known of its undisturbed run.
pub(super) struct Part {
    pub(super) pipeline: Pipeline,
    /// What a run comes to.
    pub(super) run: Counts,
    /// What a process comes to that resumes the run about in its middle.
    pub(super) resume: Counts,
    pub(super) took: Duration,
    pub(super) rows: u64,
    pub(super) left: Snapshot,
    pub(super) explained: Explained,
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

impl Rehearsal {
    /// Runs every pipeline in a folder below `folder`.
    pub(super) fn hold(binary: &Path, folder: &Path) -> Result<Self, Error> {
        data::write_inputs(&folder.join("input"))?;
        let parts = pipelines::ALL.iter().map(|pipeline| rehearse(binary, folder, *pipeline));
        Ok(Self { binary: binary.to_owned(), parts: parts.collect::<Result<_, _>>()? })
    }

    /// Every point is reached by some pipeline, or there is a hole in this test.
    pub(super) fn check_coverage(&self) -> Result<(), Error> {
        let reached =
            |point: Point| self.parts.iter().any(|part| part.run.of(point) + part.resume.of(point) > 0);
        let missing: Vec<String> = Point::all()
            .filter(|point| !reached(*point))
            .map(|point| format!("no pipeline comes to the point `{point}`"))
            .collect();
        report("kill-test", &missing)
    }
}

fn rehearse(binary: &Path, folder: &Path, pipeline: Pipeline) -> Result<Part, Error> {
    let place = |folder| Place { binary, folder, with_settings: false };
    let twin = folder.join("twins").join(pipeline.name);
    pipeline.prepare(&twin)?;
    well(&pipeline, place(&twin).count("points.log")?)?;
    let run = Counts::read(&twin.join("points.log"))?;

    let timed = folder.join("timed").join(pipeline.name);
    pipeline.prepare(&timed)?;
    let started = Instant::now();
    well(&pipeline, place(&timed).go_on(None)?)?;
    let took = started.elapsed();

    let resumed = folder.join("resumed").join(pipeline.name);
    pipeline.prepare(&resumed)?;
    place(&resumed).go_on(Some(&middle(&run)))?;
    well(&pipeline, place(&resumed).count("points.log")?)?;
    let resume = Counts::read(&resumed.join("points.log"))?;

    let left = Snapshot::of(&twin)?;
    let rows = left.rows();
    Ok(Part { pipeline, run, resume, took, rows, left, explained: Explained::new(&twin) })
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
        Ended::Killed => Err(Error::format(pipeline.name, "somebody else killed it")),
        Ended::Badly(said) => Err(Error::format(pipeline.name, said)),
    }
}
