//! Who writes a run, and whether they are still there.

use elspeth_contracts::{Micros, RunStatus};
use elspeth_landscape::RunRecord;
use rustix::process::{Pid, test_kill_process};

/// A silence after which the owner of a run counts as gone, if nothing says so before. One that lives shows it at least
/// every other second.
const LEASE_US: i64 = 60_000_000;

/// Host, process and a random part: who holds the lease of a run.
pub(crate) fn owner() -> String {
    format!("{}:{}:{}", host(), std::process::id(), ulid::Ulid::new())
}

/// Whether nobody writes the run: it was ended, its process is no more, or it has been silent for too long.
pub(crate) fn is_free(run: &RunRecord, now: Micros) -> bool {
    run.status != RunStatus::Running || is_gone(&run.owner, run.heartbeat_at, now)
}

/// Whether the owner of a run that is `running` is no more, or has been silent for too long.
pub(crate) fn is_gone(owner: &str, heartbeat_at: Micros, now: Micros) -> bool {
    process_is_gone(owner) || now.0.saturating_sub(heartbeat_at.0) > LEASE_US
}

/// What can be known about a process of this machine. Another process may have its number by now; then only its silence
/// shows that it is gone.
fn process_is_gone(owner: &str) -> bool {
    let mut parts = owner.rsplitn(3, ':').skip(1);
    let (Some(process), Some(of_host)) = (parts.next(), parts.next()) else { return false };
    let process = process.parse().ok().and_then(Pid::from_raw);
    of_host == host() && process.is_some_and(has_ended)
}

fn has_ended(process: Pid) -> bool {
    test_kill_process(process) == Err(rustix::io::Errno::SRCH) || is_zombie(process)
}

/// A process that was killed has its number until its parent asks, which the first process of a container may never do.
fn is_zombie(process: Pid) -> bool {
    let stat =
        std::fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero())).unwrap_or_default();
    let state = stat.rsplit(')').next().and_then(|rest| rest.trim_start().chars().next());
    matches!(state, Some('Z' | 'X'))
}

fn host() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_one_that_ended_does_not() {
        assert!(!process_is_gone(&owner()));
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let owner = format!("{}:{}:x", host(), child.id());
        assert!(!process_is_gone(&owner));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(process_is_gone(&owner));
    }

    #[test]
    fn nothing_is_known_of_other_machines_and_of_what_is_no_owner() {
        for owner in ["elsewhere:999999:x", "", "a:b", "a:b:c"] {
            assert!(!process_is_gone(owner), "{owner}");
        }
    }
}
