use std::io;
use std::sync::Arc;
use std::time::Duration;

use elspeth_contracts::{
    BatchMemberRecord, EpochNo, Micros, OperationKind, OperationRecord, OperationStatus, ReleaseRecord, Step,
};
use elspeth_executors::{Arrival, Settled, SinkWork, Spilled, pending_bytes};
use elspeth_landscape::{DecidedEpoch, SinkIntent};
use elspeth_payload::{BlockBuilder, FilesystemStore};
use elspeth_phases::{Phase, within};
use elspeth_plugin::SourcePosition;
use elspeth_value::FieldResolution;

use crate::EngineError;
use crate::chunk::ChunkOutput;

/// Where an epoch ends, whichever comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochBounds {
    /// Rows.
    pub rows: RowBound,
    /// Bytes read from the source; keeps few but huge rows from filling the memory.
    pub bytes: u64,
    /// Time since its first row.
    pub wait: Duration,
}

/// How many rows an epoch takes at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowBound {
    /// So many, whatever they are like.
    Fixed(usize),
    /// So many, or fewer: by those of the epochs before, an epoch is not to be decided for longer than its rows may wait for each
    /// other, and is not to have more records than it pays to write at once.
    UpTo(usize),
}

impl Default for EpochBounds {
    fn default() -> Self {
        Self { rows: RowBound::UpTo(1_000), bytes: 16 << 20, wait: Duration::from_millis(250) }
    }
}

/// A decided epoch: what to record, and what to write once that is durable.
#[derive(Debug)]
pub struct EpochWork {
    /// Commit A.
    pub decided: DecidedEpoch,
    /// What each sink writes, in sink order.
    pub sinks: Vec<SinkWork>,
    /// Outcomes of tokens that reach no sink.
    pub settled: Settled,
    /// The source's headers, when it has further ones since the epoch before: for the sinks.
    pub headers: Option<Arc<FieldResolution>>,
}

impl EpochWork {
    /// About how many records it has once its sinks have acted: those of commit A, an outcome for each token, and a state for each
    /// that comes to a sink.
    pub(crate) fn records(&self) -> u64 {
        let arrivals: u64 = self.sinks.iter().map(SinkWork::len).sum();
        self.decided.records() + self.decided.tokens.len() as u64 + arrivals
    }
}

/// What is known of an epoch before its rows were walked.
pub(crate) struct EpochFrame {
    pub(crate) number: EpochNo,
    pub(crate) started: Micros,
    pub(crate) started_us: i64,
    pub(crate) read_us: i64,
    pub(crate) attempts: u32,
    pub(crate) position: SourcePosition,
    /// Whether rows were read for it.
    pub(crate) loaded: bool,
    /// Tokens that batches accepted.
    pub(crate) members: Vec<BatchMemberRecord>,
    /// What stays open.
    pub(crate) buffers: String,
    /// The source's further headers.
    pub(crate) headers: Option<Arc<FieldResolution>>,
}

/// Joins the outputs of an epoch's chunks: those of its rows in row order, then those of releases. Large bodies are durable in `store` when it returns.
pub(crate) fn assemble(
    frame: EpochFrame,
    chunks: Vec<ChunkOutput>,
    store: &FilesystemStore,
) -> Result<EpochWork, EngineError> {
    let mut bodies = BlockBuilder::default();
    let mut settled = Settled::default();
    let mut sinks: Vec<SinkWork> = Vec::new();
    let mut decided = DecidedEpoch {
        epoch: frame.number,
        started: frame.started,
        source_position: frame.position.0.to_string(),
        operations: frame.loaded.then(|| load_operation(&frame)).into_iter().collect(),
        batch_members: frame.members,
        buffers: frame.buffers,
        ..DecidedEpoch::default()
    };
    let mut releases = Vec::new();
    reserve(&mut decided, &chunks);
    for chunk in chunks {
        decided.rows.extend(chunk.rows);
        decided.batches.extend(chunk.batches);
        append(&mut decided.batch_outputs, chunk.batch_outputs);
        append(&mut decided.token_parents, chunk.parents);
        append(&mut decided.contexts, chunk.contexts);
        releases.extend(chunk.releases.into_iter().zip(chunk.release_leaves));
        append(&mut decided.tokens, chunk.tokens);
        append(&mut decided.states, chunk.states);
        append(&mut decided.routing, chunk.routing);
        decided.validation_errors.extend(chunk.validation_errors);
        decided.transform_errors.extend(chunk.transform_errors);
        decided.row_leaves.extend(chunk.leaves);
        bodies.add(chunk.bodies);
        settled.append(chunk.settled);
        for (sink, arrival) in chunk.arrivals {
            at(&mut sinks, sink).arrivals.push(arrival);
        }
        for (sink, spilled) in chunk.spilled {
            at(&mut sinks, sink).spilled.join(spilled);
        }
    }
    if !releases.is_empty() {
        releases.sort_by_key(|(release, _)| (release.row, release.after, release.step, release.number));
        in_order(&mut decided);
    }
    for (release, leaf) in releases {
        decided.releases.push(ReleaseRecord { epoch: frame.number, ..release });
        decided.release_leaves.push(leaf);
    }
    decided.batch_members.sort_by_key(|r| (r.batch_no, r.ordinal));
    sinks.sort_by_key(|work| work.sink);
    for work in &mut sinks {
        // Tokens of a row that forks come in the order of the walk.
        let key = |arrival: &Arrival| (arrival.cause, arrival.token);
        if !work.arrivals.is_sorted_by_key(key) {
            work.arrivals.sort_by_key(key);
        }
    }
    decided.intents = sinks.iter().map(intent).collect::<io::Result<_>>()?;
    decided.pending = pending_bytes(&sinks, &settled)?;
    let bodies = within(Phase::Record, || bodies.finish_into(store));
    decided.bodies = bodies.map_err(|error| EngineError::Bodies(error.into()))?;
    Ok(EpochWork { decided, sinks, settled, headers: frame.headers })
}

