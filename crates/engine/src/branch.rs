//! Branches of forks that are to meet again, and what is known of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use elspeth_canonical::ContentHash;
use elspeth_contracts::{ErrorReason, FailureKind, Step, TokenKey};
use elspeth_executors::{BranchState, CoalesceExecutor, Judgement};
use elspeth_landscape::Corruption;
use elspeth_value::Row;

use crate::open::{EndedBuffer, MergeBuffer, WaitingBuffer, frames_buffer};

/// The branches that a token is on, the innermost first; only those that are to meet at a coalesce it can still reach.
pub(crate) type Frames = Option<Arc<Frame>>;

/// One branch of one fork of one token.
#[derive(Debug)]
pub(crate) struct Frame {
    /// The token that forked.
    pub(crate) fork: TokenKey,
    /// Where its branches meet.
    pub(crate) coalesce: Step,
    /// Which of the coalesce's branches this is.
    pub(crate) branch: u16,
    pub(crate) outer: Frames,
}

/// The frames of a stack, the innermost first.
pub(crate) fn each(mut frames: &Frames) -> impl Iterator<Item = &Arc<Frame>> {
    std::iter::from_fn(move || {
        let frame = frames.as_ref()?;
        frames = &frame.outer;
        Some(frame)
    })
}

/// The stack of those frames that are kept.
pub(crate) fn retain(frames: &Frames, keep: &impl Fn(&Frame) -> bool) -> Frames {
    let frame = frames.as_ref()?;
    let outer = retain(&frame.outer, keep);
    if !keep(frame) {
        return outer;
    }
    let same = match (&outer, &frame.outer) {
        (Some(new), Some(old)) => Arc::ptr_eq(new, old),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    if same {
        return Some(Arc::clone(frame));
    }
    Some(Arc::new(Frame { fork: frame.fork, coalesce: frame.coalesce, branch: frame.branch, outer }))
}

/// A token between two nodes, or at rest in one.
#[derive(Debug)]
pub(crate) struct Traveller {
    pub(crate) token: TokenKey,
    pub(crate) row: Row,
    /// Hash of `row`.
    pub(crate) hash: ContentHash,
    /// Whether no state of it tells the hash yet.
    pub(crate) fresh: bool,
    pub(crate) frames: Frames,
}

impl Traveller {
    /// The hash, when the token's next state must tell it; that state is about to be made.
    pub(crate) fn tell_hash(&mut self) -> Option<ContentHash> {
        std::mem::take(&mut self.fresh).then_some(self.hash)
    }
}

/// A branch at its coalesce.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) traveller: Traveller,
    /// When it came, by the monotonic clock.
    pub(crate) since_us: u64,
}

/// What ends the waiting of branches.
#[derive(Debug)]
pub(crate) struct Resolution {
    pub(crate) coalesce: Step,
    /// State of every branch, in settings order.
    pub(crate) branches: Vec<BranchState>,
    /// Those that are here, by branch.
    pub(crate) arrived: Vec<(usize, Waiting)>,
    /// Why they are not merged.
    pub(crate) failure: Option<ErrorReason>,
    /// Whether this is a branch that came after the end.
    pub(crate) late: bool,
}

/// Forks whose branches are under way.
#[derive(Debug, Default)]
pub(crate) struct Merges {
    groups: HashMap<(Step, TokenKey), Group>,
}

/// The branches of one fork that are to meet at one coalesce.
#[derive(Debug)]
struct Group {
    /// Tokens under way on each branch.
    live: Vec<u32>,
    lost: Vec<bool>,
    arrived: Vec<Option<Waiting>>,
    /// When the first branch came.
    opened_us: Option<u64>,
    ended: Option<Ended>,
}

/// How the waiting of branches ended.
#[derive(Debug)]
enum Ended {
    Merged,
    Failed {
        reason: ErrorReason,
        /// Whether a branch has told of it already.
        told: bool,
    },
}

impl Merges {
    /// One more token is on the branch.
    pub(crate) fn enter(&mut self, frame: &Frame, width: usize) {
        let group = self.groups.entry((frame.coalesce, frame.fork)).or_insert_with(|| Group::new(width));
        group.live[usize::from(frame.branch)] += 1;
    }

    /// One token less is on the branch; whether the branch is lost by that. A lost branch must then be told of by
    /// [`Merges::lose`].
    pub(crate) fn leave(&mut self, frame: &Frame) -> bool {
        let Some(group) = self.groups.get_mut(&(frame.coalesce, frame.fork)) else { return false };
        let branch = usize::from(frame.branch);
        group.one_less(branch);
        group.live[branch] == 0 && group.arrived[branch].is_none()
    }

