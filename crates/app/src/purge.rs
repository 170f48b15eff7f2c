//! Purging bodies: what would go, and letting it go.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use elspeth_contracts::{Clock, Micros, PurgeStatus, RunId, RunStatus, SystemClock};
use elspeth_landscape::purge::{
    LargeBodies, OpenOther, PurgeCandidate, PurgeOutcome, PurgeRule, PurgeStart, PurgeVerdict, PurgeView,
    RecordedPurge, large_bodies,
};
use elspeth_landscape_sql::Landscape;
use serde::Serialize;

use crate::lease;
use crate::signing::signer;
use crate::store::{block_on, database_url, landscape, location, open_reader};
use crate::{AppError, DatabaseChoice, EnvChoice};

/// Which runs are to be purged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurgeChoice {
    /// Only those that ended as many days ago. Without it a run that is named may be of any age, and others must be older
    /// than the `payload_store.retention_days` of their own settings.
    pub older_than_days: Option<u32>,
    /// Only that one: an id, a unique prefix of one, or `latest`.
    pub run: Option<String>,
    /// Where the key comes from that signs, where no settings are given.
    pub env: EnvChoice,
}

/// What a purge would do, as long as nothing changes.
#[derive(Debug)]
pub struct PurgePlan {
    database: Landscape,
    path: PathBuf,
    starts: Vec<PurgeStart>,
    report: PurgeReport,
}

/// What a purge did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PurgeReport {
    /// Where the record is.
    pub database: String,
    /// Whether nothing was done.
    pub dry_run: bool,
    /// Whether nothing is left to be done by another purge.
    pub finished: bool,
    /// The runs whose bodies go.
    pub runs: Vec<PurgeRun>,
    /// Runs that were asked for, or are old enough, and stay.
    pub skipped: Vec<SkippedRun>,
    /// Stores from which large bodies could not be removed yet.
    pub waiting: Vec<WaitingStore>,
}

/// A run whose bodies go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PurgeRun {
    /// The run.
    pub run_id: RunId,
    /// How far it got.
    pub status: RunStatus,
    /// RFC 3339; of a run without end the last sign of life.
    pub ended_at: String,
    /// Whether an earlier purge began and did not come to its end.
    pub begun_before: bool,
    /// Whether it could have been resumed, and cannot any more.
    pub ends_resume: bool,
    /// Blocks of bodies in the database: one for each epoch.
    pub blocks: u64,
    /// Their bytes.
    pub block_bytes: u64,
    /// Large bodies in the payload store; in a dry run those that the run refers to, whoever else does.
    pub large_bodies: u64,
    /// Their bytes.
    pub large_bytes: u64,
    /// Large bodies that stay since another run or record refers to them.
    pub kept_bodies: u64,
    /// Whether all of it is gone.
    pub finished: bool,
}

/// A run that stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SkippedRun {
    /// The run.
    pub run_id: RunId,
    /// How far it got.
    pub status: RunStatus,
    /// Why it stays.
    pub reason: String,
}

/// A payload store that could not be cleared yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WaitingStore {
    /// Its folder.
    pub payload_store: PathBuf,
    /// Why, and what to do.
    pub reason: String,
}

/// What a purge of these runs would do. Changes nothing.
///
/// # Errors
/// [`AppError`] when there is no such database, run or payload store, or the record contradicts itself.
pub fn purge_plan(database: &DatabaseChoice, choice: &PurgeChoice) -> Result<PurgePlan, AppError> {
    block_on(async {
        let url = database_url(database)?;
        let named = match &choice.run {
            Some(run) => Some(open_reader(database).await?.run(run).await?.run_id),
            None => None,
        };
        let landscape = landscape(&url)?.with_signer(signer(database, &choice.env)?);
        let mut view = landscape.purge_view()?;
        let mut survey = Survey::new(&mut view, SystemClock::new().now());
        for run in survey.view.candidates().await? {
            survey.look(run, choice, named).await?;
        }
        let (starts, report) = survey.finish(location(&url)).await?;
        Ok(PurgePlan {
            database: landscape,
            path: url.file().map_or_else(|| location(&url).into(), Path::to_path_buf),
            starts,
            report,
        })
    })?
}

