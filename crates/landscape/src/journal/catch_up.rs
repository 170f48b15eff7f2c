//! What a journal lacks of a run that was taken up, from the record.

use std::collections::VecDeque;

use backon::BackoffBuilder as _;
use elspeth_canonical::ContentHash;
use elspeth_contracts::{EdgeRecord, EpochNo, Micros, NodeRecord, RunStatus};

use super::file::{Half as Which, JournalFile, Link};
use super::numbers::Numbers;
use super::{Lines, link_line};
use crate::export::{ExportScan, Half, Halves, Line, RunLine};
use crate::integrity::{ActedDigest, RecorderState, Registered};
use crate::verify::{Effects, EpochRecord, EpochRecords, Epochs, Subject};
use crate::{ActedEpoch, Corruption, LandscapeError, RunRecord, TakeUp, absence};

/// Opens scans of a record, for whoever has to write it down again.
pub trait JournalSource: Send {
    /// Everything that is stored of the run now.
    ///
    /// # Errors
    /// [`LandscapeError`] of the store.
    fn scan(&self, run: &RunRecord) -> Result<Box<dyn ExportScan>, LandscapeError>;
}

/// A run that is taken up, as it was seen before.
pub struct Earlier {
    /// The run.
    pub run: RunRecord,
    /// Its nodes, in step order.
    pub nodes: Vec<NodeRecord>,
    /// Its edges, in their order.
    pub edges: Vec<EdgeRecord>,
    /// Where its record can be read.
    pub source: Box<dyn JournalSource>,
}

/// Where the record is when all of it is in the journal.
#[derive(Default)]
pub(super) struct Standing {
    /// The first epoch that was decided and not acted on.
    pub(super) open: Option<EpochNo>,
    /// The lines of such epochs after it.
    pub(super) held: VecDeque<(EpochNo, Vec<u8>)>,
    pub(super) numbers: Numbers,
}

/// Adds what the journal lacks; when the record cannot be read for a time, once more from where the journal ends then.
pub(super) fn catch_up(
    file: &mut JournalFile,
    earlier: &Earlier,
    up: &TakeUp,
) -> Result<Standing, LandscapeError> {
    let mut caught_up = attempt(file, earlier, up);
    for wait in absence::WAITS.build() {
        match &caught_up {
            Err(LandscapeError::Store { retryable: true, .. }) => std::thread::sleep(wait),
            Ok(_) | Err(_) => break,
        }
        caught_up = attempt(file, earlier, up);
    }
    caught_up
}

fn attempt(file: &mut JournalFile, earlier: &Earlier, up: &TakeUp) -> Result<Standing, LandscapeError> {
    let mut scan = earlier.source.scan(&earlier.run)?;
    let subject = Subject {
        run: &earlier.run,
        nodes: &earlier.nodes,
        edges: &earlier.edges,
        resumptions: &[],
        artifacts: None,
        bodies: None,
        registry: None,
        ran_here: false,
        alone: false,
    };
    let epochs = unsound(Epochs::read(scan.as_mut(), &subject)?)?;
    let mut behind = Behind { file, earlier, lines: Lines::new(earlier.run.run_id), from: None };
    behind.from = behind.file.link(earlier.run.run_id)?;
    if !behind.is_of(scan.as_mut(), &epochs)? {
        behind.from = None;
    }
    if behind.from.is_none() {
        behind.register(up)?;
    }
    let mut standing = Standing::default();
    let begin = behind.from.as_ref().and_then(|link| link.epoch).unwrap_or_default();
    let begin = usize::try_from(begin).unwrap_or(usize::MAX).min(epochs.len().saturating_sub(1));
    for at in begin..epochs.len() {
        let records = unsound(epochs.get(scan.as_mut(), at)?)?;
        standing.count(&records);
        let EpochRecord { epoch, acted_at, .. } = records.record;
        if standing.open.is_some() {
            standing.held.push_back((epoch, behind.decided(records)));
        } else {
            standing.open = acted_at.is_none().then_some(epoch);
            behind.epoch(records, scan.as_mut())?;
        }
    }
    if epochs.len() == 0 {
        standing.numbers = behind.unopened(scan.as_mut())?;
    }
    behind.file.sync()?;
    Ok(standing)
}

fn unsound<T>(found: Result<T, crate::verify::BadRecord>) -> Result<T, LandscapeError> {
    found.map_err(|bad| {
        let (id, what) = (bad.id, format!("{}: {}", bad.table, bad.what));
        Corruption { table: "runs", id, what }.into()
    })
}

impl Standing {
    /// Counts what an epoch has.
    fn count(&mut self, records: &EpochRecords) {
        let EpochRecord { epoch, acted_at, .. } = records.record;
        let Effects { operations, artifacts } = &records.effects;
        for effect in operations {
            self.numbers.operation(epoch, effect.record.step);
        }
        for effect in artifacts {
            self.numbers.artifact(epoch, effect.record.step);
        }
        if acted_at.is_some() {
            self.numbers.acted(epoch);
        }
    }
}

struct Behind<'a> {
    file: &'a mut JournalFile,
    earlier: &'a Earlier,
    lines: Lines,
    /// The last link that is in the journal already.
    from: Option<Link>,
}

