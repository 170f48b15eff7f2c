//! What the registry says of one run, compared with the run.

use std::collections::BTreeMap;
use std::ops::Range;

use elspeth_canonical::ContentHash;
use elspeth_contracts::{EpochNo, PurgeStatus, RunStatus};

use super::fold::TreesAt;
use super::ledger::{Bad, Check, Ledger};
use super::places::Epoch;
use super::scan::{PurgeRecord, RecordScan};
use crate::integrity::Registered;
use crate::registry::{Begun, Entry, Imported, PurgeRequested, Purged, RunHead, Sealed, TreeHead};
use crate::{LandscapeError, ResumptionRecord, RunRecord};

/// The entries about a run, in their order.
pub(super) struct Entered {
    entries: Vec<(u64, Entry)>,
    /// Numbers of those that cannot be read.
    unreadable: Vec<u64>,
    /// The last one of this database's own.
    pub(super) last: Option<u64>,
    /// Its first ones came with it from another database, whose numbers of purges are other ones.
    imported: bool,
    /// Which came with it, behind the one that says so.
    came: Vec<Range<usize>>,
}

/// Of the content and of the record.
type Roots = (Option<ContentHash>, Option<ContentHash>);

/// With what the entries are compared.
pub(super) struct Told<'a> {
    pub(super) run: &'a RunRecord,
    pub(super) registered: &'a Registered<'a>,
    pub(super) resumptions: &'a [ResumptionRecord],
    pub(super) purges: &'a [PurgeRecord],
    pub(super) epochs: &'a [Epoch],
    /// The trees after those epochs of which entries tell; none where they cannot be made again.
    pub(super) trees: &'a BTreeMap<EpochNo, Option<TreesAt>>,
    /// Records of every kind, as they were counted.
    pub(super) records: u64,
}

impl Entered {
    pub(super) fn read(scan: &mut dyn RecordScan) -> Result<Self, LandscapeError> {
        let (entries, came) = (Vec::new(), Vec::new());
        let mut entered = Self { entries, unreadable: Vec::new(), last: None, imported: false, came };
        for (number, text) in scan.entries()? {
            entered.last = Some(number);
            entered.add(number, &text);
        }
        Ok(entered)
    }

    /// An entry; where the run came from another database, with those that it had there.
    fn add(&mut self, number: u64, text: &str) {
        let Some(entry) = Entry::read(text) else { return self.unreadable.push(number) };
        let came = match &entry {
            Entry::Imported(imported) => imported.entries.clone(),
            Entry::Opened(_)
            | Entry::Begun(_)
            | Entry::TakenUp(_)
            | Entry::Head(_)
            | Entry::Sealed(_)
            | Entry::PurgeRequested(_)
            | Entry::Purged(_)
            | Entry::KeyAdded(_)
            | Entry::KeyRevoked(_) => Vec::new(),
        };
        self.imported |= !came.is_empty();
        let at = self.entries.len();
        self.entries.push((number, entry));
        came.iter().for_each(|text| self.add(number, text));
        if !came.is_empty() {
            self.came.push(at + 1..self.entries.len());
        }
    }

    /// Whether the run ran somewhere else, and not here since.
    pub(super) fn is_imported(&self) -> bool {
        let mut entries = self.entries.iter().enumerate();
        entries
            .any(|(at, (_, entry))| matches!(entry, Entry::Imported(_)) && !self.goes_on(self.behind(at).end))
    }

    /// The entries that came with the one at that position.
    fn behind(&self, at: usize) -> Range<usize> {
        self.came.iter().find(|came| came.start == at + 1).cloned().unwrap_or(at + 1..at + 1)
    }

    /// Whether the run was taken up from that position on.
    fn goes_on(&self, from: usize) -> bool {
        self.entries[from..].iter().any(|(_, entry)| matches!(entry, Entry::TakenUp(_)))
    }

