//! Who writes a run, and whether they are still there.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use elspeth_contracts::{Micros, RunStatus};
use elspeth_landscape::RunRecord;
use rustix::process::{Pid, getpid, test_kill_process};

/// A silence after which the owner of a run counts as gone, if nothing says so before. One that lives shows it at least
/// every other second, but for the time in which SQLite counts whether all rows are accounted for, before outputs are published.
const LEASE_US: i64 = 60_000_000;

/// Owners that are at work in this process.
static AT_WORK: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

fn at_work() -> MutexGuard<'static, BTreeSet<String>> {
    AT_WORK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Somebody who writes a run, until dropped. A program that embeds this one lives on after a run whose end could not be recorded,
/// and may take it up then.
pub(crate) struct Tenure {
    owner: String,
}

impl Tenure {
    pub(crate) fn begin() -> Self {
        let owner = owner();
        at_work().insert(owner.clone());
        Self { owner }
    }

    /// Who holds the lease of the run.
    pub(crate) fn owner(&self) -> &str {
        &self.owner
    }
}

impl Drop for Tenure {
    fn drop(&mut self) {
        at_work().remove(&self.owner);
    }
}

/// Host, process, what tells the process from others with its number, and a random part.
fn owner() -> String {
    let process = getpid();
    let mark = Mark::of(process).map_or(String::new(), |mark| format!("{mark}-"));
    let process = process.as_raw_nonzero();
    format!("{}:{process}:{mark}{}", host(), ulid::Ulid::new())
}

/// Whether nobody writes the run: it was ended, its process is no more, or it has been silent for too long.
pub(crate) fn is_free(run: &RunRecord, now: Micros) -> bool {
    run.status != RunStatus::Running || is_gone(&run.owner, run.heartbeat_at, now)
}

/// Whether the owner of a run that is `running` is no more; or has been silent for too long, where nothing is known of its process.
pub(crate) fn is_gone(owner: &str, heartbeat_at: Micros, now: Micros) -> bool {
    match standing(owner) {
        Standing::Alive => false,
        Standing::Gone => true,
        Standing::Unknown => now.0.saturating_sub(heartbeat_at.0) > LEASE_US,
    }
}

/// What is known of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It is there, however long it has been silent: it may be suspended, and would write on.
    Alive,
    Gone,
    /// It is not of this machine, or cannot be seen from here.
    Unknown,
}

/// What tells a process from others with its number.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mark {
    /// The system's since it was started, and the numbers of which processes are meant: containers have their own.
    place: String,
    /// When the process began, in ticks of the system's clock.
    began: String,
}

impl Mark {
    fn of(process: Pid) -> Option<Self> {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let numbers = std::fs::read_link("/proc/self/ns/pid").ok()?;
        let numbers: String = numbers.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
        let place = format!("{}.{numbers}", boot.get(..8)?);
        Some(Self { place, began: stat(process)?.get(STARTED)?.clone() })
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '-');
        let (place, began, _) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self { place: place.to_owned(), began: began.to_owned() })
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.place, self.began)
    }
}

fn standing(owner: &str) -> Standing {
    let mut parts = owner.rsplitn(3, ':');
    let (Some(mark), Some(process), Some(of_host)) = (parts.next(), parts.next(), parts.next()) else {
        return Standing::Unknown;
    };
    let Some(process) = process.parse().ok().and_then(Pid::from_raw).filter(|_| of_host == host()) else {
        return Standing::Unknown;
    };
    match (Mark::read(mark), Mark::of(getpid())) {
        (Some(then), Some(here)) if then.place != here.place => Standing::Unknown,
        (Some(then), Some(here)) if process == getpid() && then == here && !at_work().contains(owner) => {
            Standing::Gone
        }
        (Some(then), Some(_)) => seen(&then, Mark::of(process).as_ref(), has_ended(process)),
        // Another process may have its number by now; then only its silence shows that it is gone.
        (None, _) | (_, None) => seen_only(has_ended(process)),
    }
}

/// What a process is, whose number is that of one which had a mark.
fn seen(then: &Mark, now: Option<&Mark>, has_ended: bool) -> Standing {
    match now {
        Some(_) if has_ended => Standing::Gone,
        Some(now) if now == then => Standing::Alive,
        Some(_) => Standing::Gone,
        // The system may hide what processes of others are (`hidepid`).
        None => seen_only(has_ended),
    }
}

fn seen_only(has_ended: bool) -> Standing {
    if has_ended { Standing::Gone } else { Standing::Unknown }
}

fn has_ended(process: Pid) -> bool {
    test_kill_process(process) == Err(rustix::io::Errno::SRCH) || is_zombie(process)
}

/// A process that was killed has its number until its parent asks, which the first process of a container may never do.
fn is_zombie(process: Pid) -> bool {
    stat(process).is_some_and(|fields| fields.first().is_some_and(|state| state == "Z" || state == "X"))
}

/// Where a process says when it began, among [`stat`].
const STARTED: usize = 19;

/// What the system says of a process, from its state on; see proc(5).
fn stat(process: Pid) -> Option<Vec<String>> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero())).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}

fn host() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG_AGO: (Micros, Micros) = (Micros(0), Micros(10 * LEASE_US));

    #[test]
    fn this_process_lives_however_silent_it_was_and_one_that_ended_does_not() {
        let tenure = Tenure::begin();
        assert_eq!(standing(tenure.owner()), Standing::Alive);
        assert!(!is_gone(tenure.owner(), LONG_AGO.0, LONG_AGO.1));
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let process = Pid::from_child(&child);
        let owner = format!("{}:{}:{}-x", host(), child.id(), Mark::of(process).unwrap());
        assert_eq!(standing(&owner), Standing::Alive);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(standing(&owner), Standing::Gone);
    }

    #[test]
    fn a_tenure_of_this_process_ends_though_the_process_goes_on() {
        let tenure = Tenure::begin();
        let owner = tenure.owner().to_owned();
        drop(tenure);
        assert_eq!(standing(&owner), Standing::Gone);
    }

    #[test]
    fn another_process_with_the_number_is_not_the_owner() {
        let Mark { place, began } = Mark::of(getpid()).unwrap();
        let owner = |mark: Mark| format!("{}:{}:{mark}-x", host(), std::process::id());
        let before = Mark { began: began.clone() + "0", place: place.clone() };
        assert_eq!(standing(&owner(before)), Standing::Gone);
        let elsewhere = owner(Mark { place: place + "0", began });
        assert_eq!(
            standing(&elsewhere),
            Standing::Unknown,
            "another container, or before the machine was started"
        );
        assert!(is_gone(&elsewhere, LONG_AGO.0, LONG_AGO.1));
    }

    #[test]
    fn a_process_that_is_hidden_is_not_taken_for_one_that_ended() {
        let then = Mark::of(getpid()).unwrap();
        assert_eq!(seen(&then, None, false), Standing::Unknown);
        assert_eq!(seen(&then, None, true), Standing::Gone);
        assert_eq!(seen(&then, Some(&then), true), Standing::Gone);
    }

    #[test]
    fn an_owner_without_a_mark_is_gone_with_the_process_or_after_a_silence() {
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let owner = format!("{}:{}:x", host(), child.id());
        assert_eq!(standing(&owner), Standing::Unknown);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(standing(&owner), Standing::Gone);
    }

    #[test]
    fn nothing_is_known_of_other_machines_and_of_what_is_no_owner() {
        for owner in ["elsewhere:999999:x", "", "a:b", "a:b:c"] {
            assert_eq!(standing(owner), Standing::Unknown, "{owner}");
        }
    }
}
