//! Counting while a run goes on, so that little is left to be counted at its end.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use elspeth_phases::{Phase, within};
use rusqlite::Connection;

use crate::connect;
use crate::tally::{Stretch, Tally};

/// Rows of which one stretch has at least: the fewer, the less is left at the end of a run; the more, the less often the
/// counting begins. So it is an eighth of those before it, within bounds.
const STRETCH: RangeInclusive<i64> = 1024..=4096;

/// A thread that counts rows once what became of them is durable. It has a connection of its own.
pub(crate) struct BackgroundCount {
    /// Rows that the thread was told of.
    told: i64,
    orders: Sender<i64>,
    thread: JoinHandle<rusqlite::Result<Counted>>,
}

/// What a thread has counted.
pub(crate) struct Counted {
    pub(crate) tally: Tally,
    /// Stretches that are to be counted at the end, because tokens of theirs were still under way.
    pub(crate) again: Vec<Stretch>,
}

impl BackgroundCount {
    /// Tells the thread that all rows before `row` are done; begins it with the first of them. Without one everything is counted at
    /// the end.
    pub(crate) fn rows_done(
        background: &mut Option<Self>,
        row: i64,
        of_run: impl FnOnce() -> (PathBuf, i64),
    ) {
        let told = background.as_ref().map_or(0, |background| background.told);
        if row - told < (told / 8).clamp(*STRETCH.start(), *STRETCH.end()) {
            return;
        }
        if background.is_none() {
            *background = Self::begin(of_run());
        }
        let Some(background) = background else { return };
        background.told = row;
        // A thread that has ended failed, which its result says at the end.
        let _ = background.orders.send(row);
    }

    /// `None` where no thread can be made.
    fn begin((path, run_no): (PathBuf, i64)) -> Option<Self> {
        let (orders, inbox) = channel();
        let count = move || within(Phase::Record, || count(&connect::counter(&path)?, run_no, &inbox));
        let thread = std::thread::Builder::new().spawn(count).ok()?;
        Some(Self { told: 0, orders, thread })
    }

    /// Waits for what is being counted. `None` when something went wrong: then everything has to be counted at the end.
    pub(crate) fn finish(self) -> Option<Counted> {
        drop(self.orders);
        self.thread.join().ok()?.ok()
    }
}

impl Default for Counted {
    /// Nothing.
    fn default() -> Self {
        Self { tally: Tally::default(), again: vec![Stretch::ALL] }
    }
}

/// Counts the rows up to each number that comes. What is left of a stretch from the first row that is still under way gets
/// a second try with the next.
fn count(connection: &Connection, run_no: i64, inbox: &Receiver<i64>) -> rusqlite::Result<Counted> {
    let (mut tally, mut again) = (Tally::default(), Vec::new());
    let (mut from, mut waiting) = (0, None);
    while let Ok(first) = inbox.recv() {
        let to = inbox.try_iter().last().unwrap_or(first);
        if let Some(stretch) = waiting.take() {
            again.extend(count_one(connection, run_no, stretch, &mut tally)?);
        }
        waiting = count_one(connection, run_no, Stretch { from, to }, &mut tally)?;
        from = to;
    }
    again.extend(waiting);
    again.push(Stretch { from, to: i64::MAX });
    Ok(Counted { tally, again })
}

/// Gives back what is left of the stretch.
fn count_one(
    connection: &Connection,
    run_no: i64,
    stretch: Stretch,
    tally: &mut Tally,
) -> rusqlite::Result<Option<Stretch>> {
    let (counted, left) = Tally::of_finished(connection, run_no, stretch)?;
    tally.add(&counted);
    Ok(left)
}
