//! Taking up a run that stopped, from what its record says and nothing else.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use elspeth_contracts::{Step, TokenKey};
use elspeth_engine::{EngineError, EpochWork, Start, StillOpen};
use elspeth_executors::{BadPending, PendingWork};
use elspeth_landscape::{
    Carried, Corruption, DecidedEpoch, LandscapeError, LandscapeReader, LandscapeWriter, Page, PendingEpoch,
    Recorder, ResumePoint, Resumption, RunRecord, SinkProgress, SourceRecord, TakeUp, carried,
};
use elspeth_plugin::{SinkPosition, Source, SourcePosition};
use serde::de::DeserializeOwned;

use crate::budget::Failures;
use crate::phases::{Course, Entry, open_source, to_the_end};
use crate::plan::{note_read, source_record};
use crate::{RunEnd, RunError, RunObserver, RunPlan};

/// Members of a batch that are read at once.
const PAGE: u32 = 2_000;

/// Goes on with a run that stopped: acts on what was decided and not yet acted on, then reads on. `seen` is the run as the
/// caller saw it when its owner was gone; `plan` has its id and its graph.
///
/// # Errors
/// [`RunError`] when it cannot be taken up: graph, source or record are not what they were, somebody else has it, or bodies
/// that are needed were purged. Nothing is changed then. A run that was taken up and failed again is an `Ok` with status
/// failed.
pub async fn resume(
    mut plan: RunPlan,
    seen: &RunRecord,
    (reader, writer): (&dyn LandscapeReader, Box<dyn LandscapeWriter>),
    stop: Arc<AtomicBool>,
    observer: &mut dyn RunObserver,
) -> Result<RunEnd, RunError> {
    same_graph(&plan, seen)?;
    let point = reader.resume_point(seen.run_no).await?;
    let position = position(&point)?;
    let before = as_read(plan.source.as_ref(), seen, position.as_ref())?;
    // Once the outputs are published nothing is left to be read, and the source may be gone.
    let all_read = before.clone().filter(|_| !point.published.is_empty());
    let over = all_read.is_some();
    let source = match all_read {
        Some(read) => read,
        None => {
            plan = reopened(plan, seen, position, &stop)?;
            source_record(plan.source.as_ref())
        }
    };
    let record = Record { reader, run: seen, plan: &plan };
    let open = record.still_open(&point).await?;
    let mut pending = VecDeque::new();
    for epoch in &point.pending {
        pending.push_back(record.pending(epoch).await?);
    }
    let (nodes, edges) = (reader.nodes(seen.run_no).await?, reader.edges(seen.run_no).await?);
    let clock = Arc::clone(&plan.clock);
    let since_start = u64::try_from(clock.now().0.saturating_sub(seen.started_at.0)).unwrap_or_default();
    let now_us = clock.monotonic_us();
    // Nobody else asks how many failed.
    let failures = match plan.budget.is_limited() {
        true => Failures::read(reader, seen.run_no, &point.late).await?,
        false => Failures::default(),
    };
    let course = Course {
        source,
        rows: point.rows,
        failures,
        last: point.next_epoch.before().unwrap_or_default(),
        began_us: now_us,
    };
    let entry = Entry {
        start: Start { rows: point.rows, epoch: point.next_epoch, open },
        run_start_us: now_us.saturating_sub(since_start),
        sinks: positions(point.sinks)?,
        published: point.published,
        all_read: over,
        pending,
    };
    let take_up = TakeUp {
        run_id: seen.run_id,
        seen_owner: seen.owner.clone(),
        seen_heartbeat: seen.heartbeat_at,
        owner: plan.owner.clone(),
        now: clock.now(),
        resumption: Resumption {
            epoch: entry.start.epoch,
            row: entry.start.rows,
            engine_version: plan.engine_version.clone(),
            settings: (plan.config_hash != seen.config_hash).then(|| plan.settings.clone()),
            // What is not asked any more is not accepted either.
            accepted_source: (plan.accept_changed_source && !over)
                .then(|| accepted(before.as_ref().unwrap_or(&seen.source), &course.source)),
        },
    };
    let recorder =
        Recorder::take_up(writer, &take_up, seen, (&nodes, &edges), point.checkpoint.as_ref()).await?;
    let recorder = recorder.with_heads_every(plan.heads_every);
    observer.started(seen.run_id);
    to_the_end(plan, recorder, course, entry, (&stop, observer)).await
}

/// The source at that position, and the one that was read unless a change is accepted.
fn reopened(
    mut plan: RunPlan,
    seen: &RunRecord,
    position: Option<SourcePosition>,
    stop: &AtomicBool,
) -> Result<RunPlan, RunError> {
    if plan.accept_changed_source {
        plan.source.accept_changes();
    }
    plan.source = open_source(plan.source, plan.hash_version, position, stop)?;
    if !plan.accept_changed_source {
        same_source(plan.source.as_ref(), seen)?;
    }
    Ok(plan)
}

/// What the record has of the source, as far as it was read by the last commit; `None` where its position does not tell.
fn as_read(
    source: &dyn Source,
    run: &RunRecord,
    position: Option<&SourcePosition>,
) -> Result<Option<SourceRecord>, RunError> {
    let Some(read) = position.and_then(|position| source.recall(position)) else { return Ok(None) };
    let mut identity: serde_json::Value = stored(&run.source.identity, "source_identity")?;
    note_read(&mut identity, read.read_bytes, read.content_hash);
    Ok(Some(SourceRecord {
        identity: identity.to_string(),
        field_resolution: serde_json::json!(read.field_resolution.fields).to_string(),
        contract: run.source.contract.clone(),
    }))
}

