use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crossbeam_channel::{Receiver, Sender, bounded};
use elspeth_canonical::HashVersion;
use elspeth_contracts::{Clock, EpochNo, RowIndex, RunId, Step};
use elspeth_executors::Dispatcher;
use elspeth_graph::ExecutionGraph;
use elspeth_payload::FilesystemStore;
use elspeth_plugin::{Source, SourceError, SourceIdentity, SourceItem};
use elspeth_telemetry::{NodeTag, Spans};
use thiserror::Error;

use crate::chunk::{ChunkInput, ChunkOutput};
use crate::epoch::{EpochFrame, assemble};
use crate::intake::{EpochCutter, EpochRows, Intake};
use crate::workers::{ChunkSizer, work};
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

/// Why the engine stopped before the end of the source. Epochs delivered before are whole.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EngineError {
    /// The source failed.
    #[error("source: {0}")]
    Source(SourceError),
    /// A row's body could not be kept.
    #[error("row bodies: {0}")]
    Bodies(String),
    /// More rows than a run can number.
    #[error("a run holds at most {} rows", RowIndex::LIMIT)]
    TooManyRows,
    /// A worker is gone: a bug of the engine.
    #[error("a worker stopped without finishing its rows")]
    WorkerLost,
}

/// What was read in the end.
pub struct Finished {
    /// The source, closed.
    pub source: Box<dyn Source>,
    /// What it was.
    pub identity: SourceIdentity,
    /// Rows delivered.
    pub rows: u64,
    /// Whether the source was read to its end; not when it was stopped.
    pub exhausted: bool,
}

/// Reads an opened source to its end, or until `stop` is set, and delivers one epoch after the other, in order.
///
/// Blocks the calling thread; uses one more for the source and `max_workers` for rows. `deliver` answers whether to go on;
/// while it blocks, at most one further epoch is decided and one read.
///
/// # Errors
/// [`EngineError`]; what was delivered before is whole and in order.
pub fn drive(
    pipeline: &Pipeline,
    mut source: Box<dyn Source>,
    stop: &AtomicBool,
    mut deliver: impl FnMut(EpochWork) -> bool,
) -> Result<Finished, EngineError> {
    let bounds = pipeline.options.bounds;
    let workers = pipeline.options.max_workers.max(1);
    let (rows, (identity, exhausted)) = std::thread::scope(|scope| {
        let (batch_tx, batch_rx) = bounded(2);
        let (chunk_tx, chunk_rx) = bounded::<ChunkInput>(workers * 2);
        let (result_tx, result_rx) = bounded(workers * 2);
        let reader = scope.spawn(|| {
            let batch_tx = batch_tx;
            let node = pipeline.graph.node(Step::SOURCE);
            let _span = pipeline.spans.source(NodeTag { name: &node.name, plugin: &node.plugin });
            let mut intake = Intake {
                source: source.as_mut(),
                version: pipeline.options.hash_version,
                bounds,
                retry: pipeline.dispatcher.retry(),
                pause: pipeline.dispatcher.pause(),
            };
            intake.read_all(stop, &batch_tx)
        });
        for _ in 0..workers {
            let (chunks, results) = (chunk_rx.clone(), result_tx.clone());
            scope.spawn(move || work(pipeline, &chunks, &results));
        }
        drop((chunk_rx, result_tx));
        let mut decider = Decider {
            pipeline,
            chunks: chunk_tx,
            results: result_rx,
            sizer: ChunkSizer::new(workers),
            rows: 0,
        };
        let mut cutter = EpochCutter::new(batch_rx, bounds);
        let mut number = EpochNo::default();
        while let Some(epoch) = cutter.next_epoch() {
            if !deliver(decider.decide(number, epoch)?) {
                break;
            }
            number = EpochNo(number.0 + 1);
        }
        drop(cutter);
        let identity = reader.join().map_err(|_| EngineError::WorkerLost)?.map_err(EngineError::Source)?;
        Ok((decider.rows, identity))
    })?;
    Ok(Finished { source, identity, rows, exhausted })
}

/// Has an epoch's rows walked and puts the results in order.
struct Decider<'a> {
    pipeline: &'a Pipeline,
    chunks: Sender<ChunkInput>,
    results: Receiver<ChunkOutput>,
    sizer: ChunkSizer,
    rows: u64,
}

impl Decider<'_> {
    fn decide(&mut self, number: EpochNo, epoch: EpochRows) -> Result<EpochWork, EngineError> {
        let clock = &self.pipeline.clock;
        let now_us = clock.monotonic_us().saturating_sub(self.pipeline.options.run_start_us);
        let read_us = i64::try_from(epoch.read_time.as_micros()).unwrap_or(i64::MAX);
        let started_us = i64::try_from(now_us).unwrap_or(i64::MAX).saturating_sub(read_us).max(0);
        let frame = EpochFrame {
            number,
            started: clock.now(),
            started_us,
            read_us,
            attempts: epoch.attempts,
            position: epoch.position,
        };
        let outputs = self.walk_all(epoch.items, started_us)?;
        assemble(frame, outputs, &self.pipeline.bodies).map_err(|e| EngineError::Bodies(e.to_string()))
    }

    fn walk_all(&mut self, items: Vec<SourceItem>, read_us: i64) -> Result<Vec<ChunkOutput>, EngineError> {
        let total = items.len();
        let mut inputs = self.split(items, read_us)?.into_iter();
        let mut pending = inputs.next();
        let mut outputs = Vec::new();
        let mut in_flight = 0;
        while pending.is_some() || in_flight > 0 {
            // Hand over as long as the workers take, collect meanwhile: neither channel can then fill up for good.
            if let Some(chunk) = pending.take() {
                match self.chunks.try_send(chunk) {
                    Ok(()) => {
                        in_flight += 1;
                        pending = inputs.next();
                        continue;
                    }
                    Err(crossbeam_channel::TrySendError::Full(chunk)) => pending = Some(chunk),
                    Err(crossbeam_channel::TrySendError::Disconnected(_)) => {
                        return Err(EngineError::WorkerLost);
                    }
                }
            }
            outputs.push(self.results.recv().map_err(|_| EngineError::WorkerLost)?);
            in_flight -= 1;
        }
        outputs.sort_by_key(|o| o.index);
        self.sizer.learn(total, outputs.iter().map(|o| o.busy_us).sum());
        Ok(outputs)
    }

    fn split(&mut self, items: Vec<SourceItem>, read_us: i64) -> Result<Vec<ChunkInput>, EngineError> {
        let size = self.sizer.size(items.len());
        let mut chunks = Vec::with_capacity(items.len().div_ceil(size.max(1)));
        let mut items = items.into_iter().peekable();
        while items.peek().is_some() {
            let first = RowIndex::new(self.rows).ok_or(EngineError::TooManyRows)?;
            let part: Vec<_> = items.by_ref().take(size).collect();
            self.rows += part.len() as u64;
            chunks.push(ChunkInput { index: chunks.len(), first, read_us, items: part });
        }
        Ok(chunks)
    }
}