    /// The branch cannot come any more.
    pub(crate) fn lose(&mut self, frame: &Frame, executor: &CoalesceExecutor) -> Option<Resolution> {
        let key = (frame.coalesce, frame.fork);
        let group = self.groups.get_mut(&key)?;
        group.lost[usize::from(frame.branch)] = true;
        self.decide(key, executor, false)
    }

    /// The branch has come.
    pub(crate) fn arrive(
        &mut self,
        frame: &Frame,
        traveller: Traveller,
        (now_us, executor): (u64, &CoalesceExecutor),
    ) -> Option<Resolution> {
        let key = (frame.coalesce, frame.fork);
        let branch = usize::from(frame.branch);
        let waiting = Waiting { traveller, since_us: now_us };
        let group = self.groups.entry(key).or_insert_with(|| Group::new(executor.width()));
        if group.ended.is_some() {
            let resolution = group.late((frame.coalesce, branch), waiting);
            self.leave(frame);
            self.forget(key);
            return Some(resolution);
        }
        group.arrived[branch] = Some(waiting);
        group.one_less(branch);
        group.opened_us.get_or_insert(now_us);
        self.decide(key, executor, false)
    }

    /// Merges of `coalesce` that have waited for `timeout` are decided with what is there, in the order of their forks.
    pub(crate) fn time_out(
        &mut self,
        (coalesce, timeout_us): (Step, u64),
        now_us: u64,
        executor: &CoalesceExecutor,
    ) -> Vec<Resolution> {
        let due = |group: &Group| {
            group.ended.is_none()
                && group.opened_us.is_some_and(|opened| now_us.saturating_sub(opened) >= timeout_us)
        };
        let mut keys: Vec<_> = self
            .groups
            .iter()
            .filter(|((step, _), group)| *step == coalesce && due(group))
            .map(|(key, _)| *key)
            .collect();
        keys.sort_unstable();
        keys.into_iter().filter_map(|key| self.decide(key, executor, true)).collect()
    }

    /// When the longest waiting merge began to wait.
    pub(crate) fn waiting_since(&self) -> Option<u64> {
        self.groups.values().filter(|group| group.ended.is_none()).filter_map(|group| group.opened_us).min()
    }

    fn decide(
        &mut self,
        key: (Step, TokenKey),
        executor: &CoalesceExecutor,
        timed_out: bool,
    ) -> Option<Resolution> {
        let group = self.groups.get_mut(&key).filter(|group| group.ended.is_none());
        let Some(group) = group else {
            self.forget(key);
            return None;
        };
        let branches = group.states();
        let failure = match executor.judge(&branches, timed_out) {
            Judgement::Wait => return None,
            Judgement::Merge => None,
            Judgement::Fail(reason) => Some(reason),
        };
        let arrived = group.arrived.iter_mut().enumerate();
        let arrived: Vec<_> = arrived.filter_map(|(branch, slot)| Some((branch, slot.take()?))).collect();
        group.ended = Some(match &failure {
            Some(reason) => Ended::Failed { reason: reason.clone(), told: !arrived.is_empty() },
            None => Ended::Merged,
        });
        self.forget(key);
        // Where nothing came, there is nothing to tell yet.
        (!arrived.is_empty()).then_some(Resolution {
            coalesce: key.0,
            branches,
            arrived,
            failure,
            late: false,
        })
    }

    /// Drops a group that ended and of which nothing is under way.
    fn forget(&mut self, key: (Step, TokenKey)) {
        let over = |group: &Group| group.ended.is_some() && group.live.iter().all(|live| *live == 0);
        if self.groups.get(&key).is_some_and(over) {
            self.groups.remove(&key);
        }
    }

    /// What is open, by coalesce and fork, as it is kept with the commit.
    pub(crate) fn buffers(&self, now_us: u64) -> Vec<MergeBuffer> {
        let mut open: Vec<_> = self.groups.iter().collect();
        open.sort_unstable_by_key(|(key, _)| **key);
        open.into_iter().map(|((_, fork), group)| group.buffer(*fork, now_us)).collect()
    }