    /// The roots that a run must have had when it was imported, where it went on later: those of its end until then.
    fn roots_then(&self, at: usize) -> Option<Roots> {
        let came = self.behind(at);
        if !self.goes_on(came.end) {
            return None;
        }
        let roots = |(_, entry): &(u64, Entry)| match entry {
            Entry::Sealed(sealed) => Some((Some(sealed.content_root), Some(sealed.record_root))),
            Entry::Begun(_) | Entry::TakenUp(_) => Some((None, None)),
            Entry::Opened(_)
            | Entry::Head(_)
            | Entry::PurgeRequested(_)
            | Entry::Purged(_)
            | Entry::KeyAdded(_)
            | Entry::KeyRevoked(_)
            | Entry::Imported(_) => None,
        };
        Some(self.entries[came].iter().rev().find_map(roots).unwrap_or_default())
    }

    /// Epochs of whose trees entries tell.
    pub(super) fn epochs(&self) -> impl Iterator<Item = EpochNo> {
        self.entries.iter().filter_map(|(_, entry)| match entry {
            Entry::Head(head) => Some(EpochNo(head.epoch)),
            Entry::Opened(_)
            | Entry::Begun(_)
            | Entry::TakenUp(_)
            | Entry::Sealed(_)
            | Entry::PurgeRequested(_)
            | Entry::Purged(_)
            | Entry::KeyAdded(_)
            | Entry::KeyRevoked(_)
            | Entry::Imported(_) => None,
        })
    }

    pub(super) fn check(&self, told: &Told<'_>, ledger: &mut Ledger) {
        let mut course =
            Course { told, phase: Phase::Before, taken: 0, sealed: None, imported: self.imported };
        let mut purges = told.purges.iter().map(PurgeTold::of).collect::<Vec<_>>();
        let now = (told.run.content_root, told.run.record_root);
        for (at, (number, entry)) in self.entries.iter().enumerate() {
            let is_import = matches!(entry, Entry::Imported(_));
            let roots = Some(at).filter(|_| is_import).and_then(|at| self.roots_then(at)).unwrap_or(now);
            if let Err(bad) = course.follow((*number, entry), roots, &mut purges) {
                ledger.bad(Check::Registry, bad);
            }
        }
        for number in &self.unreadable {
            let what = "its text is no entry in the form that entries have";
            ledger.bad(Check::Registry, entry_bad(*number, what));
        }
        course.end(ledger);
        purges.iter().filter_map(PurgeTold::missing).for_each(|bad| ledger.bad(Check::Registry, bad));
    }
}

/// Where in its life a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Before,
    Running,
    Ended,
}

struct Course<'a> {
    told: &'a Told<'a>,
    phase: Phase,
    /// How often it was taken up.
    taken: usize,
    /// The last end, with the number of its entry.
    sealed: Option<(u64, &'a Sealed)>,
    imported: bool,
}

fn entry_bad(number: u64, what: impl Into<String>) -> Bad {
    Bad::exact("registry", format!("number {number}")).what(what)
}

impl<'a> Course<'a> {
    fn run_bad(&self, what: impl Into<String>) -> Bad {
        Bad::exact("runs", self.told.run.run_id.to_string()).what(what)
    }

