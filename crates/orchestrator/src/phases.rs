use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use elspeth_canonical::HashVersion;
use elspeth_contracts::{Clock, EpochNo, ErrorReason, RunId, RunStatus};
use elspeth_engine::{EngineError, EngineOptions, EpochWork, Finished, Pipeline, drive};
use elspeth_executors::{DeckContext, Dispatcher, Policies, SinkDeck, caught};
use elspeth_landscape::integrity::{DecidedDigest, TreesAhead};
use elspeth_landscape::{LandscapeError, LandscapeWriter, Recorder, RunSeal, SourceRecord};
use elspeth_plugin::{SinkContext, Source, SourceError};
use tokio::sync::mpsc;

use crate::act::{Acted, Acting, Actor};
use crate::plan::source_record;
use crate::{Progress, RunError, RunObserver, RunPlan};

/// How long a finished epoch may wait for the next one's decisions before it is committed alone.
const IDLE: Duration = Duration::from_millis(250);

/// How often the owner of a run that waits for its source shows that it lives, and looks whether it should stop.
const PULSE: Duration = Duration::from_secs(1);

/// How a run ended. Its record says the same.
#[derive(Debug)]
pub struct RunEnd {
    /// The run.
    pub run_id: RunId,
    /// Completed, failed or interrupted.
    pub status: RunStatus,
    /// Why it failed.
    pub error: Option<RunError>,
    /// Rows whose decisions are durable.
    pub rows: u64,
}

/// Takes a plan through one run. `stop` asks it to finish the epochs under way and end as interrupted.
///
/// # Errors
/// [`RunError`] when the run could not be begun (nothing is recorded then), or when its end could not be recorded.
/// A run that began and failed is an `Ok` with status failed.
pub async fn run(
    mut plan: RunPlan,
    writer: Box<dyn LandscapeWriter>,
    stop: Arc<AtomicBool>,
    observer: &mut dyn RunObserver,
) -> Result<RunEnd, RunError> {
    open_source(plan.source.as_mut(), plan.hash_version)?;
    let start = plan.start();
    let (run_id, clock) = (plan.run_id, Arc::clone(&plan.clock));
    let mut recorder = Recorder::begin(writer, &start).await?;
    observer.started(run_id);
    let mut course =
        Course { source: start.source, rows: 0, last: EpochNo::default(), began_us: clock.monotonic_us() };
    let outcome = epochs(plan, &mut recorder, &mut course, (&stop, observer)).await;
    let (status, error) = match outcome {
        Ok(true) => (RunStatus::Completed, None),
        Ok(false) => (RunStatus::Interrupted, None),
        Err(error) => {
            recorder.rollback().await?;
            (RunStatus::Failed, Some(error))
        }
    };
    let reason = error.as_ref().map(RunError::reason);
    seal(recorder, (status, reason), course.source, clock.as_ref()).await?;
    Ok(RunEnd { run_id, status, error, rows: course.rows })
}

/// How far the run is.
struct Course {
    source: SourceRecord,
    rows: u64,
    last: EpochNo,
    began_us: u64,
}

fn open_source(source: &mut dyn Source, version: HashVersion) -> Result<(), RunError> {
    caught("source", || source.open(version, None))
        .unwrap_or_else(|reason| Err(SourceError::new(reason.message)))
        .map_err(RunError::Source)
}

async fn seal(
    recorder: Recorder,
    (status, error): (RunStatus, Option<ErrorReason>),
    source: SourceRecord,
    clock: &dyn Clock,
) -> Result<(), LandscapeError> {
    let seal =
        RunSeal { completed_at: clock.now(), status, error, source, content_root: None, record_root: None };
    recorder.seal(seal).await.map(|_| ())
}

/// Every epoch, then the publication, unless the run is stopped. Whether the source was read to its end.
async fn epochs(
    plan: RunPlan,
    recorder: &mut Recorder,
    course: &mut Course,
    (stop, observer): (&Arc<AtomicBool>, &mut dyn RunObserver),
) -> Result<bool, RunError> {
    let clock = Arc::clone(&plan.clock);
    let (actor, engine, mut decided) = start_threads(plan, course.began_us, stop)?;
    actor.open().await?;
    let mut acting: Option<Acting> = None;
    let mut waiting_source = false;
    loop {
        let wait = if acting.is_some() { IDLE } else { PULSE };
        match tokio::time::timeout(wait, decided.recv()).await {
            Ok(Some(decided)) => {
                acting =
                    Some(commit(decided, recorder, acting.take(), &actor, (clock.as_ref(), course)).await?);
                observer.progress(course.progress(clock.as_ref()));
            }
            Ok(None) => break,
            Err(_) => match acting.take() {
                Some(pending) => finish(pending, recorder, clock.as_ref()).await?,
                None if stop.load(Ordering::Relaxed) => {
                    waiting_source = true;
                    break;
                }
                None => recorder.heartbeat(clock.now()).await?,
            },
        }
    }
    if let Some(pending) = acting {
        finish(pending, recorder, clock.as_ref()).await?;
    }
    if waiting_source {
        // The source waits for input that may never come; its thread ends with the process.
        return Ok(false);
    }
    let finished =
        engine.join().map_err(|_| RunError::Internal("the engine's thread panicked".to_owned()))??;
    course.source = source_record(finished.source.as_ref());
    if finished.exhausted {
        recorder.check_conservation().await?;
        let published = actor.publish(course.last).await?;
        commit_acted(published, recorder, clock.as_ref()).await?;
    }
    Ok(finished.exhausted)
}

