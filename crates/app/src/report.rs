use elspeth_contracts::{Clock, Grade, RowIndex, RunStatus, SystemClock};
use elspeth_landscape::{FailureGroup, ResumptionRecord, RunRecord, failures};
use serde::Serialize;

use crate::store::{Reader, block_on, open_reader};
use crate::{AppError, DatabaseChoice};

/// What became of a run: the last event of `run --json`, and `status --json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunReport {
    /// What every program that reads our output relies on.
    #[serde(flatten)]
    pub run: elspeth_landscape::RunReport,
    /// Committed epochs.
    pub epochs: u64,
    /// RFC 3339.
    pub started_at: String,
    /// Where the settings were read from.
    pub settings_path: String,
    /// How much can be reproduced from the record.
    pub grade: Grade,
    /// Tokens that ended without a sink.
    pub discarded: u64,
    /// Rows that are decided and not acted on by sinks, and tokens that wait in batches and merges.
    pub unfinished: u64,
    /// Failures by node, kind and destination.
    pub failures: Vec<FailureGroup>,
    /// Why the run failed.
    pub error: Option<String>,
    /// What to do about that; known to the process that ran it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Whether it can be resumed: it ended before its work was done, or its owner is gone, and its bodies are there.
    pub resumable: bool,
    /// The times that it was taken up after a stop.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resumptions: Vec<ResumptionView>,
    /// A row worth explaining: one that failed, else the first.
    pub example_row: Option<u64>,
    /// What went wrong beside the run, such as telemetry that nobody took.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// One time that a run was taken up after a stop.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ResumptionView {
    /// RFC 3339.
    pub resumed_at: String,
    /// The first row that was read then.
    pub from_row: u64,
    /// Whether it went on with other settings than it began with; they are recorded.
    pub other_settings: bool,
    /// Whether a change of the source was accepted; what changed is recorded.
    pub accepted_changed_source: bool,
}

impl ResumptionView {
    fn of(record: &ResumptionRecord) -> Self {
        Self {
            resumed_at: record.at.rfc3339(),
            from_row: record.resumption.row,
            other_settings: record.resumption.settings.is_some(),
            accepted_changed_source: record.resumption.accepted_source.is_some(),
        }
    }
}

/// What became of a run.
///
/// # Errors
/// [`AppError`] when there is no such database or run.
pub fn status(database: &DatabaseChoice, run: &str) -> Result<RunReport, AppError> {
    block_on(async {
        let reader = open_reader(database).await?;
        let run = reader.run(run).await?;
        report(&reader, &run).await
    })?
}

/// The report of a run, computed from its record.
pub(crate) async fn report(reader: &Reader, record: &RunRecord) -> Result<RunReport, AppError> {
    let store = reader.store.as_ref();
    let free = reader.is_free(record).await?;
    // A run whose owner is gone took as long as there was a sign of life.
    let gone = free && record.status == RunStatus::Running;
    let now = if gone { record.heartbeat_at } else { SystemClock::new().now() };
    let run = elspeth_landscape::RunReport::load(store, record, reader.location.clone(), now).await?;
    let failures = failures(store, None, record, 0).await?.groups;
    let first = store.failures(record.run_no, 1).await?.first().and_then(|f| f.row_index).map(RowIndex::get);
    let rows = &run.rows;
    let unfinished = match record.status {
        RunStatus::Completed => 0,
        RunStatus::Running | RunStatus::Failed | RunStatus::Interrupted => {
            store.rows_to_act_on(record.run_no).await? + rows.buffered
        }
    };
    let settled = rows.succeeded + rows.failed + rows.routed + rows.quarantined + rows.diverted;
    let written: u64 = run.destinations.values().sum();
    Ok(RunReport {
        epochs: record.epochs,
        started_at: record.started_at.rfc3339(),
        settings_path: record.settings_path.clone(),
        grade: record.grade,
        resumable: record.status != RunStatus::Completed && record.grade != Grade::AttributableOnly && free,
        discarded: settled.saturating_sub(written),
        unfinished,
        failures,
        error: record.error.as_ref().map(|e| e.message.clone()),
        help: None,
        resumptions: store.resumptions(record.run_no).await?.iter().map(ResumptionView::of).collect(),
        example_row: first.or_else(|| (rows.processed > 0).then_some(0)),
        warnings: Vec::new(),
        run,
    })
}

impl RunReport {
    /// The same, with more that went wrong beside the run.
    pub(crate) fn warned(mut self, warnings: impl IntoIterator<Item = String>) -> Self {
        self.warnings.extend(warnings);
        self
    }

    /// Whether the bodies of its rows were purged, so that it cannot be resumed.
    #[must_use]
    pub fn is_purged(&self) -> bool {
        self.grade == Grade::AttributableOnly
    }

    /// Whether any row failed, was quarantined or diverted.
    #[must_use]
    pub fn has_failures(&self) -> bool {
        !self.failures.is_empty()
    }
}