    /// Takes up the branches of one fork.
    ///
    /// # Errors
    /// [`Corruption`] when a number in it cannot be.
    pub(crate) fn restore(
        &mut self,
        coalesce: Step,
        (stored, mut travellers): (MergeBuffer, BTreeMap<TokenKey, Traveller>),
        now_us: u64,
    ) -> Result<(), Corruption> {
        let mut waiting = |slot: WaitingBuffer| {
            let traveller = travellers.remove(&TokenKey::from_u64(slot.token)?)?;
            Some(Waiting { traveller, since_us: now_us.saturating_sub(slot.age_us) })
        };
        let arrived = stored.arrived.into_iter().map(|slot| match slot {
            Some(slot) => waiting(slot).map(Some),
            None => Some(None),
        });
        let arrived: Option<Vec<_>> = arrived.collect();
        let (Some(fork), Some(arrived)) = (TokenKey::from_u64(stored.fork), arrived) else {
            return Err(Corruption {
                table: "checkpoints",
                id: "the last one".to_owned(),
                what: format!("its buffers name impossible tokens of fork {}", stored.fork),
            });
        };
        let group = Group {
            live: stored.live,
            lost: stored.lost,
            arrived,
            opened_us: stored.age_us.map(|age| now_us.saturating_sub(age)),
            ended: stored.ended.map(|ended| match ended {
                EndedBuffer::Merged => Ended::Merged,
                EndedBuffer::Failed { reason, told } => Ended::Failed { reason, told },
            }),
        };
        self.groups.insert((coalesce, fork), group);
        Ok(())
    }
}

impl Group {
    /// A token that was counted is on the branch no more.
    ///
    /// # Panics
    /// When none was counted: a bug of the walk, which would merge too early or never.
    fn one_less(&mut self, branch: usize) {
        let live = self.live[branch].checked_sub(1);
        self.live[branch] = live.expect("who leaves a branch was counted when it entered");
    }

    fn buffer(&self, fork: TokenKey, now_us: u64) -> MergeBuffer {
        let age = |since: u64| now_us.saturating_sub(since);
        let waiting = |waiting: &Waiting| WaitingBuffer {
            token: waiting.traveller.token.get(),
            age_us: age(waiting.since_us),
            frames: frames_buffer(&waiting.traveller.frames),
        };
        MergeBuffer {
            fork: fork.get(),
            live: self.live.clone(),
            lost: self.lost.clone(),
            arrived: self.arrived.iter().map(|slot| slot.as_ref().map(waiting)).collect(),
            age_us: self.opened_us.map(age),
            ended: self.ended.as_ref().map(|ended| match ended {
                Ended::Merged => EndedBuffer::Merged,
                Ended::Failed { reason, told } => EndedBuffer::Failed { reason: reason.clone(), told: *told },
            }),
        }
    }

    fn new(width: usize) -> Self {
        Self {
            live: vec![0; width],
            lost: vec![false; width],
            arrived: (0..width).map(|_| None).collect(),
            opened_us: None,
            ended: None,
        }
    }

    /// A branch comes when all is over. The first one after a failure tells of it.
    fn late(&mut self, (coalesce, branch): (Step, usize), waiting: Waiting) -> Resolution {
        let (reason, late) = match &mut self.ended {
            Some(Ended::Failed { reason, told }) => (reason.clone(), std::mem::replace(told, true)),
            Some(Ended::Merged) | None => {
                let message = "the merge was over when this branch came";
                (ErrorReason::new(FailureKind::LateArrivalAfterMerge, message.to_owned()), true)
            }
        };
        let mut branches = self.states();
        branches[branch] = BranchState::Arrived;
        Resolution { coalesce, branches, arrived: vec![(branch, waiting)], failure: Some(reason), late }
    }

    fn states(&self) -> Vec<BranchState> {
        let state = |(arrived, lost): (&Option<Waiting>, &bool)| match (arrived, lost) {
            (Some(_), _) => BranchState::Arrived,
            (None, true) => BranchState::Lost,
            (None, false) => BranchState::Awaited,
        };
        self.arrived.iter().zip(&self.lost).map(state).collect()
    }
}

#[cfg(test)]
mod tests {
    use elspeth_contracts::RowIndex;

    use super::*;

    #[test]
    #[should_panic(expected = "who leaves a branch was counted when it entered")]
    fn a_token_that_leaves_a_branch_twice_stops_the_program() {
        let fork = TokenKey::of_row(RowIndex::new(0).unwrap(), 0).unwrap();
        let frame = Frame { fork, coalesce: Step::new(3).unwrap(), branch: 0, outer: None };
        let mut merges = Merges::default();
        merges.enter(&frame, 2);
        assert!(merges.leave(&frame));
        merges.leave(&frame);
    }
}
