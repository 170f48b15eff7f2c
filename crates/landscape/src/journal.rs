//! A copy of the record in a file of lines, written while the run goes on: the same lines as those of an export, epoch by epoch,
//! what was decided and then what was done. Decisions wait here until it is known what was done with the epoch before.
//!
//! - [`JournalWriter`] is a [`LandscapeWriter`] around another one. What the other one has made durable it appends to the
//!   journal, and closes it by a line with its link of the chain; never before.
//! - [`Earlier`] is what it needs of a run that is taken up: what the journal lacks then comes from the record.
//!
//! Invariant: what is closed in the journal is durable in the record. A journal that cannot be written fails no run: it stops
//! where it is, [`Trouble`] says why, and taking the run up completes it.

mod catch_up;
mod file;
mod numbers;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use elspeth_canonical::ContentHash;
use elspeth_contracts::{EpochNo, ErrorReason, ExportStatus, Micros, RunId, RunStatus};
use serde::Serialize;

use catch_up::Standing;
pub use catch_up::{Earlier, JournalSource};
use file::{Half as Which, JournalFile, Link, LinkTag};
use numbers::Numbers;

use crate::export::{Half, Line, RunLine};
use crate::integrity::{EpochHashes, Registered};
use crate::registry::Entry;
use crate::{
    ActedEpoch, ConservationBreach, DecidedEpoch, Durability, LandscapeError, LandscapeWriter, RunSeal,
    RunStart, TakeUp,
};

/// Why a journal stopped before its run did, for whoever tells of the run's end.
#[derive(Debug, Clone, Default)]
pub struct Trouble(Arc<Mutex<Option<String>>>);

impl Trouble {
    /// What happened first; nothing while all is well.
    #[must_use]
    pub fn message(&self) -> Option<String> {
        self.0.lock().map_or(None, |message| message.clone())
    }

    fn note(&self, error: &LandscapeError) {
        if let Ok(mut message) = self.0.lock() {
            message.get_or_insert_with(|| error.to_string());
        }
    }
}

/// A writer that keeps a journal.
pub struct JournalWriter {
    inner: Box<dyn LandscapeWriter>,
    file: JournalFile,
    earlier: Option<Earlier>,
    trouble: Trouble,
    /// Nothing is written any more.
    stopped: bool,
    /// Whether what was committed last is durable; lines come after that.
    durable: Result<(), LandscapeError>,
    run: Option<Course>,
}

/// The run that is written.
struct Course {
    run_id: RunId,
    /// Lines of the staged epoch.
    staged: Option<(EpochNo, Lines)>,
    /// The epoch whose decisions are the last lines.
    open: Option<EpochNo>,
    /// Decisions that are durable, of epochs after it: their lines come when it is known what was done with those before.
    held: VecDeque<(EpochNo, Vec<u8>)>,
    numbers: Numbers,
}

/// Lines that are not in the file yet.
pub(crate) struct Lines {
    run: RunId,
    bytes: Vec<u8>,
}

impl Lines {
    fn new(run: RunId) -> Self {
        Self { run, bytes: Vec::new() }
    }

    fn put(&mut self, line: &Line) {
        line.write_json(self.run, &mut self.bytes);
    }

    fn half(&mut self, half: Half) {
        let done: Result<(), std::convert::Infallible> = half.lines(&mut |line| {
            self.put(&line);
            Ok(())
        });
        done.expect("it cannot fail");
    }
}

/// The last line of a run that ended.
#[derive(Debug, Serialize)]
struct SealedLine<'a> {
    record: &'static str,
    run_id: String,
    status: RunStatus,
    completed_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a ErrorReason>,
    source_identity: &'a str,
    field_resolution: &'a str,
    schema_contract: &'a str,
    content_root: Option<ContentHash>,
    record_root: Option<ContentHash>,
}

