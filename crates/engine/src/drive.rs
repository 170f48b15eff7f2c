use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use elspeth_canonical::HashVersion;
use elspeth_contracts::{BatchMemberRecord, Clock, EpochNo, RowIndex, RunId, Step};
use elspeth_executors::Dispatcher;
use elspeth_graph::{ExecutionGraph, Node, NodeSpec};
use elspeth_landscape::Corruption;
use elspeth_payload::{FilesystemStore, PayloadError};
use elspeth_plugin::{Source, SourceError, SourceIdentity, SourceItem, SourcePosition};
use elspeth_telemetry::{NodeTag, Spans};
use thiserror::Error;

use crate::chunk::{ChunkInput, ChunkOutput, ChunkWork, RowsInput};
use crate::epoch::{EpochFrame, assemble};
use crate::intake::{Batch, EpochCutter, EpochRows, Intake, Next};
use crate::measure::{Measure, Pace};
use crate::open::StillOpen;
use crate::ordered::{Moment, OrderedNodes};
use crate::release::Release;
use crate::workers::{ChunkSizer, lost, work};
use crate::{EpochBounds, EpochWork};

/// Everything that rows need on their way: the graph, its executors and the time.
pub struct Pipeline {
    /// The graph.
    pub graph: Arc<ExecutionGraph>,
    /// The executors.
    pub dispatcher: Dispatcher,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where bodies go that are too large for an epoch's block.
    pub bodies: FilesystemStore,
    /// Who watches.
    pub spans: Spans,
    /// Set while an epoch is being decided, for whoever asks whether only the source is waited for. It stays set when that
    /// fails: [`drive`] returns soon then, and says why.
    pub deciding: Arc<AtomicBool>,
    /// How to run.
    pub options: EngineOptions,
}

/// How to run.
#[derive(Debug, Clone, Copy)]
pub struct EngineOptions {
    /// The run.
    pub run_id: RunId,
    /// Its digest.
    pub hash_version: HashVersion,
    /// The run's start by the monotonic clock.
    pub run_start_us: u64,
    /// Rows in flight at once.
    pub max_workers: usize,
    /// Where epochs end.
    pub bounds: EpochBounds,
}

/// Where a run goes on; the default is a run that begins.
#[derive(Debug, Default)]
pub struct Start {
    /// Rows that were decided before.
    pub rows: u64,
    /// The number of the next epoch.
    pub epoch: EpochNo,
    /// What was open.
    pub open: StillOpen,
}

/// Why the engine stopped before the end of the source. Epochs delivered before are whole.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EngineError {
    /// The source failed.
    #[error("source: {0}")]
    Source(SourceError),
    /// A row's body could not be kept.
    #[error("row bodies: {0}")]
    Bodies(NotKept),
    /// Members of an open batch could not be kept.
    #[error("members of open batches: {0}")]
    Buffers(NotKept),
    /// More members than a batch can number.
    #[error("a batch holds at most {} members", u32::MAX)]
    BatchTooLarge,
    /// What was open when the run stopped is not what is recorded of it.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
    /// More rows than a run can number.
    #[error("a run holds at most {} rows", RowIndex::LIMIT)]
    TooManyRows,
    /// A worker is gone: a bug of the engine.
    #[error("a worker stopped without finishing its rows: {0}")]
    WorkerLost(String),
}

/// What could not be written to a disk, or read back.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct NotKept {
    /// What, where, and why.
    pub message: String,
    /// What the user can do about it, where that is known.
    pub help: Option<&'static str>,
}

impl From<std::io::Error> for EngineError {
    fn from(error: std::io::Error) -> Self {
        Self::Buffers(error.into())
    }
}

impl From<PayloadError> for NotKept {
    fn from(error: PayloadError) -> Self {
        Self { message: error.to_string(), help: error.advice() }
    }
}

/// What was read in the end.
pub struct Finished {
    /// The source, closed.
    pub source: Box<dyn Source>,
    /// What it was.
    pub identity: SourceIdentity,
    /// Rows decided, those of before included.
    pub rows: u64,
    /// Whether the source was read to its end; not when it was stopped.
    pub exhausted: bool,
}

