use elspeth_contracts::RunId;

/// Is told how a run gets on, after each step is recorded.
pub trait RunObserver {
    /// The run is registered; rows follow.
    fn started(&mut self, run_id: RunId);
    /// An epoch was committed.
    fn progress(&mut self, progress: Progress);
    /// The run was asked to stop, and finishes what is under way.
    fn stopping(&mut self) {}
    /// Whether it writes to standard output, where nothing may come in between.
    fn keeps_stdout(&self) -> bool {
        false
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Rows whose decisions are durable.
    pub rows: u64,
    /// Seconds since the run began.
    pub elapsed_seconds: f64,
}

impl Progress {
    /// Rows a second since the run began.
    #[must_use]
    pub fn rate(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "shown, not computed with")]
        let rows = self.rows as f64;
        if self.elapsed_seconds > 0.0 { rows / self.elapsed_seconds } else { 0.0 }
    }
}
