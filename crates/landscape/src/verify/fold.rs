//! Chain and trees, made again from the digests of epochs and compared with what is stored.

use std::collections::{BTreeMap, VecDeque};

use elspeth_canonical::ContentHash;
use elspeth_contracts::{EpochNo, Micros, RunStatus, Step};

use super::examine::Examined;
use super::places::Epoch;
use super::scan::{CheckpointRecord, EpochRecord};
use super::{Bad, Check, Ledger};
use crate::integrity::{self, ActedDigest, RecorderState, Registered};
use crate::registry::TreeHead;
use crate::{ActedEpoch, MOST_PENDING, RunRecord, RunSeal};

/// What was done with an epoch, and its digest; none where it cannot be read.
pub(super) type Acts = Option<(ActedEpoch, ActedDigest)>;

/// What a head may say of the trees and the chain of acts at the commit of an epoch's decisions.
#[derive(Debug, Clone)]
pub(super) struct TreesAt {
    pub(super) decisions: TreeHead,
    pub(super) releases: TreeHead,
    /// As many as there may have been acts by then.
    pub(super) acts: Vec<(TreeHead, ContentHash)>,
}

/// Chains and trees as far as they have been made again.
pub(super) struct Fold<'a> {
    run: &'a RunRecord,
    state: RecorderState,
    /// What was done up to each of the last epochs: sinks may have been that far behind.
    acts: VecDeque<integrity::Acts>,
    /// The last epoch, and whether what was done with it is on the record.
    last: Option<(EpochNo, bool)>,
    /// Whether the state has all leaves so far.
    leaves: bool,
    /// Whether the chain of decisions has every link since its last stored hash.
    links: bool,
    /// The same of the chain of acts.
    acted_links: bool,
    /// Whether nothing differed so far.
    clean: bool,
    /// States that the checkpoints of the last epochs may have.
    states: BTreeMap<EpochNo, Vec<RecorderState>>,
    published: Acts,
    /// The epoch in which each sink wrote last.
    pub(super) written: BTreeMap<Step, EpochNo>,
    /// The trees after those epochs about which somebody asks; none where they cannot be made again.
    pub(super) asked: BTreeMap<EpochNo, Option<TreesAt>>,
    pub(super) records: u64,
}

impl<'a> Fold<'a> {
    pub(super) fn new(run: &'a RunRecord, registered: &Registered<'_>) -> Self {
        let state = RecorderState::new(registered);
        Self {
            run,
            acts: VecDeque::from([state.acts().clone()]),
            state,
            last: None,
            leaves: true,
            links: true,
            acted_links: true,
            clean: true,
            states: BTreeMap::new(),
            published: None,
            written: BTreeMap::new(),
            asked: BTreeMap::new(),
            records: 0,
        }
    }

    /// The next epoch; whether its chain of decisions is the stored one.
    pub(super) fn add(&mut self, epoch: &Epoch, examined: &mut Examined, ledger: &mut Ledger) -> bool {
        let record = &epoch.record;
        if self.published.is_some() {
            let bad = Bad::among("operations", format!("before {}", named(record)));
            ledger.bad(Check::Records, bad.what("there are epochs after the publication"));
        }
        let decided = self.decide(record, examined, ledger);
        self.act(record, examined.acted.take(), ledger);
        self.records += examined.records;
        self.written.extend(examined.writes.drain(..).map(|sink| (sink, record.epoch)));
        self.published = examined.published.take().filter(|(acted, _)| acted.records() > 0);
        decided
    }

