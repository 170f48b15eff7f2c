//! The thread that looks, and what it looks at.

use std::cell::OnceCell;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::{Phase, VARIABLE};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(1);
/// A thread that is at no phase.
const NONE: u8 = u8::MAX;

/// A thread that has been at a phase.
struct Watched {
    at: Arc<AtomicU8>,
    /// Its CPU time in nanoseconds, first of three numbers (`proc_pid_schedstat(5)`); gone when the thread is.
    schedstat: File,
    seen_ns: u64,
}

#[derive(Default)]
struct Seen {
    threads: Vec<Watched>,
    /// Nanoseconds of each phase.
    sums: [u64; Phase::ALL.len()],
    begun: bool,
}

static SEEN: Mutex<Option<Seen>> = Mutex::new(None);
static OVER: AtomicBool = AtomicBool::new(false);

thread_local! {
    static AT: OnceCell<Arc<AtomicU8>> = const { OnceCell::new() };
}

/// Gives back the phase before.
pub(crate) fn begin(phase: u8) -> u8 {
    AT.with(|at| at.get_or_init(watch).swap(phase, Ordering::Relaxed))
}

/// Goes back to the phase before. A thread that is at none then may be gone before the next look, so it is looked at now.
pub(crate) fn leave(before: u8) {
    AT.with(|at| {
        let at = at.get_or_init(watch);
        if before == NONE {
            // The kernel brings the number up to date when it chooses who runs.
            std::thread::yield_now();
            if let Some(seen) = seen().as_mut() {
                seen.look_at(at);
            }
        }
        at.store(before, Ordering::Relaxed);
    });
}

/// Lets this thread be looked at from now on.
fn watch() -> Arc<AtomicU8> {
    let at = Arc::new(AtomicU8::new(NONE));
    let Ok(schedstat) = File::open("/proc/thread-self/schedstat") else { return at };
    let Ok(seen_ns) = cpu_ns(&schedstat) else { return at };
    let mut seen = seen();
    let seen = seen.get_or_insert_default();
    seen.threads.push(Watched { at: Arc::clone(&at), schedstat, seen_ns });
    if !seen.begun {
        seen.begun = std::thread::Builder::new().spawn(look_on).is_ok();
    }
    at
}

fn seen() -> MutexGuard<'static, Option<Seen>> {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn look_on() {
    while !OVER.load(Ordering::Relaxed) {
        std::thread::sleep(PAUSE);
        if let Some(seen) = seen().as_mut() {
            seen.look();
        }
    }
}

impl Seen {
    fn look(&mut self) {
        let Self { threads, sums, .. } = self;
        threads.retain_mut(|thread| thread.book(sums));
    }

    fn look_at(&mut self, at: &Arc<AtomicU8>) {
        let Self { threads, sums, .. } = self;
        if let Some(thread) = threads.iter_mut().find(|thread| Arc::ptr_eq(&thread.at, at)) {
            thread.book(sums);
        }
    }
}

impl Watched {
    /// Adds what the thread has used since the last look to the sum of its phase; whether there still is a thread.
    fn book(&mut self, sums: &mut [u64; Phase::ALL.len()]) -> bool {
        let Ok(now) = cpu_ns(&self.schedstat) else { return false };
        let at = self.at.load(Ordering::Relaxed);
        if let Some(sum) = sums.get_mut(usize::from(at)) {
            *sum += now.saturating_sub(self.seen_ns);
        }
        self.seen_ns = now;
        true
    }
}

fn cpu_ns(schedstat: &File) -> io::Result<u64> {
    let mut bytes = [0; 80];
    let length = schedstat.read_at(&mut bytes, 0)?;
    let text = std::str::from_utf8(&bytes[..length]).unwrap_or_default();
    let number = text.split(' ').next().and_then(|number| number.parse().ok());
    number.ok_or_else(|| io::Error::other("schedstat begins with a number"))
}

pub(crate) fn report() -> io::Result<()> {
    OVER.store(true, Ordering::Relaxed);
    let Some(path) = std::env::var_os(VARIABLE) else { return Ok(()) };
    let mut seen = seen();
    let seen = seen.get_or_insert_default();
    seen.look();
    let lines = Phase::ALL.iter().zip(seen.sums).map(|(phase, ns)| format!("{} {ns}\n", phase.name()));
    fs::write(path, lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use crate::{Phase, within};

    use super::*;

    /// Uses the processor until this thread has had it for so long.
    fn work_for(ms: u64) {
        let file = File::open("/proc/thread-self/schedstat").unwrap();
        let (from, started) = (cpu_ns(&file).unwrap(), Instant::now());
        while cpu_ns(&file).unwrap() - from < ms * 1_000_000 {
            std::thread::yield_now();
            assert!(started.elapsed() < Duration::from_secs(60), "this thread gets no time");
        }
    }

    #[test]
    fn time_is_booked_under_the_innermost_phase() {
        let worker = std::thread::spawn(|| {
            within(Phase::Decide, || {
                work_for(40);
                within(Phase::Hash, || work_for(200));
            });
        });
        worker.join().unwrap();
        let sums = seen().as_ref().unwrap().sums.map(|ns| ns / 1_000_000);
        let [sense, decide, _, hash, ..] = sums;
        assert_eq!(sense, 0);
        assert!(hash >= 150 && decide < hash, "{sums:?}");
        assert!((200..400).contains(&(decide + hash)), "{sums:?}");
    }
}