impl Behind<'_> {
    /// Whether the last link is one of this record: it may be of a copy that was since put back to an earlier state.
    fn is_of(&self, scan: &mut dyn ExportScan, epochs: &Epochs<'_>) -> Result<bool, LandscapeError> {
        let Some(link) = &self.from else { return Ok(false) };
        let (half, epoch) = link.place();
        if half == Which::Registered {
            return Ok(link.chain == self.registered().chain().to_string());
        }
        let Some(at) = usize::try_from(epoch).ok().filter(|at| *at < epochs.len()) else {
            return Ok(half == Which::Published && epochs.len() == 0);
        };
        let records = unsound(epochs.get(scan, at)?)?;
        let chain = match half {
            Which::Registered | Which::Decided => Some(records.record.chain_hash),
            Which::Acted => records.record.acted_chain,
            Which::Published => self.ended_chain(scan)?,
        };
        Ok(chain.is_some_and(|chain| chain.to_string() == link.chain))
    }

    fn registered(&self) -> Registered<'_> {
        Registered::of_record(&self.earlier.run, (&self.earlier.nodes, &self.earlier.edges))
    }

    /// The chain of acts after the last commit.
    fn ended_chain(&self, scan: &mut dyn ExportScan) -> Result<Option<ContentHash>, LandscapeError> {
        let last = scan.checkpoints()?.pop();
        let version = self.earlier.run.hash_version;
        Ok(last
            .and_then(|last| RecorderState::from_stored(version, &last.hash_state))
            .map(|s| s.acts().chain()))
    }

    /// Run, nodes and edges, as they were when the run began.
    fn register(&mut self, up: &TakeUp) -> Result<(), LandscapeError> {
        let (run, chain) = (&self.earlier.run, self.registered().chain());
        let begun = RunLine {
            status: RunStatus::Running,
            completed_at: None,
            error: None,
            content_root: None,
            record_root: None,
            summary: None,
            owner: up.owner.clone(),
            heartbeat_at: run.started_at,
            ..RunLine::of(run, None)
        };
        self.lines.put(&Line::Run(begun));
        self.earlier.nodes.iter().for_each(|node| self.lines.put(&Line::Node(node.clone())));
        self.earlier.edges.iter().for_each(|edge| self.lines.put(&Line::Edge(edge.clone())));
        self.close((Which::Registered, None), Some(run.started_at), chain)
    }

    /// The halves of an epoch that the journal lacks.
    fn epoch(&mut self, records: EpochRecords, scan: &mut dyn ExportScan) -> Result<(), LandscapeError> {
        let EpochRecord { epoch, decided_at, acted_at, chain_hash, acted_chain, .. } = records.record;
        let has_published = records.published.records() > 0;
        let [decided, acted, published] = Halves::of(records).0;
        if self.lacks(Which::Decided, epoch) {
            self.lines.half(decided);
            self.close((Which::Decided, Some(epoch)), Some(decided_at), chain_hash)?;
        }
        if let Some(chain) = acted_chain.filter(|_| self.lacks(Which::Acted, epoch)) {
            self.lines.half(acted);
            self.close((Which::Acted, Some(epoch)), acted_at, chain)?;
        }
        if has_published && self.lacks(Which::Published, epoch) {
            let chain = self.ended_chain(scan)?.unwrap_or(chain_hash);
            self.lines.half(published);
            self.close((Which::Published, Some(epoch)), None, chain)?;
        }
        Ok(())
    }

    /// The lines of an epoch that was decided and not acted on, with their link.
    fn decided(&self, records: EpochRecords) -> Vec<u8> {
        let EpochRecord { epoch, decided_at, chain_hash, .. } = records.record;
        let [decided, ..] = Halves::of(records).0;
        let run = self.earlier.run.run_id;
        let mut lines = Lines::new(run);
        lines.half(decided);
        link_line(run, (Which::Decided, Some(epoch)), Some(decided_at), chain_hash, &mut lines.bytes);
        lines.bytes
    }

    /// The publication of a run without epochs; gives back the numbers that it has used.
    fn unopened(&mut self, scan: &mut dyn ExportScan) -> Result<Numbers, LandscapeError> {
        let epoch = EpochNo::default();
        let Effects { operations, artifacts } = scan.effects(epoch)?;
        let mut numbers = Numbers::default();
        for effect in &operations {
            numbers.operation(epoch, effect.record.step);
        }
        for effect in &artifacts {
            numbers.artifact(epoch, effect.record.step);
        }
        let told = self.from.as_ref().is_some_and(|link| link.half == Which::Published);
        if operations.is_empty() || told {
            return Ok(numbers);
        }
        let published = ActedEpoch {
            operations: operations.iter().map(|effect| effect.record.clone()).collect(),
            artifacts: artifacts.iter().map(|effect| effect.record.clone()).collect(),
            ..ActedEpoch::default()
        };
        let digest = ActedDigest::of(self.earlier.run.hash_version, &published)?;
        let state = RecorderState::new(&self.registered());
        let chain = state.after(Some((&published, &digest)), None, Micros(0)).acts().chain();
        self.lines.half(Half::acted(ActedEpoch::default(), operations, artifacts));
        self.close((Which::Published, Some(epoch)), None, chain)?;
        Ok(numbers)
    }

    fn lacks(&self, half: Which, epoch: EpochNo) -> bool {
        self.from.as_ref().is_none_or(|link| {
            let (has, of) = link.place();
            (of, has) < (epoch.0, half)
        })
    }

    fn close(
        &mut self,
        (half, epoch): (Which, Option<EpochNo>),
        at: Option<Micros>,
        chain: ContentHash,
    ) -> Result<(), LandscapeError> {
        link_line(self.earlier.run.run_id, (half, epoch), at, chain, &mut self.lines.bytes);
        self.file.append(&self.lines.bytes)?;
        self.lines.bytes.clear();
        Ok(())
    }
}
