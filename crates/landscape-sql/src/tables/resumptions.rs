//! `resumptions`: each time that a run was taken up after a stop.

use elspeth_landscape::{LandscapeError, Resumption, ResumptionRecord, TakeUp};

use crate::db::{Db, DbError, values};
use crate::stored::{Origin, Stored};

pub(crate) struct Resumptions;

impl Resumptions {
    pub(crate) const ORIGIN: Origin = Origin { table: "resumptions", key: &["run_no", "ordinal"] };

    const INSERT: &'static str =
        "INSERT INTO resumptions(run_no, ordinal, resumed_at, owner, owner_before, epoch, row_index,
        engine_version, settings, accepted_source)
        VALUES(?1, (SELECT count(*) FROM resumptions WHERE run_no = ?1), ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

    /// Those of a run, in their order.
    pub(crate) const SELECT: &'static str = "SELECT run_no, ordinal, resumed_at, owner, owner_before, epoch,
        row_index, engine_version, settings, accepted_source FROM resumptions WHERE run_no = ? ORDER BY ordinal";

    pub(crate) fn insert(db: Db<'_>, run_no: i64, up: &TakeUp) -> Result<(), DbError> {
        let Resumption { epoch, row, engine_version, settings, accepted_source } = &up.resumption;
        let (epoch, row) = (epoch.0.cast_signed(), row.cast_signed());
        let values = values![
            run_no,
            up.now.0,
            up.owner,
            up.seen_owner,
            epoch,
            row,
            engine_version,
            settings,
            accepted_source
        ];
        db.execute(Self::INSERT, values).map(|_| ())
    }

    pub(crate) fn read(stored: &Stored<'_>) -> Result<ResumptionRecord, LandscapeError> {
        Ok(ResumptionRecord {
            at: stored.time("resumed_at")?,
            owner: stored.text("owner")?,
            owner_before: stored.text("owner_before")?,
            resumption: Resumption {
                epoch: stored.epoch("epoch")?,
                row: stored.unsigned("row_index")?,
                engine_version: stored.text("engine_version")?,
                settings: stored.maybe_text("settings")?,
                accepted_source: stored.maybe_text("accepted_source")?,
            },
        })
    }
}
