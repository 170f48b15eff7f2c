//! The pool that walks rows.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crossbeam_channel::{Receiver, Sender};
use elspeth_executors::panic_message;
use elspeth_phases::{Phase, enter};

use crate::EngineError;
use crate::chunk::{ChunkInput, ChunkOutput, ChunkWork};
use crate::drive::Pipeline;
use crate::walk::Walker;

/// How much work one chunk should be: enough to make handing it over cheap, little enough to share an epoch evenly.
const CHUNK_US: f64 = 400.0;
const MAX_CHUNK_ROWS: usize = 128;

/// Walks chunks until there are no more.
pub(crate) fn work(pipeline: &Pipeline, chunks: &Receiver<ChunkInput>, results: &Sender<ChunkOutput>) {
    let _decide = enter(Phase::Decide);
    let mut walker = Walker::new(pipeline);
    for ChunkInput { index, work } in chunks {
        // Who panicked takes no further chunk: what it left half-done is looked at by nobody.
        let walked = catch_unwind(AssertUnwindSafe(|| walk(&mut walker, work)));
        let panicked = walked.is_err();
        let out = walked.unwrap_or_else(|panic| ChunkOutput {
            broken: Some(lost(panic.as_ref())),
            ..ChunkOutput::default()
        });
        if results.send(ChunkOutput { index, ..out }).is_err() || panicked {
            return;
        }
    }
}

fn walk(walker: &mut Walker<'_>, work: ChunkWork) -> ChunkOutput {
    let clock = walker.pipeline.clock.as_ref();
    let mut out = ChunkOutput::default();
    let started = clock.monotonic_us();
    match work {
        ChunkWork::Rows(rows) => walker.rows(rows, &mut out),
        ChunkWork::Releases(releases) => {
            releases.into_iter().for_each(|release| walker.release(release, &mut out));
        }
    }
    out.busy_us = clock.monotonic_us().saturating_sub(started);
    out
}

/// What a thread's panic means.
pub(crate) fn lost(panic: &(dyn Any + Send)) -> EngineError {
    EngineError::WorkerLost(panic_message(panic).to_owned())
}

/// Chooses chunk sizes by what rows have cost so far.
pub(crate) struct ChunkSizer {
    workers: usize,
    row_us: Option<f64>,
}

impl ChunkSizer {
    pub(crate) fn new(workers: usize) -> Self {
        Self { workers, row_us: None }
    }

    /// Rows a chunk for an epoch of `rows`, of which these came back.
    pub(crate) fn size(&self, rows: usize, so_far: &[ChunkOutput]) -> usize {
        let share = rows.div_ceil(self.workers).max(1);
        let by_cost = match self.row_us.or_else(|| row_us(so_far)) {
            // Nothing known yet: many small chunks, in case each row waits for a service.
            None => 8,
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 1..=128")]
            Some(us) => (CHUNK_US / us.max(0.01)).clamp(1.0, MAX_CHUNK_ROWS as f64) as usize,
        };
        by_cost.min(share)
    }

    /// Learns from an epoch.
    pub(crate) fn learn(&mut self, outputs: &[ChunkOutput]) {
        if let Some(us) = row_us(outputs) {
            self.row_us = Some(self.row_us.map_or(us, |old| 0.5 * old + 0.5 * us));
        }
    }
}

/// What a row cost on average.
fn row_us(outputs: &[ChunkOutput]) -> Option<f64> {
    let rows: usize = outputs.iter().map(|output| output.rows.len()).sum();
    let busy_us: u64 = outputs.iter().map(|output| output.busy_us).sum();
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let us = busy_us as f64 / rows as f64;
    (rows > 0).then_some(us)
}
