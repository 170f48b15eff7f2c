use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use elspeth_config::DatabaseUrl;
use elspeth_contracts::{Clock as _, Grade, NodeRecord, RunStatus, Step, SystemClock};
use elspeth_landscape::{LandscapeError, ResumePoint, RunRecord};
use elspeth_orchestrator::RunObserver;
use serde::Serialize;

use crate::journal::{earlier, keeping};
use crate::lease::Tenure;
use crate::prepare::{prepare, prepare_recorded};
use crate::run::{Ended, report_of, unended};
use crate::store::{Reader, block_on, database_url, landscape, location, recorded_base};
use crate::verify::check_sound;
use crate::{AppError, DatabaseChoice, EnvChoice, Prepared, RunReport, SettingsChoice, telemetry};

/// Which run is to go on, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResumeChoice {
    /// A run id, a unique prefix of one, or `latest`.
    pub run: String,
    /// Settings to go on with; those of the record otherwise.
    pub settings: Option<SettingsChoice>,
    /// The database; without one that of the settings, or the usual one.
    pub database: DatabaseChoice,
    /// Where the key of fingerprints comes from, for recorded settings.
    pub env: EnvChoice,
    /// Whether to read on in a source that has changed.
    pub accept_changed_source: bool,
}

/// A run that can be taken up.
pub struct Resumable {
    prepared: Prepared,
    url: DatabaseUrl,
    seen: RunRecord,
    accept_changed_source: bool,
    /// Where it would go on.
    pub view: ResumeView,
}

/// Where a run would go on, and what is unfinished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ResumeView {
    /// The run.
    pub run_id: String,
    /// How it ended last time; `running` when its owner is gone.
    pub status: RunStatus,
    /// Why it failed, if it did.
    pub error: Option<String>,
    /// Where its record is.
    pub database: String,
    /// Where its settings were read from.
    pub settings_path: String,
    /// Whether it would go on with the settings of the record.
    pub settings_from_record: bool,
    /// Rows that are decided; reading goes on with the next one.
    pub rows: u64,
    /// Epochs that are decided.
    pub epochs: u64,
    /// Rows that were decided and not yet written to their sinks.
    pub unwritten: Vec<Unwritten>,
    /// Batches and merges that wait.
    pub open: Vec<StillWaiting>,
    /// Sinks whose output has its final name already.
    pub published: Vec<String>,
}

/// Rows that a sink has yet to get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unwritten {
    /// The sink.
    pub sink: String,
    /// How many.
    pub rows: u64,
}

/// Tokens that wait at a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StillWaiting {
    /// The node.
    pub node: String,
    /// Tokens in its open batch, or that have come to its merges.
    pub tokens: u64,
    /// Merges that wait; 0 for a batch.
    pub merges: u64,
}

/// Looks a run up that is to go on. Changes nothing.
///
/// # Errors
/// [`AppError`] when there is no such run, it is completed, somebody writes it, its record was altered, or its settings cannot
/// be used.
pub fn resumable(choice: &ResumeChoice) -> Result<Resumable, AppError> {
    let url = database_url(&choice.database)?;
    let location = location(&url);
    let (seen, free, point, nodes) = block_on(async {
        let reader = Reader { store: Box::new(landscape(&url)?.reader().await?), location: location.clone() };
        let seen = reader.run(&choice.run).await?;
        let free = reader.is_free(&seen).await?;
        let point = reader.store.resume_point(seen.run_no).await?;
        let nodes = reader.store.nodes(seen.run_no).await?;
        Ok::<_, AppError>((seen, free, point, nodes))
    })??;
    if seen.status == RunStatus::Completed {
        return Err(LandscapeError::Completed { run_id: seen.run_id }.into());
    }
    if seen.grade == Grade::AttributableOnly {
        return Err(purged(&seen));
    }
    if !free {
        return Err(alive(&seen));
    }
    sound(&url, &seen)?;
    let prepared = match &choice.settings {
        Some(settings) => prepare(settings)?,
        None => prepare_recorded(&seen, &choice.env)?,
    };
    same_store(&prepared, &seen)?;
    let names = Names(&nodes);
    let view = ResumeView {
        run_id: seen.run_id.to_string(),
        status: seen.status,
        error: seen.error.as_ref().map(|error| error.message.clone()),
        database: location,
        settings_path: seen.settings_path.clone(),
        settings_from_record: choice.settings.is_none(),
        rows: point.rows,
        epochs: point.next_epoch.0,
        unwritten: names.unwritten(&point),
        open: names.waiting(&point)?,
        published: point.published.iter().map(|step| names.of(*step)).collect(),
    };
    Ok(Resumable { prepared, url, seen, accept_changed_source: choice.accept_changed_source, view })
}

fn sound(url: &DatabaseUrl, seen: &RunRecord) -> Result<(), AppError> {
    block_on(async {
        let landscape = landscape(url)?;
        let reader = Reader { store: Box::new(landscape.reader().await?), location: location(url) };
        check_sound(&reader, &landscape, seen).await
    })?
}