/// Stages an epoch while the sinks still write the one before, commits both, and lets the sinks act on it.
async fn commit(
    Decided { work, digest }: Decided,
    recorder: &mut Recorder,
    acting: Option<Acting>,
    actor: &Actor,
    (clock, course): (&dyn Clock, &mut Course),
) -> Result<Acting, RunError> {
    let staged = recorder.stage_hashed(&work.decided, digest).await;
    let acted = match acting {
        Some(pending) => Some(pending.done().await?),
        None => None,
    };
    staged?;
    match acted {
        Some(acted) => commit_acted(acted, recorder, clock).await?,
        None => recorder.commit_hashed(None, clock.now()).await?,
    }
    course.rows += work.decided.rows.len() as u64;
    course.last = work.decided.epoch;
    actor.act(work).await
}

/// Commits what the sinks did, without waiting for another epoch.
async fn finish(pending: Acting, recorder: &mut Recorder, clock: &dyn Clock) -> Result<(), RunError> {
    commit_acted(pending.done().await?, recorder, clock).await
}

/// Commits what the sinks did, with what is staged; both are written while the digest is still being made.
async fn commit_acted(acted: Acted, recorder: &mut Recorder, clock: &dyn Clock) -> Result<(), RunError> {
    let epoch = Arc::clone(&acted.epoch);
    recorder.stage_acted(&epoch).await?;
    let digest = acted.digest().await?;
    Ok(recorder.commit_hashed(Some((&epoch, &digest)), clock.now()).await?)
}

/// An epoch as the engine's thread gives it: decided, and hashed there, off the way of the record.
struct Decided {
    work: EpochWork,
    digest: DecidedDigest,
}

type Engine = JoinHandle<Result<Finished, EngineError>>;

fn start_threads(
    plan: RunPlan,
    run_start_us: u64,
    stop: &Arc<AtomicBool>,
) -> Result<(Actor, Engine, mpsc::Receiver<Decided>), RunError> {
    let context = SinkContext {
        run_id: plan.run_id,
        sink: String::new(),
        hash_version: plan.hash_version,
        field_resolution: plan.source.field_resolution(),
    };
    let surroundings = DeckContext {
        sinks: context,
        retry: plan.retry,
        clock: Arc::clone(&plan.clock),
        pause: Arc::clone(&plan.pause),
        run_start_us,
        spans: plan.spans.clone(),
    };
    let deck = SinkDeck::new(&plan.graph, plan.sinks, surroundings).map_err(RunError::Act)?;
    let policies = Policies { limits: plan.limits, retry: plan.retry, pause: plan.pause };
    let pipeline = Pipeline {
        dispatcher: Dispatcher::new(&plan.graph, &plan.plugins, policies)?,
        graph: Arc::clone(&plan.graph),
        clock: plan.clock,
        bodies: plan.bodies,
        spans: plan.spans.clone(),
        options: EngineOptions {
            run_id: plan.run_id,
            hash_version: plan.hash_version,
            run_start_us,
            max_workers: plan.max_workers,
            bounds: plan.bounds,
        },
    };
    let (decided, epochs) = mpsc::channel(1);
    let (source, stop) = (plan.source, Arc::clone(stop));
    let version = plan.hash_version;
    let mut trees = TreesAhead::new(version);
    let engine = std::thread::spawn(move || {
        drive(&pipeline, source, &stop, |work| {
            let mut digest = DecidedDigest::of(version, &work.decided);
            digest.grow(&mut trees);
            decided.blocking_send(Decided { work, digest }).is_ok()
        })
    });
    Ok((Actor::spawn(deck, plan.graph, version), engine, epochs))
}

impl Course {
    fn progress(&self, clock: &dyn Clock) -> Progress {
        let elapsed = clock.monotonic_us().saturating_sub(self.began_us);
        Progress { rows: self.rows, elapsed_seconds: Duration::from_micros(elapsed).as_secs_f64() }
    }
}
