use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::thread::JoinHandle;
use std::time::Duration;

use elspeth_canonical::HashVersion;
use elspeth_contracts::{Clock, EpochNo, ErrorReason, RunId, RunStatus, Step};
use elspeth_engine::{
    EngineError, EngineOptions, EpochBounds, EpochWork, Finished, Pipeline, RowBound, Start, drive,
};
use elspeth_executors::{DeckContext, Dispatcher, Policies, SinkDeck, caught};
use elspeth_faults::{Act, Point, reach};
use elspeth_landscape::integrity::{DecidedDigest, TreesAhead};
use elspeth_landscape::{
    Durability, LandscapeError, LandscapeWriter, MOST_PENDING, Recorder, RunSeal, SourceRecord,
};
use elspeth_phases::{Phase, enter, within};
use elspeth_plugin::{SinkContext, SinkPosition, Source, SourceError, SourcePosition};
use tokio::sync::mpsc;

use crate::act::{Acted, Acting, Actor};
use crate::budget::Failures;
use crate::plan::source_record;
use crate::priority::stand_back;
use crate::{FailureBudget, Progress, RunError, RunObserver, RunPlan};

/// How long a finished epoch may wait for the next one's decisions before it is committed alone.
const IDLE: Duration = Duration::from_millis(250);

/// How often the owner of a run that waits for its source shows that it lives, and looks whether it should stop.
const PULSE: Duration = Duration::from_secs(1);

/// How often a run whose source is being opened looks whether it should stop.
const LOOK: Duration = Duration::from_millis(100);

/// Epochs that may be decided ahead of the record, beside the one that is being decided: enough that it need not wait for one when the
/// deciding threads get less of a core for a while, and few, since whoever stops the process loses them.
const AHEAD: usize = 2;

/// How long the next epoch's decisions lie in an open transaction, at most, while the sinks still write the one before.
const HELD: Duration = Duration::from_secs(2);

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
    plan.source = open_source(plan.source, plan.hash_version, None, &stop)?;
    let start = plan.start();
    let recorder = Recorder::begin(writer, &start).await?.with_heads_every(plan.heads_every);
    observer.started(plan.run_id);
    let began_us = plan.clock.monotonic_us();
    let course = Course {
        source: start.source,
        rows: 0,
        failures: Failures::default(),
        last: EpochNo::default(),
        began_us,
    };
    let entry = Entry { run_start_us: began_us, ..Entry::default() };
    to_the_end(plan, recorder, course, entry, (&stop, observer)).await
}

/// Everything from the first epoch on, or from where `entry` says.
pub(crate) async fn to_the_end(
    plan: RunPlan,
    mut recorder: Recorder,
    mut course: Course,
    entry: Entry,
    (stop, observer): (&Arc<AtomicBool>, &mut dyn RunObserver),
) -> Result<RunEnd, RunError> {
    let _record = enter(Phase::Record);
    let (run_id, clock) = (plan.run_id, Arc::clone(&plan.clock));
    let outcome = epochs(plan, &mut recorder, &mut course, entry, (stop, observer)).await;
    let (status, error) = match outcome {
        Ok(true) => (RunStatus::Completed, None),
        Ok(false) => (RunStatus::Interrupted, None),
        Err(error) => (RunStatus::Failed, Some(error)),
    };
    let reason = error.as_ref().map(RunError::reason);
    match end(recorder, (status, reason), course.source, clock.as_ref()).await {
        Ok(()) => Ok(RunEnd { run_id, status, error, rows: course.rows }),
        Err(unrecorded) => Err(unended(run_id, error, unrecorded)),
    }
}

/// Of a run whose end could not be recorded: what ended it is told too, unless that was the same.
fn unended(run_id: RunId, before: Option<RunError>, error: LandscapeError) -> RunError {
    let unreachable = matches!(error, LandscapeError::Store { .. });
    let before = before.filter(|before| unreachable || before.to_string() != error.to_string());
    if before.is_none() && !unreachable {
        return error.into();
    }
    RunError::EndNotRecorded { run_id, before: before.map(Box::new), error }
}

/// How far the run is.
pub(crate) struct Course {
    pub(crate) source: SourceRecord,
    pub(crate) rows: u64,
    pub(crate) failures: Failures,
    /// The last epoch that was decided.
    pub(crate) last: EpochNo,
    /// When this process began with it, by the monotonic clock.
    pub(crate) began_us: u64,
}

/// Where the epochs begin; the default is a run that begins.
#[derive(Default)]
pub(crate) struct Entry {
    pub(crate) start: Start,
    /// The run's start by the monotonic clock, whichever process it was in.
    pub(crate) run_start_us: u64,
    /// Of the sinks that have written.
    pub(crate) sinks: Vec<(Step, SinkPosition)>,
    /// Sinks whose publication is recorded. If there are any, the source was read to its end.
    pub(crate) published: Vec<Step>,
    /// Whether that is so and the source is not asked any more.
    pub(crate) all_read: bool,
    /// Epochs that were decided and not acted on, in their order.
    pub(crate) pending: VecDeque<EpochWork>,
}