    /// `roots` are those that an import has to name.
    fn follow(
        &mut self,
        (number, entry): (u64, &'a Entry),
        roots: Roots,
        purges: &mut [PurgeTold<'_>],
    ) -> Result<(), Bad> {
        let order = |right: bool| {
            if right { Ok(()) } else { Err(entry_bad(number, "it is out of order for its run")) }
        };
        match entry {
            Entry::Opened(_) | Entry::KeyAdded(_) | Entry::KeyRevoked(_) => Ok(()),
            Entry::Imported(imported) => self.came(number, imported, roots),
            Entry::Begun(begun) => {
                order(self.phase == Phase::Before)?;
                self.phase = Phase::Running;
                self.began(number, begun)
            }
            Entry::TakenUp(taken) => {
                order(self.phase != Phase::Before)?;
                self.phase = Phase::Running;
                self.taken += 1;
                let recorded = self.told.resumptions.get(self.taken - 1);
                if recorded == Some(&ResumptionRecord::from(taken.clone())) {
                    return Ok(());
                }
                let id = format!("number {}", self.taken - 1);
                let what = format!("it is not what entry {number} of the registry says, or is missing");
                Err(Bad::exact("resumptions", id).what(what))
            }
            Entry::Head(head) => {
                order(self.phase == Phase::Running)?;
                self.came_to(number, head)
            }
            Entry::Sealed(sealed) => {
                order(self.phase == Phase::Running)?;
                self.phase = Phase::Ended;
                self.sealed = Some((number, sealed));
                self.is_of_run(number, sealed)
            }
            Entry::PurgeRequested(requested) => {
                order(self.phase != Phase::Before)?;
                self.purge_requested(number, requested, purges)
            }
            Entry::Purged(purged) => {
                order(self.phase != Phase::Before)?;
                self.purged(number, purged, purges)
            }
        }
    }

    fn began(&self, number: u64, begun: &Begun) -> Result<(), Bad> {
        let run = self.told.run;
        if begun.started_at != run.started_at || begun.hash_version != run.hash_version {
            return Err(self.run_bad(format!(
                "it did not begin then, or had another hash version: see entry {number} of the registry"
            )));
        }
        if begun.chain != self.told.registered.chain() {
            return Err(self.run_bad(format!(
                "its settings, version or graph are not those with which it began: see entry {number} of the registry"
            )));
        }
        Ok(())
    }

    fn came(&self, number: u64, imported: &Imported, roots: Roots) -> Result<(), Bad> {
        if (imported.content_root, imported.record_root) == roots {
            return Ok(());
        }
        Err(self.run_bad(format!("its roots are not those with which it was imported (entry {number})")))
    }

    fn came_to(&self, number: u64, head: &RunHead) -> Result<(), Bad> {
        let epochs = self.told.epochs;
        let Some(at) = epochs.iter().position(|epoch| epoch.number().0 == head.epoch) else {
            return Err(entry_bad(number, format!("epoch {} of its run does not exist", head.epoch)));
        };
        let record = &epochs[at].record;
        let rows = epochs[..=at].iter().fold(0, |rows, epoch| epoch.record.row_count.wrapping_add(rows));
        let decisions = TreeHead { size: rows, root: record.content_root };
        let trees = self.told.trees.get(&EpochNo(head.epoch)).and_then(Option::as_ref);
        let others = trees.is_none_or(|trees| {
            (trees.decisions, trees.releases) == (head.decisions, head.releases)
                && trees.acts.contains(&(head.acts, head.acted_chain))
        });
        if head.chain == record.chain_hash && head.decisions == decisions && others {
            return Ok(());
        }
        let what = format!("its chain or trees are not what entry {number} of the registry says");
        Err(Bad::exact("epochs", format!("epoch {}", head.epoch)).what(what))
    }

    /// What no end of a run changes.
    fn is_of_run(&self, number: u64, sealed: &Sealed) -> Result<(), Bad> {
        let run = self.told.run;
        let same = (sealed.hash_version, sealed.config_hash, sealed.topology_hash, sealed.started_at.0)
            .eq(&(run.hash_version, run.config_hash, run.topology_hash, run.started_at.0));
        if same {
            return Ok(());
        }
        Err(self.run_bad(format!("it is not the run whose end entry {number} of the registry tells")))
    }

    fn purge_requested(
        &self,
        number: u64,
        requested: &PurgeRequested,
        purges: &mut [PurgeTold<'_>],
    ) -> Result<(), Bad> {
        let Some(told) = purges.iter_mut().find(|told| told.is(self.imported, requested.purge, false)) else {
            let id = format!("number {}", requested.purge);
            let what = format!("it is missing: entry {number} of the registry tells of it");
            return Err(Bad::exact("purges", id).what(what));
        };
        told.requested = true;
        let record = told.record;
        let same = requested.requested_at == record.requested_at
            && requested.older_than_days == record.older_than_days
            && requested.by_name == record.by_name
            && requested.payload_store == record.payload_store;
        if same { Ok(()) } else { Err(told.bad(number)) }
    }

    fn purged(&self, number: u64, purged: &Purged, purges: &mut [PurgeTold<'_>]) -> Result<(), Bad> {
        let Some(told) = purges.iter_mut().find(|told| told.is(self.imported, purged.purge, true)) else {
            return Err(entry_bad(number, "it tells of the end of a purge that was not requested"));
        };
        told.finished = true;
        let record = told.record;
        let counts = [record.blocks, record.block_bytes, record.files, record.file_bytes, record.kept_files];
        let same = record.finished_at == Some(purged.finished_at)
            && counts
                == [purged.blocks, purged.block_bytes, purged.files, purged.file_bytes, purged.kept_files];
        if same { Ok(()) } else { Err(told.bad(number)) }
    }

    fn end(&self, ledger: &mut Ledger) {
        let run = self.told.run;
        let bad = if self.phase == Phase::Before {
            Some(self.run_bad("the registry does not tell of its beginning"))
        } else if self.taken < self.told.resumptions.len() {
            let id = format!("number {}", self.taken);
            Some(Bad::exact("resumptions", id).what("the registry does not tell of it"))
        } else if (self.phase == Phase::Ended) != (run.status != RunStatus::Running) {
            Some(self.run_bad("it is `running` or has ended, and the registry says otherwise"))
        } else if let (Phase::Ended, Some((number, sealed))) = (self.phase, self.sealed)
            && !self.ended_so(sealed)
        {
            let what = "its status, end, roots or numbers are not what the registry says";
            Some(self.run_bad(format!("{what} (entry {number})")))
        } else {
            None
        };
        if let Some(bad) = bad {
            ledger.bad(Check::Registry, bad);
        }
    }

    fn ended_so(&self, sealed: &Sealed) -> bool {
        let (run, told) = (self.told.run, self.told);
        let rows = told.epochs.iter().fold(0, |rows, epoch| epoch.record.row_count.wrapping_add(rows));
        sealed.status == run.status
            && Some(sealed.completed_at) == run.completed_at
            && Some(sealed.content_root) == run.content_root
            && Some(sealed.record_root) == run.record_root
            && sealed.rows == rows
            && sealed.records == told.records
    }
}

/// A purge as it is stored, and what entries have told of it.
struct PurgeTold<'a> {
    record: &'a PurgeRecord,
    requested: bool,
    finished: bool,
}

impl<'a> PurgeTold<'a> {
    const fn of(record: &'a PurgeRecord) -> Self {
        Self { record, requested: false, finished: false }
    }

    /// Whether an entry that names a purge by number means this one, as its beginning or its end. Where the entries are of
    /// another database, their order counts.
    const fn is(&self, imported: bool, purge: i64, end: bool) -> bool {
        let waits = if end { self.requested && !self.finished } else { !self.requested };
        waits && (imported || self.record.purge_no == purge)
    }

    fn bad(&self, number: u64) -> Bad {
        let what = format!("it is not what entry {number} of the registry says");
        Bad::exact("purges", format!("number {}", self.record.purge_no)).what(what)
    }

    /// What no entry tells of it.
    fn missing(&self) -> Option<Bad> {
        let done = self.record.status == PurgeStatus::Done;
        let what = match (self.requested, done, self.finished) {
            (false, _, _) => "the registry does not tell of it",
            (true, true, false) => "it is done, but the registry does not tell of that",
            (true, false, true) => "it is open, but the registry says that it is done",
            (true, true, true) | (true, false, false) => return None,
        };
        Some(Bad::exact("purges", format!("number {}", self.record.purge_no)).what(what))
    }
}
