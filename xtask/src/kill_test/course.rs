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
    /// Maybe not at all: its server goes away, and comes back.
    Server { when: When, blow: Blow },
}

/// When a server goes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// When the process comes there for the nth time.
    At { point: Point, nth: u64 },
    /// After that time.
    After { wait: Duration },
}

/// How a server goes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blow {
    /// `pg_ctl stop -m immediate`; it is started again after that time, while the process goes on.
    Crash { away: Duration },
    /// The same, and the process is killed with SIGKILL while it is away.
    Both,
    /// SIGKILL for whoever serves the process; the server throws all others out, and recovers by itself.
    Backend,
}

/// One run's way.
pub(super) struct Course<'a> {
    pub(super) part: &'a Part<'a>,
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
    pub(super) fn draw(rehearsal: &'a Rehearsal<'a>, chance: &mut Chance) -> Self {
        let (part, mut kills) = if chance.one_in(BY_TIME) {
            let part = chance.of(&rehearsal.parts);
            (part, vec![by_time(part.took, chance)])
        } else {
            at_a_point(rehearsal, chance)
        };
        if rehearsal.keeping.has_server() {
            for kill in &mut kills {
                *kill = maybe_of_server(*kill, chance);
            }
        }
        while kills.len() < MOST_KILLS && chance.one_in(RESUMES_KILLED) {
            let kill = of_resume(part, chance);
            kills.push(if rehearsal.keeping.has_server() { maybe_of_server(kill, chance) } else { kill });
        }
        Self { part, kills, row: chance.below(part.rows), with_settings: chance.one_in(4) }
    }
}

/// Half of the kills are the server's, or both's; at the same place.
fn maybe_of_server(kill: Kill, chance: &mut Chance) -> Kill {
    const LONGEST_AWAY: u64 = 1_000_000;
    let when = match kill {
        Kill::At { point, nth } => When::At { point, nth },
        Kill::After { wait } => When::After { wait },
        Kill::Asked { .. } | Kill::Server { .. } => return kill,
    };
    if chance.one_in(2) {
        return kill;
    }
    let blow = match chance.below(4) {
        0 => Blow::Backend,
        1 => Blow::Both,
        2 => Blow::Crash { away: Duration::ZERO },
        _ => Blow::Crash { away: Duration::from_micros(chance.below(LONGEST_AWAY)) },
    };
    Kill::Server { when, blow }
}

/// A kill at a point that the run comes to, or else one that its resumption comes to, after a kill that makes one necessary.
fn at_a_point<'a>(rehearsal: &'a Rehearsal<'a>, chance: &mut Chance) -> (&'a Part<'a>, Vec<Kill>) {
    let points: Vec<Point> = rehearsal.points().collect();
    let point = *chance.of(&points);
    let reaching: Vec<&Part<'_>> = rehearsal.parts.iter().filter(|part| part.run.of(point) > 0).collect();
    if !reaching.is_empty() {
        let part = *chance.of(&reaching);
        return (part, vec![at(point, &part.run, chance)]);
    }
    let resumed: Vec<&Part<'_>> = rehearsal.parts.iter().filter(|part| part.resume.of(point) > 0).collect();
    let part = *chance.of(&resumed);
    let first = *chance.of(&part.run.reached());
    let kills = vec![at(first, &part.run, chance), at(point, &part.resume, chance)];
    (part, kills)
}

fn of_resume(part: &Part<'_>, chance: &mut Chance) -> Kill {
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

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At { point, nth } => write!(f, "at {point}:{nth}"),
            Self::After { wait } => write!(f, "after {:.1} ms", wait.as_secs_f64() * 1e3),
        }
    }
}

impl fmt::Display for Kill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At { point, nth } => write!(f, "{point}:{nth}"),
            Self::After { wait } => write!(f, "after {:.1} ms", wait.as_secs_f64() * 1e3),
            Self::Server { when, blow } => write!(f, "{blow:?} of the server {when}"),
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
