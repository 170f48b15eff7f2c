//! Which walk made a record, and in which epoch.
//!
//! A token is made in the walk of its row, or in a release. It stays there unless it waits at a node across rows: what
//! happens to it from that node on is part of the release that lets it go, and of that release's epoch.

use std::collections::BTreeMap;

use elspeth_contracts::{
    BatchMemberRecord, EpochNo, Outcome, ReleaseRecord, RowIndex, Step, TokenKey, TokenOrigin,
};

use super::near::partition_near;
use super::scan::{EpochRecord, RecordScan, TokenRange};
use super::{Bad, Check, Ledger};
use crate::LandscapeError;
use crate::pending::{Pending, PendingOutcome};

/// Tokens that lie no further apart are read together: another query costs more than records of other epochs.
const GAP: u64 = 64 << 20;

/// One epoch, and where its records are.
#[derive(Debug)]
pub(super) struct Epoch {
    pub(super) record: EpochRecord,
    /// In the order of cause, step and number.
    pub(super) releases: Vec<ReleaseRecord>,
    /// Members that batches took in it.
    members: Vec<Taken>,
    /// Tokens; those of other epochs may be among them.
    pub(super) tokens: Vec<TokenRange>,
}

/// Members of one batch that follow each other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken {
    /// The position of the first among the members of all batches.
    from: usize,
    count: usize,
}

/// When on its token's way a record was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    Birth,
    /// When it comes to the node at this step, which may let it wait.
    Arrival(Step),
    /// When the node at this step is done with it.
    Visit(Step),
    End,
}

/// A token went on in a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Move {
    token: TokenKey,
    step: Step,
    release: u64,
}

/// How the ways of tokens are cut by walks and epochs.
#[derive(Debug)]
pub(super) struct Places {
    /// First rows of epochs that have rows, with the row after the last one and the epoch's position.
    rows: Vec<(u64, u64, usize)>,
    /// By number.
    releases: Vec<ReleaseRecord>,
    moves: Vec<Move>,
    /// Of all batches, by batch and ordinal.
    members: Vec<BatchMemberRecord>,
    epochs: usize,
}

impl Places {
    /// Reads what they follow from.
    pub(super) fn read(
        scan: &mut dyn RecordScan,
        records: Vec<EpochRecord>,
        crossing: bool,
        ledger: &mut Ledger,
    ) -> Result<(Self, Vec<Epoch>), LandscapeError> {
        let releases = scan.releases()?;
        let rows = records.iter().enumerate();
        let rows = rows.filter_map(|(at, e)| e.rows.map(|(first, last)| (first.get(), last.get() + 1, at)));
        let (rows, mut members) = (rows.collect(), Vec::new());
        scan.members(&mut |member| members.push(member))?;
        let mut places = Self { rows, releases, moves: Vec::new(), members, epochs: records.len() };
        let mut epochs: Vec<Epoch> = records.into_iter().map(Epoch::of).collect();
        places.read_moves(scan, crossing)?;
        if crossing {
            places.read_pending(scan, &epochs)?;
        }
        places.share_members(&mut epochs, ledger);
        places.fill(&mut epochs, ledger);
        Ok((places, epochs))
    }

    /// Whether any token ever waited.
    pub(super) fn is_simple(&self) -> bool {
        self.releases.is_empty() && self.moves.is_empty()
    }

    /// The walk in which a token was at a point of its way.
    pub(super) fn walk(&self, token: TokenKey, moment: Moment) -> TokenOrigin {
        if self.moves.is_empty() {
            return token.origin();
        }
        let (step, inclusive) = match moment {
            Moment::Birth => return token.origin(),
            Moment::Arrival(step) => (Some(step), false),
            Moment::Visit(step) => (Some(step), true),
            Moment::End => (None, true),
        };
        let before = |m: &Move| {
            let passed = step.is_none_or(|step| m.step < step || inclusive && m.step == step);
            m.token < token || m.token == token && passed
        };
        match self.moves[..partition_near(&self.moves, self.guess(token), before)].last() {
            Some(last) if last.token == token => TokenOrigin::Batch(last.release),
            Some(_) | None => token.origin(),
        }
    }

