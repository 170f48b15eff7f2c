//! How a run shows that it gets on: JSON events, a bar, or plain lines.

use std::fmt;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use elspeth_app::{Diagnostic, Progress, RunId, RunObserver};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use serde_json::json;

use crate::output;

/// Plain lines and JSON events come at most this often.
const EVERY: Duration = Duration::from_secs(1);

const STOPPING: &str = "stopping: what is under way is finished first; a second signal stops at once";

/// One JSON event a line on stdout.
pub(crate) struct JsonEvents {
    last: Instant,
}

/// A bar on a terminal, plain lines elsewhere; on stderr.
pub(crate) struct Console {
    bar: Option<ProgressBar>,
    last: Instant,
}

impl JsonEvents {
    pub(crate) fn new(warnings: &[Diagnostic]) -> Self {
        for warning in warnings {
            event(
                &json!({ "event": "warning", "code": warning.code, "message": warning.message, "line": warning.line }),
            );
        }
        Self { last: Instant::now() }
    }
}

/// An event that cannot be printed must not stop a run whose record is sound.
fn event(value: &serde_json::Value) {
    drop(output::json(value));
}

impl RunObserver for JsonEvents {
    fn started(&mut self, run_id: RunId) {
        event(&json!({ "event": "run_started", "run_id": run_id.to_string() }));
    }

    fn progress(&mut self, progress: Progress) {
        if self.last.elapsed() < EVERY {
            return;
        }
        self.last = Instant::now();
        event(&json!({
            "event": "progress",
            "rows": progress.rows,
            "rate": progress.rate(),
            "elapsed_seconds": progress.elapsed_seconds,
        }));
    }

    fn stopping(&mut self) {
        event(&json!({ "event": "warning", "code": "stopping", "message": STOPPING }));
    }

    fn keeps_stdout(&self) -> bool {
        true
    }
}

impl Console {
    pub(crate) fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{spinner} {human_pos} rows  {rate} rows/s  {elapsed}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner());
            bar.set_style(style.with_key("rate", |state: &ProgressState, out: &mut dyn fmt::Write| {
                // A bar that cannot be drawn is no reason to stop a run.
                write!(out, "{:.0}", state.per_sec()).unwrap_or_default();
            }));
            bar
        });
        Self { bar, last: Instant::now() }
    }

    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl RunObserver for Console {
    fn started(&mut self, run_id: RunId) {
        if self.bar.is_none() {
            output::note(&format!("run {run_id} started"));
        }
    }

    fn progress(&mut self, progress: Progress) {
        match &self.bar {
            Some(bar) => bar.set_position(progress.rows),
            None if self.last.elapsed() >= EVERY => {
                self.last = Instant::now();
                output::note(&format!(
                    "{} rows, {:.0} rows/s",
                    output::grouped(progress.rows),
                    progress.rate()
                ));
            }
            None => {}
        }
    }

    fn stopping(&mut self) {
        match &self.bar {
            Some(bar) => bar.println(STOPPING),
            None => output::note(STOPPING),
        }
    }
}
