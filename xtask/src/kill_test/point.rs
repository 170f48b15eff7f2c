//! One point: a run that is killed, resumed until it is complete, and compared with its twin.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::chance::Chance;
use super::compare::Snapshot;
use super::course::{Course, Kill};
use super::journal;
use super::process::{Ended, Place};
use super::rehearsal::Rehearsal;
use crate::error::Error;

/// What all points share.
pub(super) struct Points<'a> {
    pub(super) rehearsal: &'a Rehearsal,
    pub(super) folder: &'a Path,
    pub(super) seed: u64,
}

/// What became of one point.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Kills that happened, first that of the first process.
    pub(super) killed: Vec<Kill>,
    /// Kills that the process did not live to see, because it was done before.
    pub(super) missed: Vec<Kill>,
}

/// A run that did not come to what its twin came to.
pub(super) struct Failure {
    seed: u64,
    number: u64,
    pipeline: &'static str,
    kills: Vec<Kill>,
    folder: PathBuf,
    what: String,
}

impl Points<'_> {
    /// Takes one point. Its folder stays only when it failed.
    pub(super) fn take(&self, number: u64) -> Result<Taken, Failure> {
        let course = Course::draw(self.rehearsal, &mut Chance::new(self.seed, number));
        let folder = self.folder.join("points").join(number.to_string());
        let took = self.live_through(&course, &folder);
        let took = took.unwrap_or_else(|error| Err(error.to_string())).and_then(|taken| {
            fs::remove_dir_all(&folder).map_err(|error| error.to_string())?;
            Ok(taken)
        });
        took.map_err(|what| Failure {
            seed: self.seed,
            number,
            pipeline: course.part.pipeline.name,
            kills: course.kills,
            folder,
            what,
        })
    }

    fn live_through(&self, course: &Course<'_>, folder: &Path) -> Result<Result<Taken, String>, Error> {
        course.part.pipeline.prepare(folder)?;
        let place = Place { binary: &self.rehearsal.binary, folder, with_settings: course.with_settings };
        let mut taken = Taken::default();
        let mut kills = course.kills.iter();
        loop {
            let kill = kills.next();
            match (place.go_on(kill)?, kill) {
                (Ended::Killed, Some(kill)) => taken.killed.push(*kill),
                (Ended::Killed, None) => return Ok(Err("somebody else killed it".to_owned())),
                (Ended::Badly(said), _) if completed_already(&said) => break,
                (Ended::Badly(said), _) => return Ok(Err(said)),
                (Ended::Well, kill) => {
                    taken.missed.extend(kill);
                    break;
                }
            }
        }
        let differs = Snapshot::of(folder)?.first_difference(&course.part.left);
        let differs = match differs {
            Some(difference) => Some(difference),
            None => match journal::difference(&self.rehearsal.binary, folder)? {
                Some(difference) => Some(difference),
                None => course.part.explained.difference(&self.rehearsal.binary, folder, course.row)?,
            },
        };
        let differs = match differs {
            Some(difference) => Some(difference),
            None => place.wrong()?,
        };
        Ok(differs.map_or(Ok(taken), Err))
    }
}

/// A run that was killed after its last transaction has nothing to resume, and is as good as any.
fn completed_already(said: &str) -> bool {
    said.contains("is completed")
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, number, pipeline, kills, folder, what } = self;
        let kills: Vec<String> = kills.iter().map(Kill::to_string).collect();
        writeln!(
            f,
            "\nFAILED: point {number} of seed {seed}, pipeline `{pipeline}`, kills: {}",
            kills.join(", ")
        )?;
        writeln!(f, "  {}", what.trim_end().replace('\n', "\n  "))?;
        writeln!(f, "  kept: {}", folder.display())?;
        write!(f, "  again: cargo xtask kill-test --seed {seed} --only {number}")
    }
}
