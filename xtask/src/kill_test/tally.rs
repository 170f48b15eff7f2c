//! How many processes were killed where.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use elspeth_faults::Point;

use super::course::{Blow, Kill};
use super::point::Taken;

/// Sums over points.
#[derive(Default)]
pub(super) struct Tally {
    /// Points without a difference.
    pub(super) points: u64,
    /// Of first processes, and of those that resumed.
    at: BTreeMap<Point, (u64, u64)>,
    by_time: (u64, u64),
    asked: (u64, u64),
    /// Servers that crashed, servers that crashed with the process, processes of servers.
    servers: [(u64, u64); 3],
    lived_on: u64,
    gave_up: u64,
    missed: u64,
    unharmed: u64,
}

impl Tally {
    pub(super) fn add(&mut self, taken: &Taken) {
        self.points += 1;
        self.lived_on += taken.lived_on;
        self.gave_up += taken.gave_up;
        self.missed += taken.missed.len() as u64;
        self.unharmed += u64::from(taken.killed.is_empty());
        for (process, kill) in taken.killed.iter().enumerate() {
            let (first, later) = match kill {
                Kill::At { point, .. } => self.at.entry(*point).or_default(),
                Kill::After { .. } => &mut self.by_time,
                Kill::Asked { .. } => &mut self.asked,
                Kill::Server { blow: Blow::Crash { .. }, .. } => &mut self.servers[0],
                Kill::Server { blow: Blow::Both, .. } => &mut self.servers[1],
                Kill::Server { blow: Blow::Backend, .. } => &mut self.servers[2],
            };
            if process == 0 {
                *first += 1;
            } else {
                *later += 1;
            }
        }
    }

    /// Processes killed.
    pub(super) fn kills(&self) -> u64 {
        let both = |(first, later): &(u64, u64)| first + later;
        self.at.values().map(both).sum::<u64>()
            + self.servers.iter().chain([&self.by_time, &self.asked]).map(both).sum::<u64>()
    }

    /// A table for a terminal and for a page.
    pub(super) fn table(&self, took: Duration) -> String {
        let mut text = String::from("\n| killed at | first process | later ones |\n|---|---:|---:|\n");
        let mut line = |name: &str, (first, later): (u64, u64)| {
            writeln!(text, "| {name} | {first} | {later} |").expect("text takes everything");
        };
        for point in Point::all() {
            line(&format!("`{point}`"), self.at.get(&point).copied().unwrap_or_default());
        }
        line("a random time", self.by_time);
        line("a random time, asked by SIGTERM", self.asked);
        if self.servers.iter().any(|both| *both != (0, 0)) {
            line("the server, `pg_ctl stop -m immediate`", self.servers[0]);
            line("the server and the process", self.servers[1]);
            line("the server's process, SIGKILL", self.servers[2]);
            let Self { lived_on, gave_up, .. } = self;
            writeln!(
                text,
                "\nServers went away: {lived_on} processes went on with them, {gave_up} ended and said so"
            )
            .expect("text takes everything");
        }
        let Self { points, missed, unharmed, .. } = self;
        let (kills, seconds) = (self.kills(), took.as_secs_f64());
        write!(
            text,
            "\n{points} points like their twins in {seconds:.0} s, {kills} processes killed or stopped, {missed} done before they were to be killed \
             ({unharmed} points without any kill)"
        )
        .expect("text takes everything");
        text
    }
}