/// Reads an opened source to its end, or until `stop` is set, and delivers one epoch after the other, in order; goes on
/// where `start` says.
///
/// Blocks the calling thread; uses one more for the source and `max_workers` for rows. `deliver` answers whether to go on;
/// while it blocks, no further epoch is decided, and the source is read a few times ahead: what it then gives waits.
///
/// # Errors
/// [`EngineError`]; what was delivered before is whole and in order. The source may be in a read that does not end then: its
/// thread is left to itself.
pub fn drive(
    pipeline: &Pipeline,
    source: Box<dyn Source>,
    start: Start,
    stop: &Arc<AtomicBool>,
    mut deliver: impl FnMut(EpochWork) -> bool,
) -> Result<Finished, EngineError> {
    let mut ordered = OrderedNodes::of(&pipeline.graph);
    let restored_us = pipeline.clock.monotonic_us();
    ordered.restore(start.open, restored_us)?;
    let workers = pipeline.options.max_workers.max(1);
    let position = source.position();
    let measure = Arc::new(Measure::new(pipeline.cut(), workers, pipeline.pace()));
    let (batch_tx, batches) = bounded(2);
    let reader = pipeline.read(source, (Arc::clone(stop), Arc::clone(&measure)), batch_tx);
    let cutter = EpochCutter::new(batches, (pipeline.cut(), &measure), stop);
    std::thread::scope(|scope| {
        let (chunks, chunk_rx) = bounded::<ChunkInput>(workers * 2);
        let (result_tx, results) = bounded(workers * 2);
        for _ in 0..workers {
            let (chunks, results) = (chunk_rx.clone(), result_tx.clone());
            scope.spawn(move || work(pipeline, &chunks, &results));
        }
        drop((chunk_rx, result_tx));
        let decider = Decider {
            pipeline,
            chunks,
            results,
            sizer: ChunkSizer::new(workers),
            ordered,
            measure: &measure,
            rows: start.rows,
            position,
            kept_us: restored_us,
        };
        decider.every_epoch(start.epoch, (cutter, reader), &mut deliver)
    })
}

/// The source's thread; it gives the source back with how the reading ended.
type Reader = JoinHandle<(Box<dyn Source>, Result<(SourceIdentity, bool), SourceError>)>;

impl Pipeline {
    /// Reads the source on a thread that nobody need wait for: a read may take as long as its input does.
    fn read(
        &self,
        mut source: Box<dyn Source>,
        (stop, measure): (Arc<AtomicBool>, Arc<Measure>),
        batches: Sender<Batch>,
    ) -> Reader {
        let (graph, spans) = (Arc::clone(&self.graph), self.spans.clone());
        let EngineOptions { hash_version: version, bounds, .. } = self.options;
        let retry = self.dispatcher.retry();
        let pause = Arc::clone(&self.dispatcher.policies().pause);
        std::thread::spawn(move || {
            let node = graph.node(Step::SOURCE);
            let _span = spans.source(NodeTag { name: &node.name, plugin: &node.plugin });
            let mut intake = Intake {
                source: source.as_mut(),
                version,
                bounds,
                measure: &measure,
                retry,
                pause: pause.as_ref(),
            };
            let end = intake.read_all(&stop, &batches);
            (source, end)
        })
    }
}

impl Pipeline {
    /// Bounds of epochs: where timers run, rows do not wait longer for each other than the shortest of them.
    fn cut(&self) -> EpochBounds {
        let timeout = |node: &Node| match &node.spec {
            NodeSpec::Aggregation { trigger, .. } => trigger.timeout,
            NodeSpec::Coalesce { timeout, .. } => *timeout,
            NodeSpec::Source { .. }
            | NodeSpec::Transform { .. }
            | NodeSpec::Gate { .. }
            | NodeSpec::Sink { .. } => None,
        };
        let shortest = self.graph.nodes().iter().filter_map(timeout).min();
        let bounds = self.options.bounds;
        EpochBounds { wait: shortest.map_or(bounds.wait, |timeout| timeout.min(bounds.wait)), ..bounds }
    }

    /// What rows may wait for while they are decided.
    fn pace(&self) -> Pace {
        let is_timed = |node: &Node| match &node.spec {
            NodeSpec::Aggregation { trigger, .. } => trigger.timeout.is_some() || trigger.condition.is_some(),
            NodeSpec::Coalesce { timeout, .. } => timeout.is_some(),
            NodeSpec::Source { .. }
            | NodeSpec::Transform { .. }
            | NodeSpec::Gate { .. }
            | NodeSpec::Sink { .. } => false,
        };
        let nodes = self.graph.nodes();
        if nodes.iter().any(is_timed) {
            Pace::Timed
        } else if nodes.iter().any(|node| node.service.is_some()) {
            Pace::Limited
        } else {
            Pace::Free
        }
    }
}

/// Has an epoch's rows walked and puts the results in order.
struct Decider<'a> {
    pipeline: &'a Pipeline,
    chunks: Sender<ChunkInput>,
    results: Receiver<ChunkOutput>,
    sizer: ChunkSizer,
    ordered: OrderedNodes,
    measure: &'a Measure,
    rows: u64,
    /// Where the source continues after the last epoch.
    position: SourcePosition,
    /// When the ages of what is open were kept last, by the monotonic clock.
    kept_us: u64,
}