    fn decide(&mut self, record: &EpochRecord, examined: &mut Examined, ledger: &mut Ledger) -> bool {
        match examined.decided.take() {
            Some(digest) => self.state = self.state.after(None, Some(&digest), record.decided_at),
            None => (self.leaves, self.links) = (false, false),
        }
        let hashes = self.state.hashes();
        let content = self.leaves.then(|| hashes.content == record.content_root);
        let chain = self.links.then(|| hashes.chain == record.chain_hash);
        if content == Some(false) {
            self.leaves = false;
            ledger.bad(Check::Content, content_bad(record));
        }
        if chain == Some(false) {
            ledger.bad(Check::Chain, chain_bad(record, content));
        }
        if let Some(trees) = self.asked.get_mut(&record.epoch) {
            let [decisions, releases, _] = self.state.trees().heads();
            let acts = self.acts.iter().map(|acts| (acts.head(), acts.chain())).collect();
            *trees = self.leaves.then_some(TreesAt { decisions, releases, acts });
        }
        self.clean &= content == Some(true) && chain == Some(true);
        // From here on the stored chain counts, so that every epoch is judged by its own records.
        self.state.decided_from(record.chain_hash, record.epoch);
        self.links = true;
        let states = self.acts.iter().map(|acts| self.state.with_acts(acts)).collect();
        self.states.insert(record.epoch, states);
        while self.states.len() > MOST_PENDING {
            self.states.pop_first();
        }
        chain == Some(true)
    }

    /// Links what was done with an epoch.
    fn act(&mut self, record: &EpochRecord, acts: Acts, ledger: &mut Ledger) {
        let waited = self.last.replace((record.epoch, record.acted_at.is_some()));
        match (record.acted_at.zip(record.acted_chain), acts) {
            (None, acts) => {
                if acts.is_some_and(|(acted, _)| acted.records() > 0) {
                    let what = "there are records of what was done with it, but not of when";
                    ledger.bad(Check::Records, Bad::among("epochs", named(record)).what(what));
                }
                return;
            }
            (Some((at, _)), Some((acted, digest))) => {
                self.state = self.state.after(Some((&acted, &digest)), None, at);
            }
            (Some(_), None) => (self.leaves, self.acted_links) = (false, false),
        }
        if waited.is_some_and(|(_, acted)| !acted) {
            let what = "it was acted on, but the epoch before it was not";
            ledger.bad(Check::Records, Bad::exact("epochs", named(record)).what(what));
        }
        if let Some(stored) = record.acted_chain {
            if self.acted_links && self.state.chains().1 != stored {
                self.clean = false;
                ledger.bad(Check::Chain, acted_bad(record));
            }
            self.state.acted_from(stored, record.epoch);
            self.acted_links = true;
        }
        self.acts.push_back(self.state.acts().clone());
        if self.acts.len() > MOST_PENDING {
            self.acts.pop_front();
        }
        self.states.entry(record.epoch).or_default().push(self.state.clone());
    }

    /// The end: the publication, the seal, the checkpoints that are left. Gives back the state that has the run's content
    /// root, and the seal, if there is one.
    pub(super) fn end(
        mut self,
        resumptions: usize,
        checkpoints: &[CheckpointRecord],
        ledger: &mut Ledger,
    ) -> Option<(RecorderState, RunSeal)> {
        let ends = match self.last {
            Some((epoch, true)) => {
                let ends = self.publications(epoch, resumptions);
                self.states.entry(epoch).or_default().extend(ends.iter().cloned());
                ends
            }
            Some((_, false)) => vec![self.state.clone()],
            None => self.publications(EpochNo::default(), resumptions),
        };
        let ended = self.checkpoints(checkpoints, ledger);
        self.seal(ends, ended, ledger)
    }

    /// The states after none, one or more publications. A run that was taken up after it publishes what is left, which may
    /// be nothing.
    fn publications(&mut self, last: EpochNo, resumptions: usize) -> Vec<RecorderState> {
        let mut states = Vec::new();
        let mut state = self.state.clone();
        match self.published.take() {
            Some((acted, digest)) => state = state.after(Some((&acted, &digest)), None, Micros(0)),
            None => states.push(state.clone()),
        }
        let rounds = if states.is_empty() { resumptions } else { resumptions + 1 };
        if states.is_empty() {
            states.push(state.clone());
        }
        let nothing = ActedEpoch { epoch: last, ..ActedEpoch::default() };
        let digest = ActedDigest::of(self.run.hash_version, &nothing).expect("nothing contradicts nothing");
        for _ in 0..rounds {
            state = state.after(Some((&nothing, &digest)), None, Micros(0));
            states.push(state.clone());
        }
        states
    }

