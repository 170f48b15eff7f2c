//! Which runs may be purged.

use elspeth_contracts::{Micros, RunStatus};

use super::PurgeCandidate;

/// A day in microseconds.
const DAY: i64 = 86_400_000_000;

/// What somebody asks of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PurgeRule {
    /// Whether the run was named, so that it may be one that could still be resumed.
    pub by_name: bool,
    /// It must have ended as long ago; `None` when its age does not matter.
    pub older_than_days: Option<u32>,
}

/// What may be done with a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PurgeVerdict {
    /// Its bodies may go.
    Purge,
    /// Its bodies may go, but it cannot be resumed then.
    PurgeForGood,
    /// It has no bodies (any more).
    Nothing,
    /// It ended too short ago.
    Younger,
    /// It did not complete: whoever resumes it needs its bodies.
    Resumable,
    /// Its owner is alive.
    Alive,
}

impl PurgeRule {
    /// What may be done with a run at that time; `alive` says whether the owner of a run that is `running` may still be there.
    #[must_use]
    pub fn verdict(&self, run: &PurgeCandidate, alive: bool, now: Micros) -> PurgeVerdict {
        let ended = run.completed_at.unwrap_or(run.heartbeat_at);
        let young = |days: u32| now.since(ended) < i64::from(days) * DAY;
        let verdict = match run.status {
            RunStatus::Running if alive => return PurgeVerdict::Alive,
            RunStatus::Completed => PurgeVerdict::Purge,
            RunStatus::Running | RunStatus::Failed | RunStatus::Interrupted if self.by_name => {
                PurgeVerdict::PurgeForGood
            }
            RunStatus::Running | RunStatus::Failed | RunStatus::Interrupted => PurgeVerdict::Resumable,
        };
        match run.blocks {
            0 => PurgeVerdict::Nothing,
            _ if self.older_than_days.is_some_and(young) => PurgeVerdict::Younger,
            _ => verdict,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Micros = Micros(100 * DAY);

    fn run(status: RunStatus, days_ago: i64) -> PurgeCandidate {
        let at = Micros(NOW.0 - days_ago * DAY);
        PurgeCandidate {
            run_no: 1,
            run_id: "01JZ8Q4Z8N5X2V7K3M9T0B6C1D".parse().unwrap(),
            status,
            completed_at: (status != RunStatus::Running).then_some(at),
            heartbeat_at: at,
            owner: String::new(),
            settings: String::new(),
            blocks: 1,
            block_bytes: 10,
        }
    }

    #[test]
    fn completed_runs_go_by_age_and_others_by_name_alone() {
        use PurgeVerdict::{Purge, PurgeForGood, Resumable, Younger};
        use RunStatus::{Completed, Failed, Interrupted, Running};
        let by_age = PurgeRule { by_name: false, older_than_days: Some(30) };
        let by_name = PurgeRule { by_name: true, older_than_days: None };
        let by_both = PurgeRule { by_name: true, older_than_days: Some(30) };
        for (status, days, expected) in [
            (Completed, 31, [Purge, Purge, Purge]),
            (Completed, 30, [Purge, Purge, Purge]),
            (Completed, 29, [Younger, Purge, Younger]),
            (Completed, -1, [Younger, Purge, Younger]),
            (Failed, 31, [Resumable, PurgeForGood, PurgeForGood]),
            (Interrupted, 31, [Resumable, PurgeForGood, PurgeForGood]),
            (Running, 31, [Resumable, PurgeForGood, PurgeForGood]),
            (Interrupted, 3, [Younger, PurgeForGood, Younger]),
        ] {
            let found = [by_age, by_name, by_both].map(|rule| rule.verdict(&run(status, days), false, NOW));
            assert_eq!(found, expected, "{status} {days} days ago");
        }
    }

    #[test]
    fn a_live_run_never_goes_and_an_empty_one_need_not() {
        let any = PurgeRule { by_name: true, older_than_days: Some(0) };
        assert_eq!(any.verdict(&run(RunStatus::Running, 0), true, NOW), PurgeVerdict::Alive);
        assert_eq!(any.verdict(&run(RunStatus::Running, 0), false, NOW), PurgeVerdict::PurgeForGood);
        let ended = run(RunStatus::Completed, 0);
        assert_eq!(any.verdict(&ended, true, NOW), PurgeVerdict::Purge, "only a running run is alive");
        for status in RunStatus::ALL {
            let empty = PurgeCandidate { blocks: 0, ..run(*status, 50) };
            assert_eq!(any.verdict(&empty, false, NOW), PurgeVerdict::Nothing);
        }
    }
}
