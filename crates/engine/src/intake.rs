//! Reading the source: one thread, cut into epochs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use elspeth_executors::caught;
use elspeth_plugin::{ReadProgress, Source, SourceError, SourceIdentity, SourceItem, SourcePosition};

use crate::EpochBounds;

/// What one read gave.
pub(crate) struct Batch {
    pub(crate) items: Vec<SourceItem>,
    pub(crate) bytes: u64,
    pub(crate) read_time: Duration,
    /// Where the next read starts.
    pub(crate) position: SourcePosition,
}

/// Rows of one epoch, as they were read.
pub(crate) struct EpochRows {
    pub(crate) items: Vec<SourceItem>,
    pub(crate) read_time: Duration,
    pub(crate) position: SourcePosition,
}

/// Smallest read; doubled while rows are small.
const FIRST_READ: usize = 64;

/// Reads until the source ends, fails, or `stop` is set. Returns what was read, and whether that was all of it.
pub(crate) fn read_all(
    source: &mut dyn Source,
    bounds: EpochBounds,
    stop: &AtomicBool,
    batches: &Sender<Batch>,
) -> Result<(SourceIdentity, bool), SourceError> {
    let mut max = FIRST_READ.min(bounds.rows);
    let mut read_bytes = source.identity().read_bytes;
    while !stop.load(Ordering::Relaxed) {
        let started = Instant::now();
        let mut items = Vec::with_capacity(max);
        let progress = caught("source", || source.read(max, &mut items))
            .map_err(|reason| SourceError::new(reason.message))??;
        let total = source.identity().read_bytes;
        let bytes = total.saturating_sub(read_bytes);
        read_bytes = total;
        let full = items.len() >= max;
        if !items.is_empty() {
            let batch = Batch { items, bytes, read_time: started.elapsed(), position: source.position() };
            if batches.send(batch).is_err() {
                break;
            }
        }
        if progress == ReadProgress::End {
            return Ok((source.identity(), true));
        }
        max = next_read_size(max, full, bytes, bounds);
    }
    Ok((source.identity(), false))
}

/// Reads grow while they are cheap and shrink before they could fill the memory.
fn next_read_size(max: usize, full: bool, bytes: u64, bounds: EpochBounds) -> usize {
    let budget = bounds.bytes / 2;
    if bytes > budget {
        return (max / 4).max(1);
    }
    if full && bytes * 2 < budget { (max * 2).min(bounds.rows) } else { max }
}

/// Joins batches into epochs.
pub(crate) struct EpochCutter {
    batches: Receiver<Batch>,
    bounds: EpochBounds,
    held: Option<Batch>,
}

impl EpochCutter {
    pub(crate) fn new(batches: Receiver<Batch>, bounds: EpochBounds) -> Self {
        Self { batches, bounds, held: None }
    }

    /// The next epoch's rows; waits for the first row as long as it takes, for more as long as the bounds say.
    pub(crate) fn next_epoch(&mut self) -> Option<EpochRows> {
        let first = self.held.take().or_else(|| self.batches.recv().ok())?;
        let deadline = Instant::now() + self.bounds.wait;
        let mut bytes = first.bytes;
        let mut epoch =
            EpochRows { items: first.items, read_time: first.read_time, position: first.position };
        while epoch.items.len() < self.bounds.rows && bytes < self.bounds.bytes {
            match self.batches.recv_deadline(deadline) {
                Ok(batch) if epoch.items.len() + batch.items.len() > self.bounds.rows => {
                    self.held = Some(batch);
                    break;
                }
                Ok(batch) => {
                    bytes += batch.bytes;
                    epoch.items.extend(batch.items);
                    epoch.read_time += batch.read_time;
                    epoch.position = batch.position;
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        Some(epoch)
    }
}
