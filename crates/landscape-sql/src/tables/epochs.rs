//! `epochs`, and what is kept beside each: `checkpoints`, `sink_positions`, `bodies`.

use elspeth_contracts::{EpochNo, Micros};
use elspeth_landscape::integrity::EpochHashes;
use elspeth_landscape::{ActedEpoch, DecidedEpoch, SinkProgress};

use crate::insert::{Statement, Values};

pub(crate) struct Epochs;

/// What has to be remembered of a staged epoch until its commit.
#[derive(Debug, Clone)]
pub(crate) struct Staged {
    pub(crate) epoch: EpochNo,
    started: Micros,
    first_row: Option<i64>,
    last_row: Option<i64>,
    row_count: u64,
    record_count: u64,
    source_position: String,
}

impl Staged {
    pub(crate) fn of(decided: &DecidedEpoch) -> Self {
        let rows = decided.row_range();
        Self {
            epoch: decided.epoch,
            started: decided.started,
            first_row: rows.map(|(first, _)| first.get().cast_signed()),
            last_row: rows.map(|(_, last)| last.get().cast_signed()),
            row_count: count(decided.rows.len()),
            record_count: decided.records(),
            source_position: decided.source_position.clone(),
        }
    }
}

impl Epochs {
    const INSERT: &'static str =
        "INSERT INTO epochs(run_no, epoch, first_row, last_row, row_count, record_count,
        started_at, decided_at, chain_hash, content_root) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    const CHECKPOINT: &'static str =
        "INSERT INTO checkpoints(run_no, epoch, source_position, hash_state) VALUES(?, ?, ?, ?)";
    const FORGET_CHECKPOINTS: &'static str = "DELETE FROM checkpoints WHERE run_no = ? AND epoch < ?";
    const ADVANCE_CHECKPOINT: &'static str =
        "UPDATE checkpoints SET hash_state = ?3 WHERE run_no = ?1 AND epoch = ?2";
    const ACTED: &'static str = "UPDATE epochs SET acted_at = coalesce(acted_at, ?3),
        record_count = record_count + ?4 WHERE run_no = ?1 AND epoch = ?2";
    const SINK_POSITION: &'static str =
        "INSERT INTO sink_positions(run_no, sink, epoch, position) VALUES(?, ?, ?, ?)
        ON CONFLICT(run_no, sink) DO UPDATE SET epoch = excluded.epoch, position = excluded.position";
    const BODIES: &'static str = "INSERT INTO bodies(run_no, epoch, block) VALUES(?, ?, ?)";

    pub(crate) const SELECT_BODIES: &'static str =
        "SELECT run_no, epoch, block FROM bodies WHERE run_no = ? AND epoch = ?";

    /// Commit A's own record, and where to continue after it.
    pub(crate) fn decided(run_no: i64, staged: &Staged, hashes: &EpochHashes, now: Micros) -> Vec<Statement> {
        let mut epoch = at(run_no, staged.epoch);
        epoch
            .maybe_int(staged.first_row)
            .maybe_int(staged.last_row)
            .unsigned(staged.row_count)
            .unsigned(staged.record_count)
            .int(staged.started.0)
            .int(now.0)
            .hash(&hashes.chain)
            .hash(&hashes.content);
        let mut checkpoint = at(run_no, staged.epoch);
        checkpoint.text(&staged.source_position).text(&hashes.state);
        let oldest_kept = EpochNo(staged.epoch.0.saturating_sub(1));
        vec![
            Statement::fixed(Self::INSERT, epoch),
            Statement::fixed(Self::CHECKPOINT, checkpoint),
            Statement::fixed(Self::FORGET_CHECKPOINTS, at(run_no, oldest_kept)),
        ]
    }

    /// Marks commit B. A publication comes after it and leaves its time alone.
    pub(crate) fn acted(run_no: i64, acted: &ActedEpoch, now: Micros) -> Statement {
        let mut values = at(run_no, acted.epoch);
        values.int(now.0).unsigned(acted.records());
        Statement::fixed(Self::ACTED, values)
    }

    /// After a commit B alone: the hashes go on from here.
    pub(crate) fn advance_checkpoint(run_no: i64, epoch: EpochNo, hashes: &EpochHashes) -> Statement {
        let mut values = at(run_no, epoch);
        values.text(&hashes.state);
        Statement::fixed(Self::ADVANCE_CHECKPOINT, values)
    }

    pub(crate) fn sink_positions(run_no: i64, epoch: EpochNo, sinks: &[SinkProgress]) -> Vec<Statement> {
        sinks
            .iter()
            .map(|progress| {
                let mut values = Values::default();
                values.int(run_no).step(progress.sink).unsigned(epoch.0).text(&progress.position);
                Statement::fixed(Self::SINK_POSITION, values)
            })
            .collect()
    }

    /// Nothing, when there are no bodies.
    pub(crate) fn bodies(run_no: i64, epoch: EpochNo, block: &[u8]) -> Vec<Statement> {
        if block.is_empty() {
            return Vec::new();
        }
        let mut values = at(run_no, epoch);
        values.blob(block);
        vec![Statement::fixed(Self::BODIES, values)]
    }
}

fn at(run_no: i64, epoch: EpochNo) -> Values {
    let mut values = Values::default();
    values.int(run_no).unsigned(epoch.0);
    values
}

fn count(length: usize) -> u64 {
    u64::try_from(length).expect("a length fits 64 bits")
}