/// Opens the source on a thread of its own: it may wait for input that never comes, and a run can be stopped then, too. The
/// thread ends with the process in that case.
pub(crate) fn open_source(
    mut source: Box<dyn Source>,
    version: HashVersion,
    position: Option<SourcePosition>,
    stop: &AtomicBool,
) -> Result<Box<dyn Source>, RunError> {
    let (sender, opened) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let result = caught("source", || source.open(version, position.as_ref()))
            .unwrap_or_else(|reason| Err(SourceError::new(reason.message)));
        drop(sender.send(result.map(|()| source)));
    });
    loop {
        match opened.recv_timeout(LOOK) {
            Ok(result) => return result.map_err(RunError::Source),
            Err(RecvTimeoutError::Timeout) if stop.load(Ordering::Relaxed) => return Err(RunError::Stopped),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(RunError::Internal("the source's thread ended".to_owned()));
            }
        }
    }
}

async fn end(
    mut recorder: Recorder,
    (status, error): (RunStatus, Option<ErrorReason>),
    source: SourceRecord,
    clock: &dyn Clock,
) -> Result<(), LandscapeError> {
    recorder.rollback().await?;
    let seal =
        RunSeal { completed_at: clock.now(), status, error, source, content_root: None, record_root: None };
    recorder.seal(seal).await.map(|_| ())
}

/// Every epoch, then the publication, unless the run is stopped. Whether the source was read to its end.
async fn epochs(
    plan: RunPlan,
    recorder: &mut Recorder,
    course: &mut Course,
    mut entry: Entry,
    (stop, observer): (&Arc<AtomicBool>, &mut dyn RunObserver),
) -> Result<bool, RunError> {
    let clock = Arc::clone(&plan.clock);
    let pending = std::mem::take(&mut entry.pending);
    let over = !entry.published.is_empty();
    // What is published was within the budget of then.
    let budget = if over { FailureBudget::default() } else { plan.budget };
    // Whether a run fails by its budget must not depend on how quick its sinks are.
    let behind = if budget.is_limited() { 1 } else { MOST_PENDING };
    course.within(budget, false)?;
    let rows = plan.epoch_rows.map_or_else(|| RowBound::UpTo(recorder.epoch_rows()), RowBound::Fixed);
    let Threads { actor, engine, deciding, mut decided } =
        start_threads(plan, (entry, recorder.trees(), rows), stop)?;
    alive(&mut actor.open().await?, recorder, clock.as_ref()).await?;
    let mut acting = VecDeque::new();
    for work in pending {
        acting.push_back(actor.act(work, Durability::default()).await?);
    }
    if budget.is_limited() {
        // Whether it is spent already is known before anything further is decided.
        while let Some(pending) = acting.pop_front() {
            settle(pending, recorder, (clock.as_ref(), course)).await?.wait()?;
            course.within(budget, false)?;
        }
    }
    let mut told = false;
    let mut waiting_source = false;
    loop {
        if !told && stop.load(Ordering::Relaxed) {
            told = true;
            observer.stopping();
        }
        let wait = if acting.is_empty() { PULSE } else { IDLE };
        match tokio::time::timeout(wait, decided.recv()).await {
            Ok(Some(_)) if over => return Err(longer_than_published()),
            Ok(Some(decided)) => {
                let late = acting.len() >= behind;
                let (work, durable) =
                    commit(decided, recorder, (&mut acting, late), (clock.as_ref(), course)).await?;
                course.within(budget, false)?;
                acting.push_back(actor.act(work, durable).await?);
                observer.progress(course.progress(clock.as_ref()));
            }
            Ok(None) => break,
            Err(_) => match acting.pop_front() {
                Some(pending) => settle(pending, recorder, (clock.as_ref(), course)).await?.wait()?,
                // Told before this wait: what is decided because of the stop has come by now, or is still being decided.
                None if told && !deciding.load(Ordering::Relaxed) => {
                    waiting_source = true;
                    break;
                }
                None => recorder.heartbeat(clock.now()).await?,
            },
        }
    }
    let mut durable = Vec::new();
    for pending in acting {
        durable.push(settle(pending, recorder, (clock.as_ref(), course)).await?);
    }
    if waiting_source {
        // The source waits for input that may never come; its thread ends with the process.
        return Ok(false);
    }
    let exhausted = engine.map_or(Ok(true), |engine| read_to_its_end(engine, course))?;
    course.within(budget, exhausted)?;
    if exhausted {
        publish(&actor, recorder, durable, (clock.as_ref(), course)).await?;
    }
    Ok(exhausted)
}