fn link_line(
    run: RunId,
    (half, epoch): (Which, Option<EpochNo>),
    at: Option<Micros>,
    chain: ContentHash,
    out: &mut Vec<u8>,
) {
    let link = Link {
        record: LinkTag::Link,
        run_id: run.to_string(),
        half,
        epoch: epoch.map(|epoch| epoch.0),
        committed_at: at.map(Micros::rfc3339),
        chain: chain.to_string(),
    };
    put_json(&link, out);
}

fn put_json(line: &impl Serialize, out: &mut Vec<u8>) {
    serde_json::to_writer(&mut *out, line).expect("a list of bytes takes everything");
    out.push(b'\n');
}

impl JournalWriter {
    /// Around a writer, into a file that is made where it does not exist. `earlier` is the run that is to be taken up.
    ///
    /// # Errors
    /// [`LandscapeError::Store`] when the file cannot be written, is written by another run, or is no journal.
    pub fn open(
        inner: Box<dyn LandscapeWriter>,
        path: &Path,
        earlier: Option<Earlier>,
    ) -> Result<Self, LandscapeError> {
        let (file, trouble) = (JournalFile::open(path)?, Trouble::default());
        Ok(Self { inner, file, earlier, trouble, stopped: false, durable: Ok(()), run: None })
    }

    /// Where it is said if the journal has to stop.
    #[must_use]
    pub fn trouble(&self) -> Trouble {
        self.trouble.clone()
    }

    /// Appends what is durable in the record by now.
    fn append(&mut self, lines: &[u8]) {
        if self.stopped {
            return;
        }
        let done = self.file.append(lines).and_then(|()| self.file.sync());
        if let Err(error) = done {
            self.stop(&error);
        }
    }

    fn stop(&mut self, error: &LandscapeError) {
        self.stopped = true;
        self.trouble.note(error);
    }
}

impl Course {
    fn new(run_id: RunId) -> Self {
        Self { run_id, staged: None, open: None, held: VecDeque::new(), numbers: Numbers::default() }
    }

    fn stage(&mut self, decided: &DecidedEpoch) {
        let operations = self.numbers.operations(&decided.operations);
        let mut lines = Lines::new(self.run_id);
        lines.half(Half::decided(decided.clone(), operations));
        self.staged = Some((decided.epoch, lines));
    }

    /// The lines that can be written after a commit, each epoch's after those of the one before.
    fn committed(&mut self, acted: Option<&ActedEpoch>, hashes: &EpochHashes, now: Micros) -> Vec<u8> {
        let mut out = Lines::new(self.run_id);
        if let Some(acted) = acted {
            let awaited = self.open.take() == Some(acted.epoch);
            let operations = self.numbers.operations(&acted.operations);
            let artifacts = self.numbers.artifacts(&acted.artifacts);
            out.half(Half::acted(acted.clone(), operations, artifacts));
            let (half, at) = if awaited { (Which::Acted, Some(now)) } else { (Which::Published, None) };
            link_line(self.run_id, (half, Some(acted.epoch)), at, hashes.acted_chain, &mut out.bytes);
            if awaited {
                self.numbers.acted(acted.epoch);
            }
        }
        if let Some((epoch, Lines { mut bytes, .. })) = self.staged.take() {
            link_line(self.run_id, (Which::Decided, Some(epoch)), Some(now), hashes.chain, &mut bytes);
            self.held.push_back((epoch, bytes));
        }
        if self.open.is_none()
            && let Some((epoch, bytes)) = self.held.pop_front()
        {
            out.bytes.extend_from_slice(&bytes);
            self.open = Some(epoch);
        }
        out.bytes
    }
}