/// Releases are walked after the rows, but their records stand among those of the rows.
fn in_order(decided: &mut DecidedEpoch) {
    // Keys are unique, and a stable sort would need memory of its own.
    decided.batches.sort_unstable_by_key(|r| (r.batch_no, r.attempt));
    decided.batch_outputs.sort_unstable_by_key(|r| (r.batch_no, r.ordinal));
    decided.tokens.sort_unstable_by_key(|r| r.token);
    decided.token_parents.sort_unstable_by_key(|r| (r.token, r.ordinal));
    decided.states.sort_unstable_by_key(|r| (r.token, r.step, r.attempt));
    decided.contexts.sort_unstable_by_key(|r| (r.token, r.step, r.attempt));
    decided.routing.sort_unstable_by_key(|r| (r.token, r.step, r.attempt, r.ordinal));
    decided.transform_errors.sort_unstable_by_key(|r| (r.token, r.step, r.attempt));
}

/// A single large batch is one chunk, and need not be in memory twice.
fn append<T>(list: &mut Vec<T>, mut more: Vec<T>) {
    const LARGE: usize = 1 << 16;
    if more.len() >= LARGE && list.len() < more.len() {
        more.splice(..0, list.drain(..));
        *list = more;
    } else {
        list.append(&mut more);
    }
}

fn reserve(decided: &mut DecidedEpoch, chunks: &[ChunkOutput]) {
    if let [_] = chunks {
        return;
    }
    decided.rows.reserve(chunks.iter().map(|c| c.rows.len()).sum());
    decided.tokens.reserve(chunks.iter().map(|c| c.tokens.len()).sum());
    decided.states.reserve(chunks.iter().map(|c| c.states.len()).sum());
    decided.routing.reserve(chunks.iter().map(|c| c.routing.len()).sum());
    decided.row_leaves.reserve(chunks.iter().map(|c| c.leaves.len()).sum());
}

/// What a sink gets.
fn at(sinks: &mut Vec<SinkWork>, sink: Step) -> &mut SinkWork {
    let position = sinks.iter().position(|work| work.sink == sink).unwrap_or_else(|| {
        sinks.push(SinkWork { sink, arrivals: Vec::new(), spilled: Spilled::default() });
        sinks.len() - 1
    });
    &mut sinks[position]
}

fn intent(work: &SinkWork) -> io::Result<SinkIntent> {
    if work.spilled.is_empty() {
        return Ok(SinkIntent { sink: work.sink, tokens: work.arrivals.iter().map(|a| a.token).collect() });
    }
    let mut tokens = Vec::with_capacity(usize::try_from(work.len()).unwrap_or_default());
    for arrival in work.without_rows() {
        tokens.push(arrival?.token);
    }
    Ok(SinkIntent { sink: work.sink, tokens })
}

fn load_operation(frame: &EpochFrame) -> OperationRecord {
    OperationRecord {
        step: Step::SOURCE,
        epoch: frame.number,
        kind: OperationKind::SourceLoad,
        status: OperationStatus::Completed,
        attempts: frame.attempts,
        started_us: frame.started_us,
        duration_us: frame.read_us,
        error: None,
    }
}