/// Waits for the engine. Whether the source was read to its end.
fn read_to_its_end(engine: Engine, course: &mut Course) -> Result<bool, RunError> {
    let finished =
        engine.join().map_err(|_| RunError::Internal("the engine's thread panicked".to_owned()))??;
    course.source = source_record(finished.source.as_ref());
    Ok(finished.exhausted)
}

/// Publishes what the sinks made, once all that was done is durable and accounted for.
async fn publish(
    actor: &Actor,
    recorder: &mut Recorder,
    durable: Vec<Durability>,
    (clock, course): (&dyn Clock, &mut Course),
) -> Result<(), RunError> {
    let began_us = clock.monotonic_us();
    // The last first: what comes before it is durable then.
    let durable = std::thread::spawn(|| durable.into_iter().rev().try_for_each(Durability::wait));
    let sound = recorder.check_conservation().await;
    durable.join().map_err(|_| RunError::Internal("the wait for the disk panicked".to_owned()))??;
    sound?;
    if Duration::from_micros(clock.monotonic_us().saturating_sub(began_us)) > PULSE {
        // The check gave no sign of life: whoever lost the run meanwhile publishes nothing of it.
        recorder.heartbeat(clock.now()).await?;
    }
    let published = alive(&mut actor.publish(course.last).await?, recorder, clock).await?;
    reach(Point::Before(Act::RecordPublication));
    commit_acted(published, recorder, (clock, course)).await?.wait()?;
    reach(Point::After(Act::RecordPublication));
    Ok(())
}

/// Of a source that gives rows after its end was read.
fn longer_than_published() -> RunError {
    RunError::Changed {
        what: "the source",
        before: "at its end when the outputs were published".to_owned(),
        now: "longer".to_owned(),
    }
}

/// Stages an epoch while the sinks still write those before, and commits it with what they have done by then with the first
/// of these; for that it waits only when they are `late`. The sinks may act on the epoch once it is durable.
async fn commit(
    Decided { work, digest }: Decided,
    recorder: &mut Recorder,
    (acting, late): (&mut VecDeque<Acting>, bool),
    (clock, course): (&dyn Clock, &mut Course),
) -> Result<(EpochWork, Durability), RunError> {
    let mut staged = recorder.stage_hashed(&work.decided, digest).await;
    let acted = match acting.front_mut() {
        None => None,
        Some(first) if !late => first.done()?,
        Some(first) => match tokio::time::timeout(HELD, first.wait()).await {
            Ok(acted) => Some(acted?),
            Err(_) => {
                // The database is not kept locked by a run that waits for a slow sink.
                recorder.rollback().await?;
                let acted = alive(first, recorder, clock).await?;
                staged = recorder.stage(&work.decided).await;
                Some(acted)
            }
        },
    };
    staged?;
    let durable = match acted {
        Some(acted) => {
            acting.pop_front();
            commit_acted(acted, recorder, (clock, course)).await?
        }
        None => recorder.commit_hashed(None, clock.now()).await?,
    };
    course.rows += work.decided.rows.len() as u64;
    course.failures.decided(&work.decided);
    course.last = work.decided.epoch;
    Ok((work, durable))
}

/// Commits what the sinks did, without waiting for another epoch.
async fn settle(
    mut pending: Acting,
    recorder: &mut Recorder,
    (clock, course): (&dyn Clock, &mut Course),
) -> Result<Durability, RunError> {
    let acted = alive(&mut pending, recorder, clock).await?;
    commit_acted(acted, recorder, (clock, course)).await
}

/// Waits for the sinks, and shows meanwhile that the run has an owner.
async fn alive(pending: &mut Acting, recorder: &mut Recorder, clock: &dyn Clock) -> Result<Acted, RunError> {
    loop {
        match tokio::time::timeout(PULSE, pending.wait()).await {
            Ok(acted) => return acted,
            Err(_) => recorder.heartbeat(clock.now()).await?,
        }
    }
}

/// Commits what the sinks did, with what is staged; both are written while the digest is still being made.
async fn commit_acted(
    acted: Acted,
    recorder: &mut Recorder,
    (clock, course): (&dyn Clock, &mut Course),
) -> Result<Durability, RunError> {
    let epoch = Arc::clone(&acted.epoch);
    recorder.stage_acted(&epoch).await?;
    let digest = acted.digest().await?;
    let durable = recorder.commit_hashed(Some((&epoch, &digest)), clock.now()).await?;
    course.failures.acted(&epoch);
    Ok(durable)
}

/// An epoch as the engine's thread gives it: decided, and hashed there, off the way of the record.
struct Decided {
    work: EpochWork,
    digest: DecidedDigest,
}

