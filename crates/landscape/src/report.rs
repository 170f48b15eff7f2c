//! Runs as they are shown: one whole, or in a list.

use std::collections::BTreeMap;

use elspeth_canonical::ContentHash;
use elspeth_contracts::{Micros, RunId, RunStatus};
use serde::Serialize;

use crate::{Counters, LandscapeError, LandscapeReader, RunRecord, RunSummary};

/// What `run_completed` and `status` show.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunReport {
    /// The run.
    pub run_id: RunId,
    /// How far it got.
    pub status: RunStatus,
    /// What the program ends with when a run ends so; none while it runs.
    pub exit_code: Option<u8>,
    /// From its start to its end, or until now.
    pub duration_seconds: f64,
    /// Where its record is: path, or URL without secrets.
    pub database: String,
    /// Counters, derived from the record.
    pub rows: Counters,
    /// Rows written, by sink.
    pub destinations: BTreeMap<String, u64>,
    /// Hash of everything but time, duration, host and run id; of a sealed run.
    pub content_root: Option<ContentHash>,
    /// Hash of everything; of a sealed run.
    pub record_root: Option<ContentHash>,
}

impl RunReport {
    /// The report of a run as its record is now.
    ///
    /// # Errors
    /// [`LandscapeError`] of the store.
    pub async fn load(
        reader: &dyn LandscapeReader,
        run: &RunRecord,
        database: String,
        now: Micros,
    ) -> Result<Self, LandscapeError> {
        let rows = reader.counters(run.run_no).await?;
        Ok(Self {
            run_id: run.run_id,
            status: run.status,
            exit_code: exit_code(run.status),
            duration_seconds: seconds(run.started_at, run.completed_at.unwrap_or(now)),
            database,
            destinations: rows.destinations.clone(),
            rows,
            content_root: run.content_root,
            record_root: run.record_root,
        })
    }
}

/// One run of `runs`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunListing {
    /// The run.
    pub run_id: RunId,
    /// How far it got.
    pub status: RunStatus,
    /// RFC 3339.
    pub started_at: String,
    /// RFC 3339.
    pub completed_at: Option<String>,
    /// From its start to its end; none while it runs.
    pub duration_seconds: Option<f64>,
    /// Rows recorded.
    pub rows: u64,
    /// Where its settings were read from.
    pub settings_path: String,
}

impl From<&RunSummary> for RunListing {
    fn from(run: &RunSummary) -> Self {
        Self {
            run_id: run.run_id,
            status: run.status,
            started_at: run.started_at.rfc3339(),
            completed_at: run.completed_at.map(Micros::rfc3339),
            duration_seconds: run.completed_at.map(|end| seconds(run.started_at, end)),
            rows: run.rows,
            settings_path: run.settings_path.clone(),
        }
    }
}

const fn exit_code(status: RunStatus) -> Option<u8> {
    match status {
        RunStatus::Running => None,
        RunStatus::Completed => Some(0),
        RunStatus::Failed => Some(1),
        RunStatus::Interrupted => Some(3),
    }
}

/// A clock that was set back gives no negative duration.
#[expect(clippy::cast_precision_loss, reason = "a duration of 285 years loses a microsecond")]
fn seconds(from: Micros, to: Micros) -> f64 {
    to.since(from).max(0) as f64 / 1_000_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_shows_times_as_text_and_a_duration_once_it_has_ended() {
        let mut run = RunSummary {
            run_id: "01JZ8Q4Z8N5X2V7K3M9T0B6C1D".parse().unwrap(),
            status: RunStatus::Running,
            started_at: Micros(1_000_000),
            completed_at: None,
            rows: 3,
            settings_path: "a.yaml".to_owned(),
        };
        assert_eq!(RunListing::from(&run).duration_seconds, None);
        (run.status, run.completed_at) = (RunStatus::Completed, Some(Micros(2_500_000)));
        let json = serde_json::to_string(&RunListing::from(&run)).unwrap();
        assert_eq!(
            json,
            r#"{"run_id":"01JZ8Q4Z8N5X2V7K3M9T0B6C1D","status":"completed","started_at":"1970-01-01T00:00:01.000000Z","completed_at":"1970-01-01T00:00:02.500000Z","duration_seconds":1.5,"rows":3,"settings_path":"a.yaml"}"#
        );
    }
}