/// Carries out what was planned, and finishes what an earlier purge did not.
///
/// # Errors
/// [`AppError`] when the record or a payload store cannot be written, or contradicts itself. What is not done then is done
/// by the next purge.
pub fn purge(plan: PurgePlan) -> Result<PurgeReport, AppError> {
    let PurgePlan { database, path, starts, report } = plan;
    block_on(async {
        let mut purger = database.purger()?;
        let now = SystemClock::new().now();
        let open_other: OpenOther<'_> = &|path| Ok(Box::new(crate::store::noted(path)?.purge_view()?));
        let outcome = elspeth_landscape::purge::purge(&mut purger, &starts, (&path, open_other), now).await?;
        Ok(report.after(outcome))
    })?
}

impl PurgePlan {
    /// What it would do.
    #[must_use]
    pub const fn report(&self) -> &PurgeReport {
        &self.report
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.report.runs.is_empty()
    }
}

/// Looks at runs one after the other.
struct Survey<'v> {
    view: &'v mut dyn PurgeView,
    now: Micros,
    seen: BTreeMap<i64, PurgeCandidate>,
    starts: Vec<PurgeStart>,
    runs: Vec<PurgeRun>,
    skipped: Vec<SkippedRun>,
}

impl<'v> Survey<'v> {
    fn new(view: &'v mut dyn PurgeView, now: Micros) -> Self {
        Self { view, now, seen: BTreeMap::new(), starts: Vec::new(), runs: Vec::new(), skipped: Vec::new() }
    }

    async fn look(
        &mut self,
        run: PurgeCandidate,
        choice: &PurgeChoice,
        named: Option<RunId>,
    ) -> Result<(), AppError> {
        self.seen.insert(run.run_no, run.clone());
        if named.is_some_and(|named| named != run.run_id) {
            return Ok(());
        }
        let by_name = named.is_some();
        let place = Place::of(&run.settings);
        let retention = if by_name { None } else { place.retention_days };
        let older_than_days = choice.older_than_days.or(retention);
        if older_than_days.is_none() && !by_name {
            self.skip(&run, "its settings say nothing of how long bodies are kept; give --older-than");
            return Ok(());
        }
        let now = self.view.lease_clock(&run).await?.unwrap_or(self.now);
        let alive = !lease::is_gone(&run.owner, run.heartbeat_at, now);
        match (PurgeRule { by_name, older_than_days }).verdict(&run, alive, self.now) {
            PurgeVerdict::Purge => self.plan(run, place, (by_name, older_than_days), false).await?,
            PurgeVerdict::PurgeForGood => self.plan(run, place, (by_name, older_than_days), true).await?,
            PurgeVerdict::Nothing if by_name => self.skip(&run, "it has no bodies"),
            PurgeVerdict::Younger if by_name => self.skip(&run, "it is not as old"),
            PurgeVerdict::Nothing | PurgeVerdict::Younger => {}
            PurgeVerdict::Alive => self.skip(&run, "it is under way"),
            PurgeVerdict::Resumable => self.skip(
                &run,
                "it can still be resumed, which needs its bodies; name it with --run to purge it for good",
            ),
        }
        Ok(())
    }

    fn skip(&mut self, run: &PurgeCandidate, reason: &str) {
        self.skipped.push(SkippedRun { run_id: run.run_id, status: run.status, reason: reason.to_owned() });
    }

    async fn plan(
        &mut self,
        run: PurgeCandidate,
        place: Place,
        (by_name, older_than_days): (bool, Option<u32>),
        ends_resume: bool,
    ) -> Result<(), AppError> {
        let large = large_bodies(self.view, run.run_no).await?;
        let payload_store = place.store_for(&run, large)?;
        self.runs.push(PurgeRun {
            blocks: run.blocks,
            block_bytes: run.block_bytes,
            large_bodies: large.files,
            large_bytes: large.bytes,
            ends_resume,
            ..PurgeRun::of(&run)
        });
        self.starts.push(PurgeStart { run, now: self.now, older_than_days, by_name, payload_store });
        Ok(())
    }

