//! Where a run that stopped goes on, read from its last commit.

use elspeth_contracts::{EpochNo, Step};
use elspeth_landscape::{Checkpoint, LandscapeError, MOST_PENDING, PendingEpoch, ResumePoint, SinkProgress};

use crate::asking::{self, Snapshot, StoredRow};
use crate::stored::{Origin, Stored};
use crate::tables::{Epochs, Intents, Operations, Releases, TokenOutcomes};

const EPOCHS: Origin = Origin { table: "epochs", key: &["run_no"] };
const CHECKPOINTS: Origin = Origin { table: "checkpoints", key: &["run_no", "epoch"] };
const POSITIONS: Origin = Origin { table: "sink_positions", key: &["run_no", "sink"] };

/// One consistent state, and the run that is asked about.
struct Asked<'a, 's> {
    snapshot: &'a mut Snapshot<'s>,
    run_no: i64,
}

/// Everything is read from `snapshot`, so that it is of one commit.
pub(crate) async fn point(snapshot: &mut Snapshot<'_>, run_no: i64) -> Result<ResumePoint, LandscapeError> {
    let mut asked = Asked { snapshot, run_no };
    let mut point = asked.extent().await?;
    let mut checkpoints = asked.checkpoints().await?;
    for open in &mut point.pending {
        open.intents = asked.list(Intents::SELECT, Some(open.epoch), Intents::ORIGIN, Intents::read).await?;
        let own = checkpoints.iter_mut().find(|(checkpoint, _)| checkpoint.epoch == open.epoch);
        open.pending = own.map(|(_, pending)| std::mem::take(pending)).unwrap_or_default();
    }
    point.checkpoint = checkpoints.pop().map(|(checkpoint, _)| checkpoint);
    let progress = |stored: &Stored<'_>| {
        Ok(SinkProgress { sink: stored.step("sink")?, position: stored.text("position")? })
    };
    point.sinks = asked.list(Epochs::SELECT_SINK_POSITIONS, None, POSITIONS, progress).await?;
    let count = |stored: &Stored<'_>| Ok((stored.step("step")?, stored.unsigned("releases")?));
    point.released = asked.list(Releases::SELECT_COUNTS, None, Releases::ORIGIN, count).await?;
    let token = |stored: &Stored<'_>| stored.token("token");
    if !point.pending.is_empty() {
        point.late = asked.list(TokenOutcomes::SELECT_LATE, None, TokenOutcomes::ORIGIN, token).await?;
    }
    let step = |stored: &Stored<'_>| -> Result<Step, LandscapeError> { stored.step("step") };
    point.published = asked.list(Operations::SELECT_PUBLISHED, None, Operations::ORIGIN, step).await?;
    Ok(point)
}

impl Asked<'_, '_> {
    async fn rows(
        &mut self,
        sql: &'static str,
        epoch: Option<EpochNo>,
    ) -> Result<Vec<StoredRow>, LandscapeError> {
        let epoch = epoch.map(|epoch| epoch.0.cast_signed());
        let values =
            [Some(self.run_no), epoch].into_iter().flatten().map(|number| asking::Asked::Int(Some(number)));
        let values: Vec<asking::Asked> = values.collect();
        self.snapshot.rows(sql, &values, "reading where the run goes on").await
    }

    async fn list<T>(
        &mut self,
        sql: &'static str,
        epoch: Option<EpochNo>,
        origin: Origin,
        read: impl Fn(&Stored<'_>) -> Result<T, LandscapeError>,
    ) -> Result<Vec<T>, LandscapeError> {
        let rows = self.rows(sql, epoch).await?;
        rows.iter().map(|row| read(&Stored::new(row, origin))).collect()
    }

    /// What the epochs say: no more than the last [`MOST_PENDING`] may wait for their sinks.
    async fn extent(&mut self) -> Result<ResumePoint, LandscapeError> {
        let read = |stored: &Stored<'_>| {
            let next_epoch = stored.epoch("next_epoch")?;
            let first_open = stored.maybe_unsigned("open_epoch")?.unwrap_or(next_epoch.0);
            let open = stored.unsigned("open")?;
            if open > MOST_PENDING as u64 || next_epoch.0.checked_sub(open) != Some(first_open) {
                return Err(stored.corrupt("an epoch before the last ones was never acted on"));
            }
            let pending =
                |epoch| PendingEpoch { epoch: EpochNo(epoch), intents: Vec::new(), pending: Vec::new() };
            Ok(ResumePoint {
                next_epoch,
                rows: stored.unsigned("row_count")?,
                pending: (first_open..next_epoch.0).map(pending).collect(),
                ..ResumePoint::default()
            })
        };
        let mut found = self.list(Epochs::SELECT_EXTENT, None, EPOCHS, read).await?;
        Ok(found.pop().expect("a sum is one record"))
    }

    /// In their order, each with what becomes of its epoch's tokens.
    async fn checkpoints(&mut self) -> Result<Vec<(Checkpoint, Vec<u8>)>, LandscapeError> {
        let read = |stored: &Stored<'_>| {
            let checkpoint = Checkpoint {
                epoch: stored.epoch("epoch")?,
                source_position: stored.text("source_position")?,
                buffers: stored.text("buffers")?,
                hash_state: stored.text("hash_state")?,
            };
            Ok((checkpoint, stored.bytes("pending")?))
        };
        self.list(Epochs::SELECT_CHECKPOINTS, None, CHECKPOINTS, read).await
    }
}