/// Large bodies that are to come belong beside those that are there.
fn same_store(now: &Prepared, seen: &RunRecord) -> Result<(), AppError> {
    let is = &now.settings().payload_store.base_path;
    match recorded_base(&seen.settings) {
        Some(was) if was != *is => Err(AppError::Refused {
            message: format!("`payload_store.base_path` was `{was}` when the run began, and is `{is}` now"),
            help: Some("give it the path that it had: the run's large bodies are there".to_owned()),
        }),
        Some(_) | None => Ok(()),
    }
}

fn purged(run: &RunRecord) -> AppError {
    AppError::Refused {
        message: format!("the bodies of run {} were purged, so it cannot be resumed", run.run_id),
        help: Some("run the pipeline anew".to_owned()),
    }
}

fn alive(run: &RunRecord) -> AppError {
    let ahead = match run.heartbeat_at > SystemClock::new().now() {
        true => ", which is ahead of this machine's clock",
        false => "",
    };
    AppError::Refused {
        message: format!(
            "run {} is being written by {}, which last showed that it lives at {}{ahead}",
            run.run_id,
            run.owner,
            run.heartbeat_at.rfc3339()
        ),
        help: Some("let it finish, or stop it with SIGTERM; `elspeth status` shows how far it is".to_owned()),
    }
}

/// Goes on with a run. `stop` asks it to finish what is under way and end as interrupted again.
///
/// # Errors
/// [`AppError`] when it could not be taken up, or its end could not be recorded. A run that went on and failed again is a
/// report with status `failed`.
pub fn resume(
    resumable: Resumable,
    stop: Arc<AtomicBool>,
    observer: &mut dyn RunObserver,
) -> Result<RunReport, AppError> {
    let Resumable { mut prepared, url, seen, accept_changed_source, .. } = resumable;
    let database = prepared.landscape(&url)?;
    let journal = prepared.journal(&url);
    let epilogue = prepared.take_epilogue()?;
    let tenure = Tenure::begin();
    let (mut plan, guard) = prepared.into_plan(seen.run_id, &tenure, observer)?;
    plan.accept_changed_source = accept_changed_source;
    let report = block_on(async {
        let (reader, writer) = (database.reader().await?, database.writer().await?);
        let earlier = match &journal {
            Some(_) => Some(earlier(&reader, &database, &seen).await?),
            None => None,
        };
        let (writer, kept) = keeping(writer, journal.as_deref(), earlier)?;
        let store = (&reader as &dyn elspeth_landscape::LandscapeReader, writer);
        let end = elspeth_orchestrator::resume(plan, &seen, store, stop, observer).await;
        let end = end.map_err(|error| unended(error, &location(&url)))?;
        report_of(Ended { end, database: &database, location: location(&url), kept, epilogue }, None).await
    })?;
    let losses = telemetry::losses(guard);
    report.map(|report| report.warned(losses))
}

/// Names of steps.
struct Names<'a>(&'a [NodeRecord]);

impl Names<'_> {
    fn of(&self, step: Step) -> String {
        self.0.get(step.index()).map_or_else(|| format!("step {}", step.get()), |node| node.name.clone())
    }

    fn unwritten(&self, point: &ResumePoint) -> Vec<Unwritten> {
        let intents = point.pending.iter().flat_map(|pending| &pending.intents);
        intents
            .map(|intent| Unwritten { sink: self.of(intent.sink), rows: intent.tokens.len() as u64 })
            .collect()
    }

    fn waiting(&self, point: &ResumePoint) -> Result<Vec<StillWaiting>, AppError> {
        let Some(checkpoint) = &point.checkpoint else { return Ok(Vec::new()) };
        let waits = elspeth_engine::waits(&checkpoint.buffers).map_err(LandscapeError::from)?;
        let waiting = |wait: elspeth_engine::Wait| StillWaiting {
            node: self.of(wait.step),
            tokens: wait.tokens,
            merges: wait.merges,
        };
        Ok(waits.into_iter().map(waiting).collect())
    }
}

#[cfg(test)]
mod tests {
    use elspeth_landscape::Checkpoint;

    use super::*;

    #[test]
    fn what_waits_is_read_or_refused() {
        let point = |buffers: &str| ResumePoint {
            checkpoint: Some(Checkpoint {
                epoch: elspeth_contracts::EpochNo(0),
                source_position: "{}".to_owned(),
                buffers: buffers.to_owned(),
                hash_state: String::new(),
            }),
            ..ResumePoint::default()
        };
        let names = Names(&[]);
        assert_eq!(names.waiting(&ResumePoint::default()).unwrap(), []);
        assert_eq!(names.waiting(&point("")).unwrap(), []);
        let batch = r#"{"nodes":[{"step":2,"batch":{"number":1,"members":3,"age_us":5}}]}"#;
        let waiting = StillWaiting { node: "step 2".to_owned(), tokens: 3, merges: 0 };
        assert_eq!(names.waiting(&point(batch)).unwrap(), [waiting]);
        let error = names.waiting(&point("{")).unwrap_err();
        assert_eq!(error.exit_code(), 4, "{error}");
    }
}
