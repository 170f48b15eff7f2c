//! Reading the source: one thread, cut into epochs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use elspeth_canonical::HashVersion;
use elspeth_executors::{Pause, RetryPolicy, caught};
use elspeth_phases::{Phase, within};
use elspeth_plugin::{ReadProgress, Source, SourceError, SourceIdentity, SourceItem, SourcePosition};
use elspeth_value::FieldResolution;

use crate::EpochBounds;
use crate::measure::Measure;

/// What one read gave.
pub(crate) struct Batch {
    pub(crate) items: Vec<SourceItem>,
    pub(crate) bytes: u64,
    pub(crate) attempts: u32,
    pub(crate) read_time: Duration,
    /// Where the next read starts.
    pub(crate) position: SourcePosition,
    /// The source's headers, when there are further ones since the read before.
    pub(crate) headers: Option<Arc<FieldResolution>>,
}

/// Rows of one epoch, as they were read.
pub(crate) struct EpochRows {
    pub(crate) items: Vec<SourceItem>,
    /// The most attempts that one of its reads took.
    pub(crate) attempts: u32,
    pub(crate) read_time: Duration,
    pub(crate) position: SourcePosition,
    pub(crate) headers: Option<Arc<FieldResolution>>,
}

/// Smallest read; doubled while rows are small.
const FIRST_READ: usize = 64;

/// Reads one source on behalf of a run.
pub(crate) struct Intake<'a> {
    pub(crate) source: &'a mut dyn Source,
    pub(crate) version: HashVersion,
    pub(crate) bounds: EpochBounds,
    pub(crate) measure: &'a Measure,
    pub(crate) retry: RetryPolicy,
    pub(crate) pause: &'a dyn Pause,
}

impl Intake<'_> {
    /// Reads until the source ends, fails, or `stop` is set. Returns what was read, and whether that was all of it.
    pub(crate) fn read_all(
        &mut self,
        stop: &AtomicBool,
        batches: &Sender<Batch>,
    ) -> Result<(SourceIdentity, bool), SourceError> {
        let mut max = FIRST_READ.min(self.measure.rows());
        let mut read_bytes = self.source.identity().read_bytes;
        let mut known = self.source.field_resolution().fields.len();
        while !stop.load(Ordering::Relaxed) {
            let started = Instant::now();
            let Read { items, progress, attempts } = self.read_retrying(max)?;
            let total = self.source.identity().read_bytes;
            let bytes = total.saturating_sub(read_bytes);
            read_bytes = total;
            let full = items.len() >= max;
            if !items.is_empty() {
                let position = self.source.position();
                let headers = self.further_headers(&mut known);
                let read_time = started.elapsed();
                let batch = Batch { items, bytes, attempts, read_time, position, headers };
                if batches.send(batch).is_err() {
                    break;
                }
            }
            if progress == ReadProgress::End {
                return Ok((self.source.identity(), true));
            }
            max = next_read_size(max, full, bytes, (self.bounds.bytes / 2, self.measure.rows()));
        }
        Ok((self.source.identity(), false))
    }

    /// The source's headers, if there are more than were `known`.
    fn further_headers(&self, known: &mut usize) -> Option<Arc<FieldResolution>> {
        let resolution = self.source.field_resolution();
        let more = resolution.fields.len() > *known;
        *known = resolution.fields.len();
        more.then(|| Arc::new(resolution))
    }

    /// One read; a failure that another attempt could mend is tried again from the last position.
    fn read_retrying(&mut self, max: usize) -> Result<Read, SourceError> {
        let position = self.source.position();
        let mut waits = self.retry.waits(max as u64);
        let mut attempts = 1;
        loop {
            let mut items = Vec::with_capacity(max);
            let result = within(Phase::Sense, || caught("source", || self.source.read(max, &mut items)))
                .unwrap_or_else(|reason| Err(SourceError::new(reason.message)));
            match result {
                Ok(progress) => return Ok(Read { items, progress, attempts }),
                Err(error) => match waits.next().filter(|_| error.retryable) {
                    Some(wait) => self.pause.pause(wait),
                    None => return Err(error),
                },
            }
            attempts += 1;
            self.source.open(self.version, Some(&position))?;
        }
    }
}

struct Read {
    items: Vec<SourceItem>,
    progress: ReadProgress,
    attempts: u32,
}

/// Reads grow while they are cheap and shrink before they could fill the memory; `most` rows.
fn next_read_size(max: usize, full: bool, bytes: u64, (budget, most): (u64, usize)) -> usize {
    let size = match bytes {
        _ if bytes > budget => (max / 4).max(1),
        _ if full && bytes * 2 < budget => max * 2,
        _ => max,
    };
    size.min(most)
}

/// Joins batches into epochs.
pub(crate) struct EpochCutter<'a> {
    batches: Receiver<Batch>,
    bounds: EpochBounds,
    measure: &'a Measure,
    held: Option<Batch>,
    stop: &'a AtomicBool,
    /// Whether it was said that the run is to stop.
    told: bool,
}

impl<'a> EpochCutter<'a> {
    pub(crate) fn new(
        batches: Receiver<Batch>,
        (bounds, measure): (EpochBounds, &'a Measure),
        stop: &'a AtomicBool,
    ) -> Self {
        Self { batches, bounds, measure, held: None, stop, told: false }
    }

    /// The next epoch's rows; waits for the first as long as it takes or as `patience` allows, for more as long as the
    /// bounds say.
    pub(crate) fn next_epoch(&mut self, mut patience: impl FnMut() -> Option<Duration>) -> Next {
        let first = loop {
            if let Some(held) = self.held.take() {
                break held;
            }
            // The time that patience is measured by need not be this thread's, so it is asked again.
            let received = match patience() {
                None => self.batches.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(Duration::ZERO) => return Next::Timer,
                Some(wait) => self.batches.recv_timeout(wait.min(LOOK)),
            };
            match received {
                Ok(batch) => break batch,
                Err(RecvTimeoutError::Timeout) if !self.told && self.stop.load(Ordering::Relaxed) => {
                    self.told = true;
                    return Next::Stop;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Next::End,
            }
        };
        let deadline = Instant::now() + self.bounds.wait;
        let mut bytes = first.bytes;
        let mut epoch = EpochRows {
            items: first.items,
            attempts: first.attempts,
            read_time: first.read_time,
            position: first.position,
            headers: first.headers,
        };
        let most = self.measure.rows();
        while epoch.items.len() < most && bytes < self.bounds.bytes {
            match self.batches.recv_deadline(deadline) {
                Ok(batch) if epoch.items.len() + batch.items.len() > most => {
                    self.held = Some(batch);
                    break;
                }
                Ok(batch) => {
                    bytes += batch.bytes;
                    epoch.items.extend(batch.items);
                    epoch.attempts = epoch.attempts.max(batch.attempts);
                    epoch.read_time += batch.read_time;
                    epoch.position = batch.position;
                    epoch.headers = batch.headers.or(epoch.headers);
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        Next::Rows(epoch)
    }
}

/// Why a wait for rows is over.
pub(crate) enum Next {
    /// Rows came.
    Rows(EpochRows),
    /// Something else is due.
    Timer,
    /// The run is to stop while something waits for its time, and maybe the source for input that never comes. Said once.
    Stop,
    /// There are no more.
    End,
}

/// How long a wait lasts before its end is looked at again.
const LOOK: Duration = Duration::from_millis(100);