    /// The position of the epoch in which a walk is recorded; none when nothing tells it.
    pub(super) fn epoch(&self, walk: TokenOrigin) -> Option<usize> {
        match walk {
            TokenOrigin::Row(row) => {
                let (_, rows, _) = self.rows.last()?;
                // Epochs are mostly of the same size.
                let guess = u128::from(row.get()) * self.rows.len() as u128 / u128::from((*rows).max(1));
                let guess = usize::try_from(guess).unwrap_or(usize::MAX);
                let after = partition_near(&self.rows, guess, |(first, _, _)| *first <= row.get());
                let (_, end, at) = self.rows[..after].last()?;
                (row.get() < *end).then_some(*at)
            }
            TokenOrigin::Batch(number) => {
                let epoch = usize::try_from(self.release(number)?.epoch.0).ok()?;
                (epoch < self.epochs).then_some(epoch)
            }
        }
    }

    /// The releases that let a token go, in their order on its way.
    pub(super) fn releases_of(&self, token: TokenKey) -> impl Iterator<Item = u64> + '_ {
        let from = partition_near(&self.moves, self.guess(token), |m| m.token < token);
        self.moves[from..].iter().take_while(move |m| m.token == token).map(|m| m.release)
    }

    /// Where a token's moves are, if they are spread evenly: mostly all tokens of some rows wait, or one of so many.
    fn guess(&self, token: TokenKey) -> usize {
        let (Some(first), Some(last)) = (self.moves.first(), self.moves.last()) else { return 0 };
        let from_first = |token: TokenKey| token.get().saturating_sub(first.token.get());
        let all = u128::from(from_first(last.token)).max(1);
        let at = u128::from(from_first(token)) * self.moves.len() as u128 / all;
        usize::try_from(at).unwrap_or(usize::MAX)
    }

    pub(super) fn release(&self, number: u64) -> Option<&ReleaseRecord> {
        // Where none is missing, a number tells its place.
        let first = self.releases.first()?.number;
        let near = usize::try_from(number.checked_sub(first)?).ok().and_then(|at| self.releases.get(at));
        if near.is_some_and(|release| release.number == number) {
            return near;
        }
        let at = self.releases.binary_search_by_key(&number, |release| release.number).ok()?;
        Some(&self.releases[at])
    }

    /// What a walk's acts are ordered by.
    pub(super) fn cause(&self, walk: TokenOrigin) -> Option<(RowIndex, bool)> {
        match walk {
            TokenOrigin::Row(row) => Some((row, false)),
            TokenOrigin::Batch(number) => self.release(number).map(|release| (release.row, release.after)),
        }
    }

    /// A token that waited is a member of the batch that let it go, or a parent of what was made of it, or its outcome
    /// names the release in which its merge failed.
    fn read_moves(&mut self, scan: &mut dyn RecordScan, crossing: bool) -> Result<(), LandscapeError> {
        let mut moves = Vec::new();
        let mut add = |token: TokenKey, number: u64| {
            // What waits to the end is in no release.
            moves.extend(self.release(number).map(|r| Move { token, step: r.step, release: number }));
        };
        self.members.iter().for_each(|member| add(member.token, member.batch_no));
        // Without a release there is none that a merge across rows could have been in.
        if crossing && !self.releases.is_empty() {
            scan.merged(&mut |parent| match parent.token.origin() {
                // A child of a fork or an expansion in a release has its parent there, too.
                TokenOrigin::Batch(number) => add(parent.parent, number),
                TokenOrigin::Row(_) => {}
            })?;
            scan.failed_merges(&mut |outcome| {
                outcome.release().into_iter().for_each(|number| add(outcome.token, number));
            })?;
        }
        moves.sort_unstable();
        moves.dedup();
        self.moves = moves;
        Ok(())
    }

    /// Outcomes of epochs that were decided and not acted on are in their checkpoints yet. What cannot be read there is found
    /// when that is verified by its hash.
    fn read_pending(&mut self, scan: &mut dyn RecordScan, epochs: &[Epoch]) -> Result<(), LandscapeError> {
        let open: Vec<EpochNo> =
            epochs.iter().map(|e| &e.record).filter(|e| e.acted_at.is_none()).map(|e| e.epoch).collect();
        if open.is_empty() {
            return Ok(());
        }
        let checkpoints = scan.continuation()?.checkpoints.into_iter();
        for checkpoint in checkpoints.filter(|checkpoint| open.contains(&checkpoint.epoch)) {
            let Ok(pending) = Pending::read(&checkpoint.pending) else { continue };
            let failed = pending.settled.iter().filter_map(PendingOutcome::record);
            let failed = failed.filter(|outcome| outcome.outcome == Outcome::Failed);
            let moves = failed.filter_map(|outcome| {
                let release = self.release(outcome.release()?)?;
                Some(Move { token: outcome.token, step: release.step, release: release.number })
            });
            let moves: Vec<Move> = moves.collect();
            self.moves.extend(moves);
        }
        self.moves.sort_unstable();
        self.moves.dedup();
        Ok(())
    }

    /// Members are recorded when they are accepted, mostly in an epoch before the flush.
    fn share_members(&self, epochs: &mut [Epoch], ledger: &mut Ledger) {
        for (position, member) in self.members.iter().enumerate() {
            let arrival = self.release(member.batch_no).map_or(Moment::End, |r| Moment::Arrival(r.step));
            match self.epoch(self.walk(member.token, arrival)) {
                Some(at) => epochs[at].take_member(position),
                None => ledger.bad(
                    Check::Records,
                    Bad::exact("batch_members", ledger.names.member(member.batch_no, member.ordinal))
                        .what("it is a token that no epoch has"),
                ),
            }
        }
    }

    /// Members that an epoch took, by batch and ordinal.
    pub(super) fn taken<'a>(&'a self, epoch: &'a Epoch) -> impl Iterator<Item = &'a BatchMemberRecord> {
        epoch.members.iter().flat_map(|taken| &self.members[taken.from..taken.from + taken.count])
    }

    /// All members of a batch.
    pub(super) fn members_of(&self, batch_no: u64) -> &[BatchMemberRecord] {
        let from = self.members.partition_point(|member| member.batch_no < batch_no);
        let to = from + self.members[from..].partition_point(|member| member.batch_no == batch_no);
        &self.members[from..to]
    }

    /// Tells epochs where their releases and tokens are.
    fn fill(&self, epochs: &mut [Epoch], ledger: &mut Ledger) {
        for release in &self.releases {
            match usize::try_from(release.epoch.0).ok().and_then(|at| epochs.get_mut(at)) {
                Some(epoch) => epoch.releases.push(release.clone()),
                None => ledger.bad(
                    Check::Records,
                    Bad::exact("releases", format!("number {}", release.number))
                        .what(format!("it is of epoch {}, which does not exist", release.epoch.0)),
                ),
            }
        }
        let mut moved: BTreeMap<usize, Vec<TokenKey>> = BTreeMap::new();
        for m in &self.moves {
            let here = self.epoch(TokenOrigin::Batch(m.release));
            if let Some(at) = here.filter(|at| self.epoch(m.token.origin()) != Some(*at)) {
                moved.entry(at).or_default().push(m.token);
            }
        }
        for (at, epoch) in epochs.iter_mut().enumerate() {
            let single = |token: TokenKey| TokenRange { first: token, last: token };
            let mut ranges: Vec<_> = moved.remove(&at).into_iter().flatten().map(single).collect();
            ranges.extend(epoch.record.rows.map(|(first, last)| TokenRange {
                first: TokenOrigin::Row(first).tokens().0,
                last: TokenOrigin::Row(last).tokens().1,
            }));
            let walks = epoch.releases.iter().map(|release| TokenOrigin::Batch(release.number).tokens());
            ranges.extend(walks.map(|(first, last)| TokenRange { first, last }));
            ranges.sort_by_key(|range| range.first);
            epoch.tokens = joined(ranges);
            epoch.releases.sort_by_key(|release| (release.row, release.after, release.step, release.number));
        }
    }
}

/// Ranges that lie near each other are one; rows and releases never are.
fn joined(ranges: Vec<TokenRange>) -> Vec<TokenRange> {
    let mut joined: Vec<TokenRange> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last)
                if range.first.get() <= last.last.get().saturating_add(GAP)
                    && is_of_row(last.first) == is_of_row(range.first) =>
            {
                last.last = last.last.max(range.last);
            }
            Some(_) | None => joined.push(range),
        }
    }
    joined
}

fn is_of_row(token: TokenKey) -> bool {
    matches!(token.origin(), TokenOrigin::Row(_))
}

impl Epoch {
    fn of(record: EpochRecord) -> Self {
        Self { record, releases: Vec::new(), members: Vec::new(), tokens: Vec::new() }
    }

    pub(super) fn number(&self) -> EpochNo {
        self.record.epoch
    }

    fn take_member(&mut self, position: usize) {
        match self.members.last_mut() {
            Some(last) if last.from + last.count == position => last.count += 1,
            Some(_) | None => self.members.push(Taken { from: position, count: 1 }),
        }
    }
}