    /// Adds what an earlier purge left: its runs need no new one.
    async fn finish(mut self, database: String) -> Result<(Vec<PurgeStart>, PurgeReport), AppError> {
        for open in self.view.open_purges().await? {
            self.starts.retain(|start| start.run.run_no != open.run_no);
            self.runs.retain(|run| run.run_id != open.run_id);
            self.skipped.retain(|run| run.run_id != open.run_id);
            let Some(run) = self.seen.get(&open.run_no) else { continue };
            self.runs.push(PurgeRun {
                begun_before: true,
                blocks: run.blocks,
                block_bytes: run.block_bytes,
                large_bodies: open.files_left,
                ..PurgeRun::of(run)
            });
        }
        let (runs, skipped) = (self.runs, self.skipped);
        let finished = runs.is_empty();
        Ok((
            self.starts,
            PurgeReport { database, dry_run: true, finished, runs, skipped, waiting: Vec::new() },
        ))
    }
}

impl PurgeRun {
    /// Before anything of it is counted.
    fn of(run: &PurgeCandidate) -> Self {
        Self {
            run_id: run.run_id,
            status: run.status,
            ended_at: run.completed_at.unwrap_or(run.heartbeat_at).rfc3339(),
            begun_before: false,
            ends_resume: false,
            blocks: 0,
            block_bytes: 0,
            large_bodies: 0,
            large_bytes: 0,
            kept_bodies: 0,
            finished: false,
        }
    }

    fn after(self, purge: &RecordedPurge) -> Self {
        Self {
            blocks: purge.blocks,
            block_bytes: purge.block_bytes,
            large_bodies: purge.files,
            large_bytes: purge.file_bytes,
            kept_bodies: purge.kept_files,
            finished: purge.status == PurgeStatus::Done,
            ..self
        }
    }
}

impl PurgeReport {
    fn after(self, outcome: PurgeOutcome) -> Self {
        let recorded: BTreeMap<RunId, &RecordedPurge> =
            outcome.purges.iter().map(|purge| (purge.run_id, purge)).collect();
        let runs = self.runs.into_iter().map(|run| match recorded.get(&run.run_id) {
            Some(purge) => run.after(purge),
            None => run,
        });
        let waiting = outcome
            .waiting
            .into_iter()
            .map(|waiting| WaitingStore { payload_store: waiting.store, reason: waiting.reason })
            .collect();
        let runs: Vec<_> = runs.collect();
        let finished = runs.iter().all(|run| run.finished);
        Self { dry_run: false, finished, runs, waiting, ..self }
    }
}

/// What a run's own settings say of its bodies.
struct Place {
    base: Option<String>,
    retention_days: Option<u32>,
}

impl Place {
    fn of(settings: &str) -> Self {
        let settings: serde_json::Value = serde_json::from_str(settings).unwrap_or_default();
        let store = &settings["payload_store"];
        Self {
            base: store["base_path"].as_str().map(str::to_owned),
            retention_days: store["retention_days"].as_u64().and_then(|days| u32::try_from(days).ok()),
        }
    }

    /// The folder of the run's large bodies, which must be here if it has any: else they would stay where they are.
    fn store_for(&self, run: &PurgeCandidate, large: LargeBodies) -> Result<PathBuf, AppError> {
        let base = self.base.as_deref().unwrap_or_default();
        let store = std::path::absolute(base).unwrap_or_else(|_| PathBuf::from(base));
        if large.files == 0 || (!base.is_empty() && store.is_dir()) {
            return Ok(store);
        }
        Err(AppError::NotFound {
            message: format!(
                "run {} has {} large bodies in {}, but there is no such folder",
                run.run_id,
                large.files,
                store.display()
            ),
            help: Some(
                "purge from the folder in which the run was started; if the bodies are gone for good, make an empty \
                 folder there"
                    .to_owned(),
            ),
        })
    }
}