    /// Whether the checkpoint of the last epoch is as it must be; nothing, where there is none.
    fn checkpoints(&self, checkpoints: &[CheckpointRecord], ledger: &mut Ledger) -> Option<bool> {
        let mut last = None;
        for checkpoint in checkpoints.iter().filter(|_| self.clean) {
            let known = self.states.get(&checkpoint.epoch);
            let is_stored = |state: &RecorderState| state.hashes().state == checkpoint.hash_state;
            let right = known.is_some_and(|states| states.iter().any(is_stored));
            let of_last = self.states.last_key_value().is_some_and(|(epoch, _)| *epoch == checkpoint.epoch);
            if of_last {
                last = Some(right);
            }
            if !right {
                let id = format!("epoch {}", checkpoint.epoch.0);
                let what = "its `hash_state` is not that of chain and trees after the epoch";
                ledger.bad(Check::Chain, Bad::among("checkpoints", id).what(what));
            }
        }
        last
    }

    /// Compares both roots. `ended` says whether a checkpoint shows that chain and trees came to one of these ends.
    fn seal(
        &self,
        ends: Vec<RecorderState>,
        ended: Option<bool>,
        ledger: &mut Ledger,
    ) -> Option<(RecorderState, RunSeal)> {
        let (content_root, record_root) = (self.run.content_root?, self.run.record_root?);
        let seal = seal_of(self.run)?;
        let roots = |end: &RecorderState| {
            let content = end.content_root(self.run.topology_hash, &seal) == content_root;
            (content, end.record_root(&seal, content_root) == record_root)
        };
        let judged: Vec<_> = ends.iter().map(roots).collect();
        let bad = || match ended {
            Some(true) => Bad::exact("runs", self.run.run_id.to_string()),
            Some(false) | None => Bad::among("runs", self.run.run_id.to_string()),
        };
        if self.links && self.acted_links && !judged.iter().any(|(_, record)| *record) {
            let what = match ended {
                Some(true) => {
                    "its record root is not that of its records and its end (time, status, error, source)"
                }
                Some(false) | None => {
                    "its record root is not that of its records: the publication or the run's own end was changed"
                }
            };
            ledger.bad(Check::Chain, bad().what(what));
        }
        if self.leaves && !judged.iter().any(|(content, _)| *content) {
            let what = "its content root is not that of its rows, releases, acts and artifacts";
            ledger.bad(Check::Content, Bad::among("runs", self.run.run_id.to_string()).what(what));
        }
        let at = judged.iter().position(|(content, _)| *content)?;
        Some((ends.into_iter().nth(at)?, seal))
    }
}

/// The seal, as it is stored; nothing for a run that is not sealed.
fn seal_of(run: &RunRecord) -> Option<RunSeal> {
    match run.status {
        RunStatus::Running => None,
        RunStatus::Completed | RunStatus::Failed | RunStatus::Interrupted => Some(RunSeal {
            completed_at: run.completed_at?,
            status: run.status,
            error: run.error.clone(),
            source: run.source.clone(),
            content_root: run.content_root,
            record_root: run.record_root,
        }),
    }
}

fn named(record: &EpochRecord) -> String {
    match record.rows {
        Some((first, last)) => {
            format!("epoch {} (rows {} to {})", record.epoch.0, first.get(), last.get())
        }
        None => format!("epoch {}", record.epoch.0),
    }
}

fn content_bad(record: &EpochRecord) -> Bad {
    let what = "what was decided about these rows (tokens, states, hashes, routes, errors) is not what the tree of leaves \
                was made of";
    Bad::among("epochs", named(record)).what(what)
}

/// As narrow as it can be told: one hash stands for all that was decided in an epoch.
fn chain_bad(record: &EpochRecord, content: Option<bool>) -> Bad {
    let what = match content {
        Some(true) => {
            "the chain breaks here, although what was decided about the rows is as it was: a time, a duration, a release or \
             an operation of this epoch was changed"
        }
        Some(false) | None => "the chain breaks here: records of this epoch were changed, added or removed",
    };
    Bad::among("epochs", named(record)).what(what)
}

fn acted_bad(record: &EpochRecord) -> Bad {
    let what = "the chain of acts breaks here: what sinks did, what became of tokens, when, or from where sinks go on was changed";
    Bad::among("epochs", named(record)).what(what)
}
