//! `epochs`, and what is kept beside each: `checkpoints`, `sink_positions`, `bodies`.

use elspeth_contracts::{EpochNo, Micros};
use elspeth_landscape::integrity::EpochHashes;
use elspeth_landscape::{ActedEpoch, DecidedEpoch, SinkProgress};

use crate::db::{Db, DbError, Row, values};
use crate::insert::Group;

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
    buffers: String,
    pending: Vec<u8>,
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
            buffers: decided.buffers.clone(),
            pending: decided.pending.clone(),
        }
    }

    /// The row after its last one.
    pub(crate) fn end(&self) -> Option<i64> {
        self.last_row.map(|last| last + 1)
    }
}

impl Epochs {
    const INSERT: &'static str =
        "INSERT INTO epochs(run_no, epoch, first_row, last_row, row_count, record_count,
        started_at, decided_at, chain_hash, content_root, continuation) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    const CHECKPOINT: &'static str =
        "INSERT INTO checkpoints(run_no, epoch, source_position, buffers, hash_state, pending, intents_hash)
        VALUES(?, ?, ?, ?, ?, ?, ?)";
    /// All but the last two, and those of epochs that wait for commit B.
    const FORGET_CHECKPOINTS: &'static str = "DELETE FROM checkpoints WHERE run_no = ?
        AND epoch < (SELECT max(epoch) - 1 FROM epochs WHERE run_no = ?)
        AND epoch NOT IN (SELECT epoch FROM epochs WHERE run_no = ? AND acted_at IS NULL)";
    const ADVANCE_CHECKPOINT: &'static str = "UPDATE checkpoints SET hash_state = ? WHERE run_no = ?
        AND epoch = (SELECT max(epoch) FROM checkpoints WHERE run_no = ?)";
    const ACTED: &'static str = "UPDATE epochs SET acted_at = coalesce(acted_at, ?),
        acted_chain = CASE WHEN acted_at IS NULL THEN ? ELSE acted_chain END,
        positions = CASE WHEN acted_at IS NULL THEN ? ELSE positions END,
        record_count = record_count + ? WHERE run_no = ? AND epoch = ?";
    const SINK_POSITION: &'static str =
        "INSERT INTO sink_positions(run_no, sink, epoch, position) VALUES(?, ?, ?, ?)
        ON CONFLICT(run_no, sink) DO UPDATE SET epoch = excluded.epoch, position = excluded.position";
    const BODIES: &'static str = "INSERT INTO bodies(run_no, epoch, block) VALUES(?, ?, ?)";

    /// Epochs that wait for commit B, each with the row after its last one.
    const OPEN: &'static str = "SELECT epoch, last_row + 1 FROM epochs WHERE run_no = ? AND acted_at IS NULL
        AND last_row IS NOT NULL ORDER BY epoch";

    /// How many epochs and rows there are, the first number that no epoch has, and how many wait for commit B.
    pub(crate) const SELECT_EXTENT: &'static str =
        "SELECT ?1 AS run_no, coalesce(max(epoch) + 1, 0) AS next_epoch,
        coalesce(sum(row_count), 0) AS row_count, count(*) FILTER (WHERE acted_at IS NULL) AS open,
        min(epoch) FILTER (WHERE acted_at IS NULL) AS open_epoch FROM epochs WHERE run_no = ?1";
    pub(crate) const SELECT_CHECKPOINTS: &'static str =
        "SELECT run_no, epoch, source_position, buffers, hash_state, pending FROM checkpoints
        WHERE run_no = ? ORDER BY epoch";
    pub(crate) const SELECT_SINK_POSITIONS: &'static str =
        "SELECT run_no, sink, position FROM sink_positions WHERE run_no = ? ORDER BY sink";
    pub(crate) const SELECT_BODIES: &'static str =
        "SELECT run_no, epoch, block FROM bodies WHERE run_no = ? AND epoch = ?";

    /// See [`Epochs::OPEN`].
    pub(crate) fn open(db: Db<'_>, run_no: i64) -> Result<Vec<(EpochNo, i64)>, DbError> {
        let read = |row: &Row<'_>| Ok((EpochNo(row.get::<i64>(0)?.cast_unsigned()), row.get(1)?));
        db.list(Self::OPEN, values![run_no], read)
    }

    /// Commit A's own record, and where to continue after it.
    pub(crate) fn decided(
        group: &mut Group,
        run_no: i64,
        staged: &Staged,
        hashes: &EpochHashes,
        now: Micros,
    ) {
        let epoch = staged.epoch.0;
        let continuing = hashes.staged.expect("the recorder gives the hashes of the epoch that it staged");
        group
            .then(Self::INSERT)
            .int(run_no)
            .unsigned(epoch)
            .maybe_int(staged.first_row)
            .maybe_int(staged.last_row)
            .unsigned(staged.row_count)
            .unsigned(staged.record_count)
            .int(staged.started.0)
            .int(now.0)
            .hash(&hashes.chain)
            .hash(&hashes.content)
            .hash(&continuing.all);
        let checkpoint = group.then(Self::CHECKPOINT);
        checkpoint
            .int(run_no)
            .unsigned(epoch)
            .text(&staged.source_position)
            .text(&staged.buffers)
            .text(&hashes.state)
            .blob(&staged.pending)
            .hash(&continuing.intents);
        Self::forget_checkpoints(group, run_no);
    }

    /// Marks commit B. A publication comes after it and leaves its time alone.
    pub(crate) fn acted(
        group: &mut Group,
        run_no: i64,
        (acted, hashes): (&ActedEpoch, &EpochHashes),
        now: Micros,
    ) {
        let values = group.then(Self::ACTED).int(now.0).hash(&hashes.acted_chain).blob(&hashes.positions);
        values.unsigned(acted.records()).int(run_no).unsigned(acted.epoch.0);
    }

    /// After a commit B alone: the hashes go on from here.
    pub(crate) fn advance_checkpoint(group: &mut Group, run_no: i64, hashes: &EpochHashes) {
        group.then(Self::ADVANCE_CHECKPOINT).text(&hashes.state).int(run_no).int(run_no);
        Self::forget_checkpoints(group, run_no);
    }

    fn forget_checkpoints(group: &mut Group, run_no: i64) {
        group.then(Self::FORGET_CHECKPOINTS).int(run_no).int(run_no).int(run_no);
    }

    pub(crate) fn sink_positions(group: &mut Group, run_no: i64, epoch: EpochNo, sinks: &[SinkProgress]) {
        for progress in sinks {
            let values = group.then(Self::SINK_POSITION);
            values.int(run_no).step(progress.sink).unsigned(epoch.0).text(&progress.position);
        }
    }

    /// Nothing, when there are no bodies.
    pub(crate) fn bodies(group: &mut Group, run_no: i64, epoch: EpochNo, block: &[u8]) {
        if !block.is_empty() {
            group.then(Self::BODIES).int(run_no).unsigned(epoch.0).blob(block);
        }
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).expect("a length fits 64 bits")
}
