//! What happens to one run: which pipeline, and when its processes are killed.

use std::fmt;
use std::time::Duration;

use elspeth_faults::Point;

use super::chance::Chance;
use super::rehearsal::{Counts, Part, Rehearsal};

/// How one process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kill {
    /// When it comes there for the nth time.
    At { point: Point, nth: u64 },
    /// With SIGKILL from outside, after that time.
    After { wait: Duration },
    /// Asked to stop with SIGTERM, after that time; maybe asked again at once, which it must not wait for.
    Asked { wait: Duration, again: bool },
}

/// One run's way.
pub(super) struct Course<'a> {
    pub(super) part: &'a Part,
    /// One for each process, as long as there are some; the process after the last is left alone.
    pub(super) kills: Vec<Kill>,
    /// The row that is explained in the end.
    pub(super) row: u64,
    /// Whether it is resumed with the settings file instead of the record's settings.
    pub(super) with_settings: bool,
}

/// Processes of one run that are killed, at most.
const MOST_KILLS: usize = 4;
/// Of how many processes that resume one is killed.
const RESUMES_KILLED: u64 = 3;
/// Of how many kills one is by time.
const BY_TIME: u64 = 5;
/// Of how many kills by time one is none, but a request to stop.
const REQUESTS: u64 = 4;

impl<'a> Course<'a> {
    /// Draws one. Points of the program are drawn by name first, so that those that are reached once get as many kills as
    /// those that are reached for every row.
    pub(super) fn draw(rehearsal: &'a Rehearsal, chance: &mut Chance) -> Self {
        let (part, mut kills) = if chance.one_in(BY_TIME) {
            let part = chance.of(&rehearsal.parts);
            (part, vec![by_time(part.took, chance)])
        } else {
            at_a_point(rehearsal, chance)
        };
        while kills.len() < MOST_KILLS && chance.one_in(RESUMES_KILLED) {
            kills.push(of_resume(part, chance));
        }
        Self { part, kills, row: chance.below(part.rows), with_settings: chance.one_in(4) }
    }
}

/// A kill at a point that the run comes to, or else one that its resumption comes to, after a kill that makes one necessary.
fn at_a_point<'a>(rehearsal: &'a Rehearsal, chance: &mut Chance) -> (&'a Part, Vec<Kill>) {
    let points: Vec<Point> = Point::all().collect();
    let point = *chance.of(&points);
    let reaching: Vec<&Part> = rehearsal.parts.iter().filter(|part| part.run.of(point) > 0).collect();
    if !reaching.is_empty() {
        let part = *chance.of(&reaching);
        return (part, vec![at(point, &part.run, chance)]);
    }
    let resumed: Vec<&Part> = rehearsal.parts.iter().filter(|part| part.resume.of(point) > 0).collect();
    let part = *chance.of(&resumed);
    let first = *chance.of(&part.run.reached());
    let kills = vec![at(first, &part.run, chance), at(point, &part.resume, chance)];
    (part, kills)
}

fn of_resume(part: &Part, chance: &mut Chance) -> Kill {
    if chance.one_in(2) {
        return by_time(part.took / 2, chance);
    }
    let point = *chance.of(&part.resume.reached());
    at(point, &part.resume, chance)
}

fn at(point: Point, counts: &Counts, chance: &mut Chance) -> Kill {
    Kill::At { point, nth: 1 + chance.below(counts.of(point)) }
}

fn by_time(within: Duration, chance: &mut Chance) -> Kill {
    let micros = u64::try_from(within.as_micros()).unwrap_or(u64::MAX);
    let wait = Duration::from_micros(chance.below(micros));
    if chance.one_in(REQUESTS) { Kill::Asked { wait, again: chance.one_in(2) } } else { Kill::After { wait } }
}

impl fmt::Display for Kill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At { point, nth } => write!(f, "{point}:{nth}"),
            Self::After { wait } => write!(f, "after {:.1} ms", wait.as_secs_f64() * 1e3),
            Self::Asked { wait, again } => {
                write!(
                    f,
                    "SIGTERM{} after {:.1} ms",
                    if *again { " twice" } else { "" },
                    wait.as_secs_f64() * 1e3
                )
            }
        }
    }
}
