//! What `ELSPETH_FAULT` asks for is done here.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};

use crate::order::{Failing, Fault, Order};
use crate::{Call, Point, VARIABLE};

struct Armed {
    order: Order,
    /// Times that the point was reached at which the process is to end.
    reached: AtomicU64,
    /// The same of the point at which it is to stop.
    passed: AtomicU64,
    /// Calls so far, of the kind that is to fail.
    calls: AtomicU64,
    log: Option<File>,
}

/// None, when nothing was asked for.
fn armed() -> Option<&'static Armed> {
    static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
    ARMED.get_or_init(|| std::env::var(VARIABLE).ok().map(|text| prepare(&text))).as_ref()
}

fn prepare(text: &str) -> Armed {
    let order = Order::parse(text).unwrap_or_else(|why| refuse(&why));
    let log = order.count.as_ref().map(|path| {
        let file = OpenOptions::new().create(true).append(true).open(path);
        file.unwrap_or_else(|error| refuse(&format!("`{}`: {error}", path.display())))
    });
    Armed { order, reached: AtomicU64::new(0), passed: AtomicU64::new(0), calls: AtomicU64::new(0), log }
}

fn refuse(why: &str) -> ! {
    eprintln!("{VARIABLE}: {why}");
    std::process::exit(2)
}

pub(crate) fn is_armed() -> bool {
    armed().is_some()
}

pub(crate) fn reach(point: Point) {
    let Some(armed) = armed() else { return };
    armed.note(format_args!("point {point}"));
    if let Some((_, nth)) = armed.order.kill.filter(|(last, _)| *last == point)
        && armed.reached.fetch_add(1, Ordering::SeqCst) + 1 == nth
    {
        die();
    }
    if let Some((_, nth)) = armed.order.stop.filter(|(place, _)| *place == point)
        && armed.passed.fetch_add(1, Ordering::SeqCst) + 1 == nth
    {
        stop();
    }
}

/// The fault of a call that is to fail.
pub(crate) fn call(call: Call, path: &Path) -> Option<Fault> {
    let armed = armed()?;
    armed.note(format_args!("io {} {}", call.name(), path.display()));
    let Failing { nth, fault, call: only } = armed.order.fail?;
    let counts = only.is_none_or(|only| only == call);
    if !counts || armed.calls.fetch_add(1, Ordering::SeqCst) + 1 != nth {
        return None;
    }
    armed.note(format_args!("failed {} {}", call.name(), path.display()));
    Some(fault)
}

/// Nobody can tidy up after this, not even the process itself.
fn die() -> ! {
    let killed = kill_process(getpid(), Signal::KILL);
    // The signal ends the process before the call returns; if it could not be sent the test must not go on either.
    killed.unwrap_or_else(|error| refuse(&format!("cannot kill this process: {error}")));
    loop {
        std::thread::park();
    }
}

/// Longer than it takes to stop all threads.
const STOPPING: Duration = Duration::from_millis(100);

/// All threads stand still until somebody sends SIGCONT.
fn stop() {
    let stopped = kill_process(getpid(), Signal::STOP);
    stopped.unwrap_or_else(|error| refuse(&format!("cannot stop this process: {error}")));
    // Another thread may be the one that gets the signal; it stops this one too, but not at once.
    std::thread::park_timeout(STOPPING);
}

impl Armed {
    /// One write a line: lines of several threads and processes do not mix.
    fn note(&self, line: std::fmt::Arguments<'_>) {
        let Some(mut log) = self.log.as_ref() else { return };
        if let Err(error) = log.write_all(format!("{line}\n").as_bytes()) {
            refuse(&format!("cannot count: {error}"));
        }
    }
}