fn begun(start: &RunStart) -> Vec<u8> {
    let run = RunLine {
        run_id: start.run_id,
        status: RunStatus::Running,
        started_at: start.started_at,
        completed_at: None,
        settings: start.settings.clone(),
        settings_path: start.settings_path.clone(),
        config_hash: start.config_hash,
        hash_version: start.hash_version,
        topology_hash: start.topology_hash,
        grade: start.grade,
        engine_version: start.engine_version.clone(),
        source_identity: start.source.identity.clone(),
        field_resolution: start.source.field_resolution.clone(),
        schema_contract: start.source.contract.clone(),
        export_status: ExportStatus::None,
        owner: start.owner.clone(),
        heartbeat_at: start.started_at,
        error: None,
        content_root: None,
        record_root: None,
        summary: None,
    };
    let mut lines = Lines::new(start.run_id);
    lines.put(&Line::Run(run));
    start.nodes.iter().for_each(|node| lines.put(&Line::Node(node.clone())));
    start.edges.iter().for_each(|edge| lines.put(&Line::Edge(edge.clone())));
    let chain = Registered::of_start(start).chain();
    let half = (Which::Registered, None);
    link_line(start.run_id, half, Some(start.started_at), chain, &mut lines.bytes);
    lines.bytes
}

#[async_trait]
impl LandscapeWriter for JournalWriter {
    async fn begin_run(&mut self, start: &RunStart) -> Result<(), LandscapeError> {
        self.inner.begin_run(start).await?;
        self.run = Some(Course::new(start.run_id));
        self.append(&begun(start));
        Ok(())
    }

    async fn take_up(&mut self, up: &TakeUp) -> Result<(), LandscapeError> {
        self.inner.take_up(up).await?;
        let mut course = Course::new(up.run_id);
        if let Some(earlier) = self.earlier.take() {
            match catch_up::catch_up(&mut self.file, &earlier, up) {
                Ok(Standing { open, held, numbers }) => {
                    (course.open, course.held, course.numbers) = (open, held, numbers);
                }
                Err(error) => self.stop(&error),
            }
        }
        self.run = Some(course);
        Ok(())
    }

    async fn stage(&mut self, decided: &DecidedEpoch) -> Result<(), LandscapeError> {
        self.inner.stage(decided).await?;
        if let Some(course) = self.run.as_mut().filter(|_| !self.stopped) {
            course.stage(decided);
        }
        Ok(())
    }

    async fn stage_acted(&mut self, acted: &ActedEpoch) -> Result<(), LandscapeError> {
        self.inner.stage_acted(acted).await
    }

    async fn commit(
        &mut self,
        acted: Option<&ActedEpoch>,
        hashes: &EpochHashes,
        now: Micros,
    ) -> Result<(), LandscapeError> {
        self.inner.commit(acted, hashes, now).await?;
        self.durable = self.inner.durability().wait();
        if let (Ok(()), Some(course)) = (&self.durable, self.run.as_mut().filter(|_| !self.stopped)) {
            let lines = course.committed(acted, hashes, now);
            self.append(&lines);
        }
        Ok(())
    }

    fn epoch_rows(&self) -> usize {
        self.inner.epoch_rows()
    }

    fn durability(&mut self) -> Durability {
        let durable = std::mem::replace(&mut self.durable, Ok(()));
        Durability::once(|| durable)
    }

    async fn rollback(&mut self) -> Result<(), LandscapeError> {
        if let Some(course) = &mut self.run
            && let Some((epoch, _)) = course.staged.take()
        {
            course.numbers.unstage(epoch);
        }
        self.inner.rollback().await
    }

    async fn heartbeat(&mut self, now: Micros) -> Result<(), LandscapeError> {
        self.inner.heartbeat(now).await
    }

    async fn seal(&mut self, seal: &RunSeal, entry: &Entry) -> Result<(), LandscapeError> {
        self.inner.seal(seal, entry).await?;
        let Some(course) = self.run.take() else { return Ok(()) };
        let line = SealedLine {
            record: "sealed",
            run_id: course.run_id.to_string(),
            status: seal.status,
            completed_at: seal.completed_at.rfc3339(),
            error: seal.error.as_ref(),
            source_identity: &seal.source.identity,
            field_resolution: &seal.source.field_resolution,
            schema_contract: &seal.source.contract,
            content_root: seal.content_root,
            record_root: seal.record_root,
        };
        let mut out = Vec::new();
        put_json(&line, &mut out);
        self.append(&out);
        Ok(())
    }

    async fn conservation(&mut self) -> Result<Vec<ConservationBreach>, LandscapeError> {
        self.inner.conservation().await
    }
}