/// What an epoch is decided for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Occasion {
    /// Rows came, or a timer ran out.
    GoesOn,
    /// The run stops before the end of its source.
    Stop,
    /// The source is at its end.
    End,
}

impl Decider<'_> {
    /// Decides and delivers until there are no more rows, or no more is wanted.
    fn every_epoch(
        mut self,
        mut number: EpochNo,
        (mut cutter, reader): (EpochCutter<'_>, Reader),
        deliver: &mut impl FnMut(EpochWork) -> bool,
    ) -> Result<Finished, EngineError> {
        let mut wanted = true;
        while wanted {
            let (rows, occasion) = match cutter.next_epoch(|| self.patience()) {
                Next::Rows(rows) => (Some(rows), Occasion::GoesOn),
                Next::Timer => (None, Occasion::GoesOn),
                Next::Stop => (None, Occasion::Stop),
                Next::End => break,
            };
            wanted = self.deliver(&mut number, (rows, occasion), deliver)?;
        }
        drop(cutter);
        let (source, end) = reader.join().map_err(|panic| lost(panic.as_ref()))?;
        let (identity, exhausted) = end.map_err(EngineError::Source)?;
        if wanted {
            let occasion = if exhausted { Occasion::End } else { Occasion::Stop };
            self.deliver(&mut number, (None, occasion), deliver)?;
        }
        Ok(Finished { source, identity, rows: self.rows, exhausted })
    }

    /// How long nothing need be done, if no row arrives.
    fn patience(&self) -> Option<Duration> {
        self.ordered.patience(self.pipeline.clock.monotonic_us(), &self.pipeline.dispatcher)
    }

    /// Decides and delivers an epoch, if anything happens in it; whether to go on. A run without rows has an epoch at its
    /// end, so that there is a checkpoint that the publication can advance; and one that stops while something waits for its time
    /// has another, so that the time since the last is not forgotten.
    fn deliver(
        &mut self,
        number: &mut EpochNo,
        (rows, occasion): (Option<EpochRows>, Occasion),
        deliver: &mut impl FnMut(EpochWork) -> bool,
    ) -> Result<bool, EngineError> {
        self.pipeline.deciding.store(true, Ordering::Relaxed);
        let wanted = self.delivered(number, (rows, occasion), deliver)?;
        self.pipeline.deciding.store(false, Ordering::Relaxed);
        Ok(wanted)
    }

    fn delivered(
        &mut self,
        number: &mut EpochNo,
        (rows, occasion): (Option<EpochRows>, Occasion),
        deliver: &mut impl FnMut(EpochWork) -> bool,
    ) -> Result<bool, EngineError> {
        let with_rows = rows.is_some();
        let grew_older = occasion == Occasion::Stop && self.forgets_an_age();
        let kept_us = self.kept_us;
        let work = self.decide(*number, rows, occasion == Occasion::End)?;
        let only_one = occasion == Occasion::End && number.0 == 0;
        if !with_rows && work.decided.releases.is_empty() && !only_one && !grew_older {
            self.kept_us = kept_us;
            return Ok(true);
        }
        number.0 += 1;
        Ok(deliver(work))
    }

    /// Whether something open waits for its time, of which some has passed since it was kept.
    fn forgets_an_age(&self) -> bool {
        self.patience().is_some() && self.pipeline.clock.monotonic_us() > self.kept_us
    }

    fn decide(
        &mut self,
        number: EpochNo,
        rows: Option<EpochRows>,
        end: bool,
    ) -> Result<EpochWork, EngineError> {
        let clock = &self.pipeline.clock;
        let monotonic_us = clock.monotonic_us();
        let moment =
            Moment { now_us: monotonic_us, last_row: self.rows.checked_sub(1).and_then(RowIndex::new), end };
        let now_us = monotonic_us.saturating_sub(self.pipeline.options.run_start_us);
        let read_time = rows.as_ref().map_or(Duration::ZERO, |rows| rows.read_time);
        let read_us = i64::try_from(read_time.as_micros()).unwrap_or(i64::MAX);
        let started_us = i64::try_from(now_us).unwrap_or(i64::MAX).saturating_sub(read_us).max(0);
        let mut frame = EpochFrame {
            number,
            started: clock.now(),
            started_us,
            read_us,
            attempts: rows.as_ref().map_or(1, |rows| rows.attempts),
            position: SourcePosition(serde_json::Value::Null),
            loaded: rows.is_some(),
            members: Vec::new(),
            buffers: String::new(),
            headers: rows.as_ref().and_then(|rows| rows.headers.clone()),
        };
        let mut outputs = Vec::new();
        let number_of_rows = rows.as_ref().map_or(0, |rows| rows.items.len());
        if let Some(rows) = rows {
            self.position = rows.position;
            outputs = self.walk_rows(rows.items, started_us)?;
        }
        let took = self.pipeline.clock.monotonic_us().saturating_sub(monotonic_us);
        frame.position = self.position.clone();
        self.settle(moment, &mut outputs, &mut frame.members)?;
        self.kept_us = self.pipeline.clock.monotonic_us();
        frame.buffers = self.ordered.buffers(self.kept_us);
        let work = assemble(frame, outputs, &self.pipeline.bodies)?;
        self.measure.learn(number_of_rows, Duration::from_micros(took), work.records());
        Ok(work)
    }

    /// Lets the nodes that wait across rows take what came to them, each before those behind it.
    fn settle(
        &mut self,
        moment: Moment,
        outputs: &mut Vec<ChunkOutput>,
        members: &mut Vec<BatchMemberRecord>,
    ) -> Result<(), EngineError> {
        if self.ordered.len() == 0 {
            return Ok(());
        }
        let mut told = 0;
        for position in 0..self.ordered.len() {
            for output in &mut outputs[told..] {
                self.ordered.post(std::mem::take(&mut output.signals));
            }
            told = outputs.len();
            let settlement = self.ordered.settle(position, moment, &self.pipeline.dispatcher)?;
            members.extend(settlement.members);
            if !settlement.releases.is_empty() {
                outputs.extend(self.walk_releases(settlement.releases)?);
            }
        }
        Ok(())
    }

    /// Rows are cut into chunks as workers take them, so that those of a first epoch know already what the first of them cost.
    fn walk_rows(&mut self, items: Vec<SourceItem>, read_us: i64) -> Result<Vec<ChunkOutput>, EngineError> {
        let total = items.len();
        let mut items = items.into_iter();
        let first = self.rows;
        self.rows += total as u64;
        RowIndex::new(self.rows.saturating_sub(1)).ok_or(EngineError::TooManyRows)?;
        let outputs = self.walk_all(|outputs| {
            let first = RowIndex::new(first + (total - items.len()) as u64).filter(|_| items.len() > 0)?;
            let size = self.sizer.size(total, outputs);
            Some(ChunkWork::Rows(RowsInput { first, read_us, items: items.by_ref().take(size).collect() }))
        })?;
        self.sizer.learn(&outputs);
        Ok(outputs)
    }

    fn walk_releases(&self, releases: Vec<Release>) -> Result<Vec<ChunkOutput>, EngineError> {
        let share = releases.len().div_ceil(self.pipeline.options.max_workers.max(1) * 2);
        let mut releases = releases.into_iter();
        self.walk_all(|_| {
            let part: Vec<Release> = releases.by_ref().take(share).collect();
            (!part.is_empty()).then_some(ChunkWork::Releases(part))
        })
    }

    /// Has all of it walked at once; what came of it, in the order of what `next` gives when it is told what came so far.
    fn walk_all(
        &self,
        mut next: impl FnMut(&[ChunkOutput]) -> Option<ChunkWork>,
    ) -> Result<Vec<ChunkOutput>, EngineError> {
        let mut outputs = Vec::new();
        let mut index = 0;
        let mut cut = |outputs: &[ChunkOutput]| {
            let chunk = ChunkInput { index, work: next(outputs)? };
            index += 1;
            Some(chunk)
        };
        let mut pending = cut(&outputs);
        let mut in_flight = 0;
        while pending.is_some() || in_flight > 0 {
            // Hand over as long as the workers take, collect meanwhile: neither channel can then fill up for good.
            if let Some(chunk) = pending.take() {
                match self.chunks.try_send(chunk) {
                    Ok(()) => {
                        in_flight += 1;
                        pending = cut(&outputs);
                        continue;
                    }
                    Err(crossbeam_channel::TrySendError::Full(chunk)) => pending = Some(chunk),
                    Err(crossbeam_channel::TrySendError::Disconnected(_)) => {
                        return Err(gone());
                    }
                }
            }
            let mut output = self.results.recv().map_err(|_| gone())?;
            if let Some(broken) = output.broken.take() {
                return Err(broken);
            }
            outputs.push(output);
            in_flight -= 1;
        }
        outputs.sort_by_key(|o| o.index);
        Ok(outputs)
    }
}

fn gone() -> EngineError {
    EngineError::WorkerLost("all of them are gone".to_owned())
}