type Engine = JoinHandle<Result<Finished, EngineError>>;

/// The threads of a run beside the record's.
struct Threads {
    actor: Actor,
    /// None, when there is nothing to be read any more.
    engine: Option<Engine>,
    /// Whether it decides an epoch, and does not wait for the source.
    deciding: Arc<AtomicBool>,
    decided: mpsc::Receiver<Decided>,
}

fn start_threads(
    plan: RunPlan,
    (entry, mut trees, rows): (Entry, TreesAhead, RowBound),
    stop: &Arc<AtomicBool>,
) -> Result<Threads, RunError> {
    let context = SinkContext {
        run_id: plan.run_id,
        sink: String::new(),
        hash_version: plan.hash_version,
        field_resolution: Arc::new(plan.source.field_resolution()),
    };
    let surroundings = DeckContext {
        sinks: context,
        retry: plan.retry,
        clock: Arc::clone(&plan.clock),
        pause: Arc::clone(&plan.pause),
        run_start_us: entry.run_start_us,
        spans: plan.spans.clone(),
    };
    let mut deck = SinkDeck::new(&plan.graph, plan.sinks, surroundings).map_err(RunError::Act)?;
    deck.go_on(entry.sinks, &entry.published);
    let actor = Actor::spawn(deck, Arc::clone(&plan.graph), (plan.hash_version, trees.clone()));
    let (sender, decided) = mpsc::channel(AHEAD);
    if entry.all_read || (!entry.published.is_empty() && plan.accept_changed_source) {
        // Rows that are new could go nowhere. A source that is as it was is read to its end again: the record tells of it.
        return Ok(Threads { actor, engine: None, deciding: Arc::default(), decided });
    }
    let deciding = Arc::new(AtomicBool::new(false));
    let policies = Policies { limits: plan.limits, retry: plan.retry, pause: plan.pause };
    let pipeline = Pipeline {
        dispatcher: Dispatcher::new(&plan.graph, &plan.plugins, policies)?,
        graph: plan.graph,
        clock: plan.clock,
        bodies: plan.bodies,
        spans: plan.spans,
        deciding: Arc::clone(&deciding),
        options: EngineOptions {
            run_id: plan.run_id,
            hash_version: plan.hash_version,
            run_start_us: entry.run_start_us,
            max_workers: plan.max_workers,
            bounds: EpochBounds { rows, ..EpochBounds::default() },
        },
    };
    let (source, start, stop) = (plan.source, entry.start, Arc::clone(stop));
    let version = plan.hash_version;
    let engine = std::thread::spawn(move || {
        stand_back();
        let _decide = enter(Phase::Decide);
        drive(&pipeline, source, start, &stop, |work| {
            let digest = within(Phase::Hash, || {
                let mut digest = DecidedDigest::of(version, &work.decided);
                digest.grow(&mut trees);
                digest
            });
            sender.blocking_send(Decided { work, digest }).is_ok()
        })
    });
    Ok(Threads { actor, engine: Some(engine), deciding, decided })
}

impl Course {
    fn within(&self, budget: FailureBudget, end: bool) -> Result<(), RunError> {
        budget.check(self.failures.count(self.rows), self.rows, end)
    }

    fn progress(&self, clock: &dyn Clock) -> Progress {
        let elapsed = clock.monotonic_us().saturating_sub(self.began_us);
        Progress { rows: self.rows, elapsed_seconds: Duration::from_micros(elapsed).as_secs_f64() }
    }
}

#[cfg(test)]
mod tests {
    use elspeth_contracts::{IdSource as _, RandomIds};
    use elspeth_landscape::Corruption;

    use super::*;

    fn lost() -> LandscapeError {
        LandscapeError::LeaseLost { owner: "other".to_owned() }
    }

    #[test]
    fn an_end_that_cannot_be_recorded_tells_what_ended_the_run_too() {
        let run_id = RandomIds.next_run_id();
        let full = || Some(RunError::Source(SourceError::new("the disk is full")));
        let bad = Corruption { table: "runs", id: "1".to_owned(), what: "is odd".to_owned() };
        for (error, ours) in [(lost(), false), (LandscapeError::Corrupt(bad), true)] {
            let words = error.to_string();
            let told = unended(run_id, full(), error);
            assert!(told.to_string().contains("the disk is full") && told.to_string().contains(&words));
            assert_eq!(told.is_ours(), ours);
        }
    }

    #[test]
    fn what_ended_the_run_and_kept_that_from_the_record_is_told_once() {
        let run_id = RandomIds.next_run_id();
        for before in [None, Some(RunError::Record(lost()))] {
            assert_eq!(unended(run_id, before, lost()).to_string(), lost().to_string());
        }
    }
}
