//! One point: a run that is killed, resumed until it is complete, and compared with its twin.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::chance::Chance;
use super::compare::Snapshot;
use super::course::{Course, Kill};
use super::journal;
use super::kept::Keeping;
use super::process::{Ended, Place};
use super::rehearsal::Rehearsal;
use crate::error::Error;

/// What all points share.
pub(super) struct Points<'a> {
    pub(super) rehearsal: &'a Rehearsal<'a>,
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
    /// Processes whose server went away, and that went on when it was there again.
    pub(super) lived_on: u64,
    /// Those that said that it is gone, and ended.
    pub(super) gave_up: u64,
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
    pub(super) fn take(&self, number: u64, keeping: Keeping<'_>) -> Result<Taken, Failure> {
        let course = Course::draw(self.rehearsal, &mut Chance::new(self.seed, number));
        let folder = self.folder.join("points").join(number.to_string());
        let took = self.live_through(&course, &folder, keeping);
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

    fn live_through(
        &self,
        course: &Course<'_>,
        folder: &Path,
        keeping: Keeping<'_>,
    ) -> Result<Result<Taken, String>, Error> {
        course.part.pipeline.prepare(folder)?;
        let kept = keeping.one();
        let place =
            Place { binary: &self.rehearsal.binary, folder, kept, with_settings: course.with_settings };
        let mut taken = Taken::default();
        let mut kills = course.kills.iter();
        loop {
            let kill = kills.next();
            match (place.go_on(kill)?, kill) {
                (Ended::Killed, Some(kill)) => {
                    taken.killed.push(*kill);
                    if let Some(accusation) = place.accused()? {
                        return Ok(Err(accusation));
                    }
                }
                (Ended::LivedOn, Some(kill)) => {
                    taken.killed.push(*kill);
                    taken.lived_on += 1;
                    break;
                }
                (Ended::GaveUp, Some(kill)) => {
                    taken.killed.push(*kill);
                    taken.gave_up += 1;
                }
                (Ended::Killed | Ended::LivedOn | Ended::GaveUp, None) => {
                    return Ok(Err("somebody else killed it".to_owned()));
                }
                (Ended::Badly(said), _) if completed_already(&said) => break,
                (Ended::Badly(said), _) => return Ok(Err(said)),
                (Ended::Well, kill) => {
                    taken.missed.extend(kill);
                    break;
                }
            }
        }
        Ok(difference(course, &place)?.map_or(Ok(taken), Err)).inspect(|_| place.kept.forget())
    }
}

/// The first thing in which a run is not as its twin.
fn difference(course: &Course<'_>, place: &Place<'_>) -> Result<Option<String>, Error> {
    let part = course.part;
    if let Some(difference) = Snapshot::of(place.folder, &place.kept)?.first_difference(&part.left) {
        return Ok(Some(difference));
    }
    if let Some(difference) = journal::difference(place)? {
        return Ok(Some(difference));
    }
    match part.explained.difference(place, course.row)? {
        Some(difference) => Ok(Some(difference)),
        None => place.wrong(),
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