/// What must not differ from when the run began.
fn same_graph(plan: &RunPlan, run: &RunRecord) -> Result<(), RunError> {
    let changed = |what, before: String, now: String| Err(RunError::Changed { what, before, now });
    if plan.hash_version != run.hash_version {
        return changed(
            "landscape.hash",
            run.hash_version.name().to_owned(),
            plan.hash_version.name().to_owned(),
        );
    }
    let now = plan.graph.topology_hash();
    if now != run.topology_hash {
        return changed(
            "the pipeline (its nodes, their options, or its wiring)",
            run.topology_hash.to_string(),
            now.to_string(),
        );
    }
    Ok(())
}

/// Where the source is to be read on, by the last commit.
fn position(point: &ResumePoint) -> Result<Option<SourcePosition>, RunError> {
    match &point.checkpoint {
        Some(checkpoint) => Ok(Some(SourcePosition(stored(&checkpoint.source_position, "source_position")?))),
        None => Ok(None),
    }
}

/// The source is the one that was read.
fn same_source(source: &dyn Source, run: &RunRecord) -> Result<(), RunError> {
    let before: serde_json::Value = stored(&run.source.identity, "source_identity")?;
    let now = source.identity();
    let size = (before["size_bytes"].as_u64(), now.size_bytes);
    if let (Some(was), Some(is)) = size
        && was != is
    {
        let what = "the source's size";
        return Err(RunError::Changed { what, before: format!("{was} bytes"), now: format!("{is} bytes") });
    }
    if before["location"].as_str().is_some_and(|location| location != now.location) {
        let before = before["location"].as_str().unwrap_or_default().to_owned();
        return Err(RunError::Changed { what: "the source's path", before, now: now.location });
    }
    Ok(())
}

/// A source that may have changed: as it was read, and as it is, with the hash of as many bytes.
fn accepted(before: &SourceRecord, now: &SourceRecord) -> String {
    let json = |text: &str| serde_json::from_str(text).unwrap_or(serde_json::Value::Null);
    serde_json::json!({ "recorded": json(&before.identity), "found": json(&now.identity) }).to_string()
}

fn positions(sinks: Vec<SinkProgress>) -> Result<Vec<(Step, SinkPosition)>, RunError> {
    let position = |sink: SinkProgress| Ok((sink.sink, SinkPosition(stored(&sink.position, "position")?)));
    sinks.into_iter().map(position).collect()
}

fn stored<T: DeserializeOwned>(text: &str, column: &str) -> Result<T, LandscapeError> {
    serde_json::from_str(text).map_err(|error| {
        Corruption {
            table: "checkpoints",
            id: "the last one".to_owned(),
            what: format!("its `{column}` is no JSON: {error}"),
        }
        .into()
    })
}

/// What is read of the run's record.
struct Record<'a> {
    reader: &'a dyn LandscapeReader,
    run: &'a RunRecord,
    plan: &'a RunPlan,
}

impl Record<'_> {
    async fn carried(&self, tokens: &[TokenKey]) -> Result<Vec<Carried>, LandscapeError> {
        carried(self.reader, self.run, Some(&self.plan.bodies), tokens).await
    }

    /// What sinks were about to write, and what becomes of the epoch's other tokens.
    async fn pending(&self, pending: &PendingEpoch) -> Result<EpochWork, RunError> {
        let work = PendingWork::read(pending.epoch, pending.intents.clone(), &pending.pending);
        let mut work = work.map_err(LandscapeError::from)?;
        loop {
            let tokens = work.wanted(PAGE as usize);
            if tokens.is_empty() {
                break;
            }
            let carried = self.carried(tokens).await?;
            work.take(carried).map_err(|error| match error {
                BadPending::Corrupt(corruption) => RunError::from(LandscapeError::from(corruption)),
                BadPending::Unkept(error) => EngineError::Buffers(error.into()).into(),
            })?;
        }
        let (sinks, settled) = work.finish().map_err(LandscapeError::from)?;
        let decided = DecidedEpoch { epoch: pending.epoch, ..DecidedEpoch::default() };
        // The sinks know of every header that the source had by then.
        Ok(EpochWork { decided, sinks, settled, headers: None })
    }

    /// Batches and merges that wait, with their tokens.
    async fn still_open(&self, point: &ResumePoint) -> Result<StillOpen, RunError> {
        let buffers = point.checkpoint.as_ref().map_or("", |checkpoint| &checkpoint.buffers);
        let mut open = StillOpen::read(buffers, &point.released).map_err(LandscapeError::from)?;
        for (batch, count) in open.batches().collect::<Vec<_>>() {
            let mut from = 0;
            while u64::from(from) < count {
                let page = Page { from, limit: PAGE };
                let members = self.reader.batch_members(self.run.run_no, batch, page).await?;
                let tokens: Vec<_> = members.iter().map(|member| member.token).collect();
                let Ok(read) = u32::try_from(tokens.len()) else { break };
                if read == 0 {
                    break;
                }
                for (token, carried) in tokens.iter().zip(self.carried(&tokens).await?) {
                    let kept = open.member(batch, *token, carried);
                    kept.map_err(|error| EngineError::Buffers(error.into()))?;
                }
                from += read;
            }
        }
        let waiting = open.waiting();
        for (token, carried) in waiting.iter().zip(self.carried(&waiting).await?) {
            open.arrived(*token, &carried).map_err(LandscapeError::from)?;
        }
        Ok(open)
    }
}
